"""Reads `board.toml` key by key. Every error names the file and the key.

Top level: name, title, chip, flash_mb, psram_mb (0 without), beams (GPIO of light barrier A and
B), notes (warnings for the person who wires the board). `[micropython]`: file, version, offset,
url, and sha256 where several independent sources agree on it. `[features]`: wifi, lorawan,
detectors. `[radio]` or `[modem]`: the LoRaWAN part and the GPIO of each of its lines. `[budget]`:
see budget.py. `[[wiring]]`: one row for every GPIO in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tallypost.i18n import _

BUSES = ("radar", "beams", "radio", "modem", "led")
DIRECTIONS = ("in", "out")
DETECTORS = {  # the bus that each detector needs
    "ld2451": "radar", "ld2450": "radar", "ops243": "radar",
    "doppler": "beams", "beam": "beams", "beam_single": "beams",
    "pir_pair": "beams", "vl53l1x": "radar",
}  # fmt: skip
PULSE_DETECTOR = "doppler"  # needs the pulse counter of the chip (PCNT)
RADIO_CHIPS = ("sx1262", "sx1276")
MODEM_DIALECTS = ("rui3", "e5", "rn2483")
MICROPYTHON_MIN, MICROPYTHON_MAX = (1, 25), (1, 29)  # tested; boards/README.md has the differences
_MICROPYTHON_PCNT_MIN = (1, 26)
_FLASH_MAX_MB = 32
_MISSING = object()


@dataclass(frozen=True)
class Wire:
    """A GPIO in use.

    direction: "in" or "out", seen from the chip. to: the part at the other end. why: the source of
    this choice, or a statement that there is none. on_board: soldered by the maker.
    """

    pin: int
    bus: str
    direction: str
    to: str
    why: str
    on_board: bool


@dataclass(frozen=True)
class MicroPython:
    """The official file for a board. sha256: hexadecimal, or "" when no source confirms it."""

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


class TomlTable:
    """A TOML table, read key by key. `reject_unknown` reports the keys that were not read."""

    def __init__(self, path: Path, values: dict[str, Any], name: str = "") -> None:
        self._path = path
        self._values = dict(values)
        self._prefix = f"{name}." if name else ""

    def error(self, key: str, reason: str, advice: str = "") -> ToolError:
        """The error to raise for a key. advice: default: correct the key."""
        again = _("Correct this key, then run the same command again.")
        return ToolError(f"{self._path}: {self._prefix}{key}: {reason}", advice or again)

    def wrong(self, key: str, value: Any, expected: str) -> ToolError:
        """The error to raise for a value. expected: values that are allowed."""
        reason = _("the value is {value}, expected: {expected}")
        return self.error(key, reason.format(value=value, expected=expected))

    def value(self, key: str, kind: type, default: Any = _MISSING) -> Any:
        """Remove a key and return its value. Raises ToolError if it has another type."""
        value = self._values.pop(key, default)
        if value is _MISSING:
            reason = _("the key is missing, expected: {expected}")
            raise self.error(key, reason.format(expected=kind.__name__))
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, repr(value), kind.__name__)
        return value

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        value: str = self.value(key, str)
        if not value.strip():
            raise self.error(key, _("the value is empty"))
        if choices and value not in choices:
            raise self.wrong(key, repr(value), ", ".join(choices))
        return value

    def number(self, key: str, minimum: int, maximum: int) -> int:
        value: int = self.value(key, int)
        if not minimum <= value <= maximum:
            raise self.wrong(key, value, f"{minimum}..{maximum}")
        return value

    def table(self, key: str, default: Any = _MISSING) -> TomlTable:
        return TomlTable(self._path, self.value(key, dict, default), self._prefix + key)

    def tables(self, key: str) -> list[TomlTable]:
        rows: list[Any] = self.value(key, list)
        for i, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                raise self.wrong(f"{key}[{i}]", repr(row), "[[...]]")
        return [TomlTable(self._path, row, f"{key}[{i}]") for i, row in enumerate(rows, 1)]

    def texts(self, key: str, default: Any = _MISSING) -> list[str]:
        values = self.value(key, list, default)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.wrong(key, repr(values), "list[str]")
        return list(values)

    def rest(self, read: Callable[[str], Any]) -> dict[str, Any]:
        """All keys that are left, each read with `read`."""
        return {key: read(key) for key in list(self._values)}

    def has(self, key: str) -> bool:
        return key in self._values

    def reject_unknown(self) -> None:
        """Raises ToolError for a key that has not been read."""
        for key in self._values:
            raise self.error(
                key,
                _("this key is unknown"),
                _("Correct a typing error or remove the key, then run the same command again."),
            )


def micropython(table: TomlTable) -> MicroPython:
    file = table.text("file")
    version = table.text("version")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise table.wrong("version", repr(version), "1.26.1")
    if not file.endswith(f"-v{version}.bin") or "/" in file:
        raise table.wrong("file", repr(file), f"*-v{version}.bin")
    offset = table.value("offset", int)
    url = table.text("url")
    if not re.fullmatch(r"https?://[^\s/]+/\S+", url) or not url.endswith("/" + file):
        raise table.wrong("url", repr(url), f"https://.../{file}")
    sha256 = table.value("sha256", str, "")
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise table.wrong("sha256", repr(sha256), _("64 lower-case hexadecimal digits"))
    table.reject_unknown()
    numbers = tuple(int(part) for part in version.split("."))
    if not is_tested(numbers):
        raise table.wrong("version", repr(version), tested_versions())
    return MicroPython(file, numbers, offset, url, sha256)


def is_tested(version: tuple[int, ...]) -> bool:
    """Whether the firmware has been tested with this version of MicroPython."""
    return MICROPYTHON_MIN <= version[:2] <= MICROPYTHON_MAX


def tested_versions() -> str:
    first, last = (".".join(map(str, one)) for one in (MICROPYTHON_MIN, MICROPYTHON_MAX))
    return _("{first} to {last}").format(first=first, last=last)


def features(table: TomlTable) -> Features:
    detectors = table.texts("detectors")
    for detector in detectors:
        if detector not in DETECTORS:
            raise table.wrong("detectors", repr(detector), ", ".join(DETECTORS))
    if not detectors or len(set(detectors)) != len(detectors):
        raise table.wrong("detectors", repr(detectors), _("at least one detector, each once"))
    found = Features(table.value("wifi", bool), table.value("lorawan", bool), tuple(detectors))
    table.reject_unknown()
    return found


def has_pulse_counter(found: Features, file: MicroPython) -> bool:
    """Whether the MicroPython file has the pulse counter, if a detector needs it."""
    return PULSE_DETECTOR not in found.detectors or file.version >= _MICROPYTHON_PCNT_MIN


def lines(table: TomlTable, key: str, choices: tuple[str, ...]) -> dict[str, Any]:
    """`[radio]` or `[modem]`: its kind under `key`, and the GPIO of each line."""
    return {key: table.text(key, choices), **table.rest(lambda name: table.value(name, int))}


def wire(table: TomlTable) -> Wire:
    found = Wire(
        table.value("pin", int), table.text("bus", BUSES), table.text("direction", DIRECTIONS),
        table.text("to"), table.text("why"), table.value("on_board", bool, False),
    )  # fmt: skip
    table.reject_unknown()
    return found


def flash_size(table: TomlTable) -> int:
    """Bytes."""
    size: int = table.number("flash_mb", 2, _FLASH_MAX_MB)
    if size & (size - 1):
        raise table.wrong("flash_mb", size, "2, 4, 8, 16, 32")
    return size << 20
