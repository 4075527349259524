"""Reads and checks a CSV of boards to be provisioned, before any board is changed.

CSV_HELP describes the columns. A row with one of the LoRaWAN columns, or --join-eui, gets keys.
DevEUI of a MAC aa:bb:cc:dd:ee:ff: aabbccFFFEddeeff, the EUI-64 that IEEE forms of an EUI-48.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tallypost.faults import ToolError, os_reason
from tallypost.hardware import boards
from tallypost.i18n import N_, _
from tallypost.provisioning import compatibility
from tallypost.provisioning import settings
from tallypost.provisioning.identity import EUI_BYTES, KEY_BYTES, Identity, LoraKeys

CSV_HELP = N_(
    "The CSV has one row for each board. Its first row names the columns. The column node must\n"
    "be there, every other one may be missing or empty. The separator is a comma, or a semicolon\n"
    "if the first row has one.\n"
    "\n"
    "    node                node id: a-z, 0-9, '-', '_'\n"
    "    board               a folder of boards/ (default: --board)\n"
    "    port                the port of the board (default: one of --ports)\n"
    "    site                name of the site, up to 40 characters\n"
    "    detector            the same as config.detector\n"
    "    wifi_ssid, wifi_pass, mqtt_user, mqtt_pass\n"
    "                        (default: the options, and a new MQTT secret)\n"
    "    dev_eui, join_eui   16 hexadecimal digits (default of dev_eui: made from the MAC)\n"
    "    app_key             32 hexadecimal digits (default: a new one)\n"
    "    config.KEY          any key of the configuration, such as config.interval_min"
)
COLUMNS = (
    "node", "board", "port", "site", "detector", "wifi_ssid", "wifi_pass", "mqtt_user",
    "mqtt_pass", "dev_eui", "join_eui", "app_key",
)  # fmt: skip
SECRET_COLUMNS = ("wifi_pass", "mqtt_pass", "app_key")
_CONFIG = "config."
_ROWS_MAX = 1000
_DIGITS = re.compile("[0-9a-fA-F]*")
_IDENTITY_COLUMNS: tuple[str, ...] = ("wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass")
_DIGIT_COLUMNS = {"dev_eui": EUI_BYTES, "join_eui": EUI_BYTES, "app_key": KEY_BYTES}
Cells = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """line: of the file, from 1. identity: complete except for LoRaWAN.

    dev_eui: None: made from the MAC. app_key: None: a new one. join_eui: None: no LoRaWAN.
    """

    line: int
    identity: Identity
    board: str
    port: str = ""
    dev_eui: bytes | None = None
    join_eui: bytes | None = None
    app_key: bytes | None = field(default=None, repr=False)

    @property
    def node(self) -> str:
        return self.identity.node

    @property
    def site(self) -> str:
        return str(self.identity.config.get("site", ""))

    def identity_for(self, mac: str, app_key: bytes) -> Identity:
        """The identity for the board with this MAC. app_key: of the row, or a new one."""
        if self.join_eui is None:
            return self.identity
        dev_eui = self.dev_eui or eui_of(mac)
        return replace(self.identity, lora=LoraKeys(dev_eui, self.join_eui, app_key))


def eui_of(mac: str) -> bytes:
    """EUI-64 of a MAC address."""
    raw = bytes.fromhex(mac.replace(":", ""))
    return raw[:3] + b"\xff\xfe" + raw[3:]


def read(path: Path, base: Row) -> tuple[list[Row], list[str]]:
    """(rows, problems). A problem is a line of text. base: the values that each row starts with.

    Raises ToolError if the file is not a table at all.
    """
    header, lines = _table(path)
    rows: list[Row] = []
    problems: list[str] = []
    for number, cells in lines:
        place = f"{path}:{number}"
        if len(cells) != len(header):
            text = _("{place}: the row has {n} columns, but the first row has {expected}")
            problems.append(text.format(place=place, n=len(cells), expected=len(header)))
            continue
        row = _row(place, number, dict(zip(header, cells)), base, problems)
        if row:
            rows.append(row)
    problems += _duplicates(path, rows)
    if not lines:
        problems.append(_("{path}: there is no row below the first one").format(path=path))
    return rows, problems


def holds_secrets(path: Path) -> bool:
    """Whether a column for secrets has a value. The file has been read before."""
    header, lines = _table(path)
    at = [i for i, name in enumerate(header) if name in SECRET_COLUMNS]
    return any(cells[i] for _line, cells in lines for i in at if i < len(cells))


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(first row, (line, cells) of the others). Raises ToolError."""
    advice = _("Name a CSV whose first row has a column node.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from None
    except UnicodeDecodeError as error:
        raise ToolError(
            _("{path}: byte {offset} is not UTF-8").format(path=path, offset=error.start),
            _("Save the file as UTF-8."),
        ) from None
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ToolError(
            f"{path}:{reader.line_num}: {error}", _("Check the quotation marks of this line.")
        ) from None
    if not found:
        raise ToolError(_("{path}: the file is empty").format(path=path), advice)
    if len(found) > _ROWS_MAX + 1:
        raise ToolError(
            _("{path}: the file has more than {maximum} rows").format(
                path=path, maximum=_ROWS_MAX
            ),
            _("Split it into several files."),
        )
    header = found[0][1]
    _check_header(path, header)
    return header, found[1:]


def _check_header(path: Path, header: list[str]) -> None:
    known = {*COLUMNS, *(_CONFIG + row[0] for row in settings.table())}
    for name in header:
        if name not in known:
            raise ToolError(
                _("{path}: unknown column '{name}'").format(path=path, name=name),
                _("Use these: {names}, config.KEY").format(names=", ".join(COLUMNS)),
            )
        if header.count(name) > 1:
            raise ToolError(
                _("{path}: the column '{name}' occurs twice").format(path=path, name=name),
                _("Remove one of them."),
            )
    if "node" not in header:
        raise ToolError(
            _("{path}: the column 'node' is missing").format(path=path),
            _("Name a CSV whose first row has a column node."),
        )


class _RowChecker:
    """Runs the checks of one row and collects the problems."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.problems: list[str] = []

    def check(self, column: str, function: Callable[..., T], *args: Any) -> T | None:
        """The result of a function. If it raises ToolError: None, and a line with the column."""
        try:
            return function(*args)
        except ToolError as error:
            self.problems.append(f"{self._place}: {column}{error}")
            return None


def _row(place: str, line: int, cells: Cells, base: Row, problems: list[str]) -> Row | None:
    """One row. If it cannot be used: None, and lines in `problems`."""
    checker = _RowChecker(place)
    name = cells.get("board") or base.board
    board = checker.check("board: ", boards.load, name)
    config = dict(base.identity.config)
    for column, key in _config_columns(cells):
        config[key] = checker.check(f"{column}: ", settings.from_text, key, cells[column])
    given: dict[str, Any] = {
        column: cells[column] for column in _IDENTITY_COLUMNS if cells.get(column)
    }
    identity = replace(base.identity, node=cells["node"], config=config, **given)
    keys = {
        column: checker.check("", digits, column, cells.get(column, ""), size)
        for column, size in _DIGIT_COLUMNS.items()
    }
    keys["join_eui"] = keys["join_eui"] or base.join_eui
    if not checker.problems:
        checker.check("config: ", settings.check, config)
        checker.check("", identity.complete)
        checker.check("", _check_join, keys)
        has_keys = keys["join_eui"] is not None
        identity = compatibility.with_link(identity, has_keys)
        checker.check("", compatibility.check, identity, has_keys, board)
    problems += checker.problems
    if checker.problems:
        return None
    return Row(line, identity, name, cells.get("port", ""), **keys)


def _check_join(keys: dict[str, bytes | None]) -> None:
    if any(keys.values()) and not keys["join_eui"]:
        raise ToolError(
            _("join_eui: LoRaWAN needs one, and it is missing"),
            _("Fill this column, or add --join-eui EUI for all rows."),
        )


def _config_columns(cells: Cells) -> Iterable[tuple[str, str]]:
    """(column, key of the configuration) of the cells that are not empty."""
    for column, text in cells.items():
        if text and (column in ("site", "detector") or column.startswith(_CONFIG)):
            yield column, column.removeprefix(_CONFIG)


def digits(name: str, text: str, size: int) -> bytes | None:
    """The bytes of hexadecimal digits, also in pairs with - or : between. None for an empty text.

    Raises ToolError with the name alone, because the digits may be secret.
    """
    plain = text.replace("-", "").replace(":", "")
    if not plain:
        return None
    if not _DIGITS.fullmatch(plain) or len(plain) != 2 * size:
        raise ToolError(
            _("{name}: the value with {n} characters is not allowed").format(
                name=name, n=len(plain)
            ),
            _("Use {n} hexadecimal digits.").format(n=2 * size),
        )
    return bytes.fromhex(plain)


def _duplicates(path: Path, rows: list[Row]) -> list[str]:
    """A line for each row with a value that two rows must not share."""
    problems: list[str] = []
    values: dict[str, Callable[[Row], Any]] = {
        "node": lambda row: row.node,
        "port": lambda row: row.port,
        "dev_eui": lambda row: row.dev_eui,
        "app_key": lambda row: row.app_key,
        "mqtt_user": lambda row: row.identity.mqtt_user or row.node,
    }
    text = _("{place}: {column}: the value is the same as in line {line}")
    reported: set[int] = set()  # a row that is there twice is one problem, not one for each column
    for column, value in values.items():
        first: dict[Any, int] = {}
        for row in rows:
            got = value(row)
            if not got or first.setdefault(got, row.line) == row.line or row.line in reported:
                continue
            reported.add(row.line)
            place = f"{path}:{row.line}"
            problems.append(text.format(place=place, column=column, line=first[got]))
    return problems
