"""The inventory of provisioned nodes: a public table and, apart from it, the secrets.

inventory.csv   one row for each board, appended when it is provisioned, without a secret
secrets.json    by node the secrets that brokers and join servers need, with mode 0600

A secret is in its file before a board has it. If a call is cut short, the next call takes the
secret from there.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallypost import locking
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

NODE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
COLUMNS = (
    "node", "mac", "chip", "board", "site", "dev_eui", "join_eui", "time", "version",
)  # fmt: skip
TOPIC_ROOT = "tallypost/v1"  # the default of the configuration key mqtt_root


def by_number(name: str) -> list[Any]:
    """A key to sort names by: street-9 stands before street-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


@dataclass(frozen=True)
class Secret:
    """The secrets of one node. Keys in hexadecimal digits.

    app_key: 32 digits, "" without LoRaWAN. mac_key: 64 digits, "" if its records are not signed.
    done: fingerprints of the row that the board was provisioned with (row_changes.py).
    """

    mqtt_user: str
    mqtt_pass: str = field(repr=False)
    mqtt_root: str = TOPIC_ROOT
    app_key: str = field(default="", repr=False)
    mac_key: str = field(default="", repr=False)
    done: dict[str, str] = field(default_factory=dict, repr=False)


class Inventory:
    """The files in `folder`. rows and secrets: by node. Raises ToolError.

    Several calls may use one folder. Each change reads the files anew under a lock, so the rows
    and secrets of the others stay.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._csv = folder / "inventory.csv"
        self._json = folder / "secrets.json"
        self._is_held = False
        self._read()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other calls from changing the folder. Rows and secrets are read anew."""
        if self._is_held:
            yield
            return
        path = self.folder / ".lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(locking.locked(path))
            except OSError as error:
                raise write_error(path, error) from error
            self._is_held = True
            stack.callback(setattr, self, "_is_held", False)
            self._read()
            yield

    def _read(self) -> None:
        self.rows = {row["node"]: row for row in read_inventory(self._csv, may_be_missing=True)}
        self.secrets = self._read_secrets()

    def _read_secrets(self) -> dict[str, Secret]:
        try:
            table = json.loads(self._json.read_text(encoding="utf-8"))
            return {node: Secret(**values) for node, values in table.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            raise ToolError(
                _("{path}: the file of secrets cannot be read").format(path=self._json),
                _("Only tallypost provision may write it. Restore it from a backup."),
            ) from None

    def store_secrets(self, secrets: dict[str, Secret]) -> None:
        """Add secrets by node. A power cut leaves the old file or the new one."""
        with self.locked():
            self.secrets |= secrets
            table: dict[str, Any] = {node: vars(one) for node, one in sorted(self.secrets.items())}
            write_private(self._json, json.dumps(table, indent=1) + "\n")

    def append(self, row: dict[str, str]) -> None:
        """Add the row of a finished board. It is on the disk before this returns."""
        with self.locked():
            self._append(row)

    def _append(self, row: dict[str, str]) -> None:
        is_new = not self._csv.exists()
        try:
            with open(self._csv, "a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self._csv, error) from error
        self.rows = _latest([*self.rows.values(), row])


def read_inventory(path: Path, may_be_missing: bool = False) -> list[dict[str, str]]:
    """The latest row of each node and board. Raises ToolError."""
    if may_be_missing and not path.exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise ToolError(
            _("{path}: the inventory cannot be read: {reason}").format(path=path, reason=error),
            _("Name the inventory.csv that tallypost provision --out DIR wrote."),
        ) from None
    advice = _("An inventory has the columns {columns}.").format(columns=",".join(COLUMNS))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ToolError(_("{path}: this is not an inventory").format(path=path), advice)
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values() or not NODE_ID.fullmatch(row["node"]):
            place = f"{path}:{line}"
            raise ToolError(_("{place}: not a row of an inventory").format(place=place), advice)
    return list(_latest(rows).values())


def _latest(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """By node. A board that became another node no longer counts as the node it was."""
    by_mac: dict[str, dict[str, str]] = {}
    for row in rows:
        by_mac.pop(row["mac"], None)
        by_mac[row["mac"]] = row
    return {row["node"]: row for row in by_mac.values()}


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all. Raises ToolError."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> ToolError:
    """The error of a file that could not be written."""
    what = _("{path}: the file cannot be written: {reason}")
    return ToolError(
        what.format(path=path, reason=os_reason(error)),
        _("Free the disk, or name another folder with --out."),
    )
