"""What the tools know of a board: its folder below boards/, read and checked.

A folder is a board when it holds a board.toml; nothing else names it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import USAGE, ToolError
from tallypost.hardware import board_table
from tallypost.hardware.board_table import (
    DETECTORS,
    PULSE_COUNTED,
    Features,
    MicroPython,
    Table,
    Wire,
)
from tallypost.hardware.chips import CHIPS, Chip
from tallypost.hardware.partitions import Partition, read_csv

ROOT = Path(__file__).resolve().parents[3]
DEFAULT = "esp32_generic"
FILES = ("board.py", "board.toml", "partitions.csv")
_NEEDED = {"nvs": (1, 0x02), "factory": (0, 0x00), "vfs": (1, 0x81), "ring": (1, 0x40)}


@dataclass(frozen=True)
class Board:
    """flash_size in bytes. beams: GPIO of light barriers A and B.

    radio: `chip` and the GPIO of each line; modem: `dialect` and the same; both may be empty.
    """

    name: str
    path: Path
    title: str
    chip: str
    flash_size: int
    micropython: MicroPython
    features: Features
    partitions: tuple[Partition, ...]
    budget: dict[str, int]
    beams: tuple[int, int]
    radio: dict[str, Any]
    modem: dict[str, Any]
    wiring: tuple[Wire, ...]
    notes: tuple[str, ...]

    @property
    def loader_offset(self) -> int:
        """Where the MicroPython file begins."""
        return self.micropython.offset

    def partition(self, label: str) -> Partition:
        for partition in self.partitions:
            if partition.label == label:
                return partition
        raise ToolError(f"{self.path / 'partitions.csv'}: no partition '{label}'")


def names(root: Path = ROOT) -> list[str]:
    return sorted(p.parent.name for p in (root / "boards").glob("*/board.toml"))


def load(name: str, root: Path = ROOT) -> Board:
    """Read boards/<name>; raises ToolError naming file and key."""
    if name not in names(root):
        known = ", ".join(names(root)) or "none"
        raise ToolError(f"unknown board '{name}'", f"boards: {known}", USAGE)
    path = root / "boards" / name
    for file in FILES:
        if not (path / file).exists():
            raise ToolError(f"{path / file} is missing", "a board needs " + ", ".join(FILES))
    toml = path / "board.toml"
    try:
        table = Table(toml, tomllib.loads(toml.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(f"{toml}: {error}") from error
    board = _board(path, table)
    table.done()
    _check_file(board, table)
    _check_detectors(board, table)
    _check_lorawan(board, table)
    for i, wire in enumerate(board.wiring, 1):
        _check_wire(wire, CHIPS[board.chip], f"wiring[{i}].pin", table)
    _check_pins(board, table)
    _check_partitions(board)
    return board


def _board(path: Path, table: Table) -> Board:
    name = table.text("name")
    if name != path.name:
        raise table.refuse("name", f" = '{name}', wanted '{path.name}', the folder's name")
    radio = board_table.lines(table.table("radio"), "chip", board_table.RADIO_CHIPS) if (
        table.has("radio")
    ) else {}  # fmt: skip
    modem = board_table.lines(table.table("modem"), "dialect", board_table.MODEM_DIALECTS) if (
        table.has("modem")
    ) else {}  # fmt: skip
    beams = table.take("beams", list)
    if len(beams) != 2 or not all(isinstance(gpio, int) for gpio in beams):
        raise table.refuse("beams", f" = {beams!r}, wanted the GPIO of A and of B")
    size = board_table.flash_size(table)
    return Board(
        name, path, table.text("title"), table.text("chip", tuple(CHIPS)), size,
        board_table.micropython(table.table("micropython")),
        board_table.features(table.table("features")),
        tuple(read_csv(path / "partitions.csv", size)),
        budget=board_table.budget(table.table("budget")), beams=(beams[0], beams[1]),
        radio=radio, modem=modem,
        wiring=tuple(board_table.wire(row) for row in table.tables("wiring")),
        notes=tuple(table.texts("notes", [])),
    )  # fmt: skip


def _check_file(board: Board, table: Table) -> None:
    wanted = CHIPS[board.chip].loader_offset
    if board.loader_offset != wanted:
        raise table.refuse(
            "micropython.offset", f" = 0x{board.loader_offset:x}, wanted 0x{wanted:x}: there the"
            f" ROM of the {board.chip} looks for its loader",
        )  # fmt: skip
    if not board_table.counts_pulses(board.features, board.micropython):
        raise table.refuse(
            "micropython.version", ": a pulse counter exists from 1.26 on",
            f"take a newer file, or leave '{PULSE_COUNTED}' out of features.detectors",
        )  # fmt: skip


def _check_detectors(board: Board, table: Table) -> None:
    for detector in board.features.detectors:
        if detector == PULSE_COUNTED and not CHIPS[board.chip].pulse_counter:
            raise table.refuse(
                "features.detectors", f": '{detector}' needs the pulse counter, which the"
                f" {board.chip} has not",
            )  # fmt: skip
        if DETECTORS[detector] not in {wire.bus for wire in board.wiring}:
            raise table.refuse(
                "features.detectors", f": '{detector}' needs wires of the bus"
                f" '{DETECTORS[detector]}', and [[wiring]] has none",
            )  # fmt: skip


def _check_lorawan(board: Board, table: Table) -> None:
    if board.radio and board.modem:
        raise table.refuse("modem", " and radio: a board has one of them")
    if board.features.lorawan != bool(board.radio or board.modem):
        raise table.refuse(
            "features.lorawan", f" = {str(board.features.lorawan).lower()}, and there is"
            f" {'a' if board.radio or board.modem else 'neither a'} table [radio] or [modem]",
        )  # fmt: skip


def _check_wire(wire: Wire, chip: Chip, key: str, table: Table) -> None:
    """A pin does on this chip what the row wants of it; raises ToolError."""
    pin, reason = wire.pin, ""
    if pin not in chip.pins:
        reason = f"the {chip.name} has no such GPIO"
    elif pin in chip.flash:
        reason = "the flash memory hangs on it"
    elif pin in chip.console:
        reason = "it belongs to the console, UART0"
    elif pin in chip.usb:
        reason = "it belongs to USB"
    elif pin in chip.input_only and wire.direction == "out":
        reason = "it is an input only"
    elif pin in chip.input_only and wire.bus == "beams":
        reason = "it has no pull-up, which a light barrier needs"
    elif pin in chip.strapping and not wire.on_board:
        reason = "the chip reads it at reset (strapping): what is outside the board may keep it"
        reason += " from starting"
    if reason:
        raise table.refuse(key, f" = {pin} for {wire.to}: {reason}")


def _check_pins(board: Board, table: Table) -> None:
    """Every GPIO once, and the tables agree with the wiring."""
    wired: dict[int, Wire] = {}
    for i, wire in enumerate(board.wiring, 1):
        if wire.pin in wired:
            other = wired[wire.pin].to
            raise table.refuse(f"wiring[{i}].pin", f" = {wire.pin} is wired to {other} already")
        wired[wire.pin] = wire
    for key, bus, pins in (
        ("beams", "beams", board.beams),
        ("radio", "radio", _gpios(board.radio)),
        ("modem", "modem", _gpios(board.modem)),
    ):
        for pin in pins:
            if pin not in wired or wired[pin].bus != bus:
                raise table.refuse(key, f": GPIO {pin} has no row with bus = '{bus}' in wiring")
    on_beams = {wire.pin for wire in board.wiring if wire.bus == "beams"}
    if on_beams != set(board.beams):
        raise table.refuse("beams", f" = {list(board.beams)}, and wiring has {sorted(on_beams)}")


def _gpios(lines: dict[str, Any]) -> list[int]:
    return [pin for pin in lines.values() if isinstance(pin, int)]


def _check_partitions(board: Board) -> None:
    for label, (kind, subtype) in _NEEDED.items():
        partition = board.partition(label)
        if (partition.kind, partition.subtype) != (kind, subtype):
            raise ToolError(
                f"{board.path / 'partitions.csv'}: '{label}' has type {partition.kind} and subtype"
                f" 0x{partition.subtype:x}, wanted {kind} and 0x{subtype:x}"
            )
