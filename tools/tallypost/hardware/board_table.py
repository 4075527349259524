"""board.toml, key by key: every defect is refused with the file's and the key's name.

Top level: name, title, chip, flash_mb, beams (GPIO of light barrier A and B), notes (warnings for
who wires it). `[micropython]`: file, version, offset, url, and sha256 where several independent
places agree on it. `[features]`: wifi, lorawan, detectors. `[radio]` or `[modem]`: what speaks
LoRaWAN, and the GPIO of each of its lines. `[budget]`. `[[wiring]]`: a row for every GPIO in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError

BUSES = ("radar", "beams", "radio", "modem", "led")
DIRECTIONS = ("in", "out")
DETECTORS = {  # what each needs of a board: a bus
    "ld2451": "radar", "ld2450": "radar", "ops243": "radar",
    "doppler": "beams", "beam": "beams", "beam_single": "beams",
}  # fmt: skip
PULSE_COUNTED = "doppler"
RADIO_CHIPS = ("sx1262", "sx1276")
MODEM_DIALECTS = ("rui3", "e5", "rn2483")
_OLDEST, _OLDEST_PCNT = (1, 25), (1, 26)  # of MicroPython
_LARGEST_MB = 32
_MISSING = object()


@dataclass(frozen=True)
class Wire:
    """A GPIO in use. direction: "in" or "out", seen from the chip.

    on_board: soldered by the maker. to: what is at its other end; why: the source of this choice, or that there is none.
    """

    pin: int
    bus: str
    direction: str
    to: str
    why: str
    on_board: bool


@dataclass(frozen=True)
class MicroPython:
    """The official file for a board. sha256: hexadecimal, or "" when nobody vouches for it."""

    file: str
    version: tuple[int, ...]
    offset: int
    url: str
    sha256: str


@dataclass(frozen=True)
class Features:
    wifi: bool
    lorawan: bool
    detectors: tuple[str, ...]


class Table:
    """A TOML table that is taken apart; `done` refuses what nobody has taken."""

    def __init__(self, path: Path, values: dict[str, Any], name: str = "") -> None:
        self._path = path
        self._values = dict(values)
        self._prefix = f"{name}." if name else ""

    def refuse(self, key: str, what: str, hint: str = "") -> ToolError:
        return ToolError(f"{self._path}: {self._prefix}{key}{what}", hint)

    def take(self, key: str, kind: type, default: Any = _MISSING) -> Any:
        value = self._values.pop(key, default)
        if value is _MISSING:
            raise self.refuse(key, f" is missing, wanted {kind.__name__}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.refuse(key, f" = {value!r}, wanted {kind.__name__}")
        return value

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        value: str = self.take(key, str)
        if not value.strip():
            raise self.refuse(key, " is empty")
        if choices and value not in choices:
            raise self.refuse(key, f" = '{value}'", f"known: {', '.join(choices)}")
        return value

    def number(self, key: str, least: int, most: int) -> int:
        value: int = self.take(key, int)
        if not least <= value <= most:
            raise self.refuse(key, f" = {value}, wanted {least} to {most}")
        return value

    def table(self, key: str, default: Any = _MISSING) -> Table:
        return Table(self._path, self.take(key, dict, default), self._prefix + key)

    def tables(self, key: str) -> list[Table]:
        rows: list[Any] = self.take(key, list)
        for i, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                raise self.refuse(f"{key}[{i}]", f" = {row!r}, wanted a table")
        return [Table(self._path, row, f"{key}[{i}]") for i, row in enumerate(rows, 1)]

    def texts(self, key: str, default: Any = _MISSING) -> list[str]:
        values = self.take(key, list, default)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.refuse(key, f" = {values!r}, wanted a list of texts")
        return list(values)

    def rest(self, take: Callable[[str], Any]) -> dict[str, Any]:
        """All keys that are left, each through `take`."""
        return {key: take(key) for key in list(self._values)}

    def has(self, key: str) -> bool:
        return key in self._values

    def done(self) -> None:
        for key in self._values:
            raise self.refuse(key, " is not known here", "a typing error?")


def micropython(table: Table) -> MicroPython:
    file = table.text("file")
    version = table.text("version")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise table.refuse("version", f" = '{version}', wanted three numbers, as in 1.26.1")
    if not file.endswith(f"-v{version}.bin") or "/" in file:
        raise table.refuse("file", f" = '{file}', wanted a name that ends in -v{version}.bin")
    offset = table.take("offset", int)
    url = table.text("url")
    if not re.fullmatch(r"https?://[^\s/]+/\S+", url) or not url.endswith("/" + file):
        raise table.refuse("url", f" = '{url}', wanted the http address of {file}")
    sha256 = table.take("sha256", str, "")
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise table.refuse("sha256", f" = '{sha256}', wanted 64 small hexadecimal digits")
    table.done()
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < _OLDEST:
        raise table.refuse("version", f" = '{version}': the firmware needs 1.25 or newer")
    return MicroPython(file, numbers, offset, url, sha256)


def features(table: Table) -> Features:
    detectors = table.texts("detectors")
    for detector in detectors:
        if detector not in DETECTORS:
            known = f"known: {', '.join(DETECTORS)}"
            raise table.refuse("detectors", f": '{detector}' is none", known)
    if not detectors or len(set(detectors)) != len(detectors):
        raise table.refuse("detectors", f" = {detectors!r}, wanted some, each once")
    found = Features(table.take("wifi", bool), table.take("lorawan", bool), tuple(detectors))
    table.done()
    return found


def counts_pulses(found: Features, file: MicroPython) -> bool:
    """Whether the MicroPython file has what the detectors need of it."""
    return PULSE_COUNTED not in found.detectors or file.version >= _OLDEST_PCNT


def lines(table: Table, key: str, choices: tuple[str, ...]) -> dict[str, Any]:
    """`[radio]`, `[modem]`: which it is under `key`, and the GPIO of each line."""
    return {key: table.text(key, choices), **table.rest(lambda name: table.take(name, int))}


def budget(table: Table) -> dict[str, int]:
    found = {key: table.number(key, 1, 1 << 30) for key in ("mpy_bytes", "heap_free_bytes")}
    table.done()
    return found


def wire(table: Table) -> Wire:
    found = Wire(
        table.take("pin", int), table.text("bus", BUSES), table.text("direction", DIRECTIONS),
        table.text("to"), table.text("why"), table.take("on_board", bool, False),
    )  # fmt: skip
    table.done()
    return found


def flash_size(table: Table) -> int:
    size: int = table.number("flash_mb", 2, _LARGEST_MB)
    if size & (size - 1):
        raise table.refuse("flash_mb", f" = {size}: chips have 2, 4, 8, 16 or 32")
    return size << 20
