"""A CSV of boards to be provisioned: read and checked before any of them is touched.

A header row names the columns; `node` must be there, every other may be missing or empty. The
separator is a comma, or a semicolon where the header has one.

    node              node id: a-z, 0-9, '-', '_'
    board             a folder of boards/; default: --board
    port              the board's port; default: one of --ports
    site              where it hangs, up to 40 characters
    detector          config.detector
    wifi_ssid, wifi_pass, mqtt_user, mqtt_pass     default: the options; a new secret
    dev_eui, join_eui 16 hexadecimal digits; dev_eui default: made of the MAC
    app_key           32 hexadecimal digits; default: a new one
    config.KEY        any key of the configuration, such as config.interval_min

A row with one of the LoRaWAN columns, or --join-eui, gets keys. DevEUI of a MAC aa:bb:cc:dd:ee:ff:
aabbccFFFEddeeff, the EUI-64 that IEEE forms of an EUI-48.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.provisioning import compatibility
from tallypost.provisioning import settings
from tallypost.provisioning.identity import EUI_BYTES, KEY_BYTES, Identity, LoraKeys

PLAIN = (
    "node", "board", "port", "site", "detector", "wifi_ssid", "wifi_pass", "mqtt_user",
    "mqtt_pass", "dev_eui", "join_eui", "app_key",
)  # fmt: skip
SECRET = ("wifi_pass", "mqtt_pass", "app_key")
_CONFIG = "config."
_ROWS_MAX = 1000
_DIGITS = re.compile("[0-9a-fA-F]*")
_OF_IDENTITY: tuple[str, ...] = ("wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass")
_DIGIT_COLUMNS = {"dev_eui": EUI_BYTES, "join_eui": EUI_BYTES, "app_key": KEY_BYTES}
Cells = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """line: of the file, from 1. who: complete but for LoRaWAN. dev_eui: None = made of the MAC.

    app_key: None = a new one. join_eui: None = the node has no LoRaWAN.
    """

    line: int
    who: Identity
    board: str
    port: str = ""
    dev_eui: bytes | None = None
    join_eui: bytes | None = None
    app_key: bytes | None = field(default=None, repr=False)

    @property
    def site(self) -> str:
        return str(self.who.config.get("site", ""))

    def identity(self, mac: str, app_key: bytes) -> Identity:
        """For the board with this MAC. app_key: the row's, or the one made for it."""
        if self.join_eui is None:
            return self.who
        dev_eui = self.dev_eui or eui_of(mac)
        return replace(self.who, lora=LoraKeys(dev_eui, self.join_eui, app_key))


def eui_of(mac: str) -> bytes:
    """EUI-64 of a MAC address."""
    raw = bytes.fromhex(mac.replace(":", ""))
    return raw[:3] + b"\xff\xfe" + raw[3:]


def read(path: Path, base: Row) -> tuple[list[Row], list[str]]:
    """(rows, what is wrong: a line of text for each fault). base: what every row begins with.

    Raises ToolError when it is no table at all.
    """
    header, lines = _table(path)
    rows: list[Row] = []
    wrong: list[str] = []
    for number, cells in lines:
        where = f"{path}:{number}"
        if len(cells) != len(header):
            wrong.append(f"{where}: {len(cells)} columns, the header has {len(header)}")
            continue
        row = _row(where, number, dict(zip(header, cells)), base, wrong)
        if row:
            rows.append(row)
    wrong += _duplicates(path, rows)
    if not lines:
        wrong.append(f"{path}: no row below the header")
    return rows, wrong


def holds_secrets(path: Path) -> bool:
    """Whether a column for secrets has anything in it; the file has been read before."""
    header, lines = _table(path)
    at = [i for i, name in enumerate(header) if name in SECRET]
    return any(cells[i] for _, cells in lines for i in at if i < len(cells))


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "a CSV with a column node") from None
    except UnicodeDecodeError as error:
        raise ToolError(f"{path}: byte {error.start} is not UTF-8", "save it as UTF-8") from None
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ToolError(f"{path}:{reader.line_num}: {error}", "is a quote open?") from None
    if not found:
        raise ToolError(f"{path}: empty", "the first row names the columns")
    if len(found) > _ROWS_MAX + 1:
        raise ToolError(f"{path}: more than {_ROWS_MAX} rows", "make several files of it")
    header = found[0][1]
    _check_header(path, header)
    return header, found[1:]


def _check_header(path: Path, header: list[str]) -> None:
    known = {*PLAIN, *(_CONFIG + row[0] for row in settings.table())}
    for name in header:
        if name not in known:
            raise ToolError(f"{path}: unknown column '{name}'", f"known: {', '.join(PLAIN)}, "
                            "and config.KEY")  # fmt: skip
        if header.count(name) > 1:
            raise ToolError(f"{path}: column '{name}' is there twice", "remove one of them")
    if "node" not in header:
        raise ToolError(f"{path}: no column 'node'", "the first row names the columns")


class _RowChecker:
    """Carries out checks of one row, and keeps what they find."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.found: list[str] = []

    def check(self, column: str, function: Callable[..., T], *args: Any) -> T | None:
        """The result, or None and a line that names the column."""
        try:
            return function(*args)
        except ToolError as error:
            self.found.append(f"{self._where}: {column}{error}")
            return None


def _row(where: str, line: int, cells: Cells, base: Row, wrong: list[str]) -> Row | None:
    """One row; None, and lines in `wrong`, when something of it cannot be used."""
    faults = _RowChecker(where)
    name = cells.get("board") or base.board
    board = faults.check("board: ", boards.load, name)
    config = dict(base.who.config)
    for column, key in _config_columns(cells):
        config[key] = faults.check(f"{column}: ", settings.from_text, key, cells[column])
    mine: dict[str, Any] = {column: cells[column] for column in _OF_IDENTITY if cells.get(column)}
    who = replace(base.who, node=cells["node"], config=config, **mine)
    made = {
        column: faults.check("", digits, column, cells.get(column, ""), size)
        for column, size in _DIGIT_COLUMNS.items()
    }
    made["join_eui"] = made["join_eui"] or base.join_eui
    if not faults.found:
        faults.check("config: ", settings.check, config)
        faults.check("", who.complete)
        faults.check("", _check_join, made)
        who = compatibility.complete(who, made["join_eui"] is not None)
        faults.check("", compatibility.check, who, made["join_eui"] is not None, board)
    wrong += faults.found
    return None if faults.found else Row(line, who, name, cells.get("port", ""), **made)


def _check_join(made: dict[str, bytes | None]) -> None:
    if any(made.values()) and not made["join_eui"]:
        raise ToolError("join_eui: missing", "LoRaWAN needs one; --join-eui gives it to all")


def _config_columns(cells: Cells) -> Iterable[tuple[str, str]]:
    """(column, key of the configuration) of those that are not empty."""
    for column, text in cells.items():
        if text and (column in ("site", "detector") or column.startswith(_CONFIG)):
            yield column, column.removeprefix(_CONFIG)


def digits(name: str, text: str, size: int) -> bytes | None:
    """Hexadecimal digits, also in pairs with - or : between; None for none.

    Raises ToolError with the name; the digits may be secret.
    """
    plain = text.replace("-", "").replace(":", "")
    if not plain:
        return None
    if not _DIGITS.fullmatch(plain) or len(plain) != 2 * size:
        raise ToolError(
            f"{name}: {len(plain)} characters", f"wanted {2 * size} hexadecimal digits"
        )
    return bytes.fromhex(plain)


def _duplicates(path: Path, rows: list[Row]) -> list[str]:
    """What two rows must not share."""
    wrong: list[str] = []
    values: dict[str, Callable[[Row], Any]] = {
        "node": lambda row: row.who.node,
        "port": lambda row: row.port,
        "dev_eui": lambda row: row.dev_eui,
        "app_key": lambda row: row.app_key,
        "mqtt_user": lambda row: row.who.mqtt_user or row.who.node,
    }
    told: set[int] = set()  # a row that is there twice is one fault, not one a column
    for column, value in values.items():
        first: dict[Any, int] = {}
        for row in rows:
            got = value(row)
            if got and first.setdefault(got, row.line) != row.line and row.line not in told:
                told.add(row.line)
                wrong.append(f"{path}:{row.line}: {column}: the same as in line {first[got]}")
    return wrong
