"""What stays on the bench of a provisioning: who got which board, and the secrets, apart.

inventory.csv   a row for each board that was provisioned, appended; no secret in it
secrets.json    by node what brokers and join servers must know; for its owner alone (0600)

A secret is in its file before a board has it, so that no call that was cut short loses one; the
next one takes it from there.
"""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tallypost.hardware.boards import ROOT
from tallypost.provisioning.identity import NODE_ID, Identity

COLUMNS = (
    "node", "mac", "chip", "board", "site", "dev_eui", "join_eui", "time", "version",
)  # fmt: skip
_DEFAULT_ROOT = "tallypost/v1"
_VERSION = re.compile('VERSION = "(.+)"')


def version() -> str:
    """Of the firmware in this repository."""
    found = _VERSION.search((ROOT / "firmware" / "core" / "version.py").read_text())
    return found[1] if found else ""


def by_number(name: str) -> list[Any]:
    """A key to sort names by: street-9 stands before street-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


@dataclass(frozen=True)
class Secret:
    """What others must know of one node. app_key: 32 digits, "" without LoRaWAN."""

    mqtt_user: str
    mqtt_pass: str = field(repr=False)
    mqtt_root: str = _DEFAULT_ROOT
    app_key: str = field(default="", repr=False)


class Records:
    """The files below `folder`; raises ToolError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._inventory = folder / "inventory.csv"
        self._secrets = folder / "secrets.json"
        self.inventory = {row["node"]: row for row in read_inventory(self._inventory, new=True)}
        self.secrets = self._read_secrets()

    def _read_secrets(self) -> dict[str, Secret]:
        try:
            table = json.loads(self._secrets.read_text())
            return {node: Secret(**values) for node, values in table.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            hint = "it is written by tallypost provision alone"
            raise ToolError(f"{self._secrets}: not a file of secrets", hint) from None

    def with_secrets(self, who: Identity) -> Identity:
        """The identity with what an earlier call made for this node, unless it has its own."""
        known = self.secrets.get(who.node)
        if not known:
            return who
        user = who.mqtt_user or known.mqtt_user
        return replace(who, mqtt_user=user, mqtt_pass=who.mqtt_pass or known.mqtt_pass)

    def keep(self, identities: list[Identity], app_keys: dict[str, str]) -> None:
        """Put down secrets; the file is the old one or the new one, whatever happens."""
        for who in identities:
            root = who.config.get("mqtt_root", _DEFAULT_ROOT)
            key = app_keys.get(who.node, "")
            self.secrets[who.node] = Secret(who.mqtt_user, who.mqtt_pass, root, key)
        table: dict[str, Any] = {node: vars(one) for node, one in sorted(self.secrets.items())}
        write_private(self._secrets, json.dumps(table, indent=1) + "\n")

    def add(self, row: dict[str, str]) -> None:
        """A board is done: on the disk before this returns."""
        is_new = not self._inventory.exists()
        try:
            with open(self._inventory, "a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ToolError(f"{self._inventory}: {error.strerror}") from error
        self.inventory = _latest([*self.inventory.values(), row])


def read_inventory(path: Path, new: bool = False) -> list[dict[str, str]]:
    """The latest row of each node and board. new: there need be no file yet. Raises ToolError."""
    if new and not path.exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise ToolError(f"{path}: {error}", "tallypost provision --out DIR makes one") from None
    wanted = f"wanted the columns {','.join(COLUMNS)}"
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ToolError(f"{path}: not an inventory", wanted)
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values() or not NODE_ID.fullmatch(row["node"]):
            raise ToolError(f"{path}:{line}: not a row of an inventory", wanted)
    return list(_latest(rows).values())


def _latest(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """By node; a board that became another node is no longer the one it was."""
    by_mac: dict[str, dict[str, str]] = {}
    for row in rows:
        by_mac.pop(row["mac"], None)
        by_mac[row["mac"]] = row
    return {row["node"]: row for row in by_mac.values()}


def write_private(path: Path, text: str) -> None:
    """A file for its owner alone, whole or not at all; raises ToolError."""
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
        raise ToolError(f"{path}: {error.strerror}", "name another folder with --out") from error
