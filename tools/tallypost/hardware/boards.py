"""A board as the tools see it: its folder below `boards/`, read and checked.

A folder is a board when it holds a `board.toml`. There is no other list of boards.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import USAGE, ToolError
from tallypost.hardware import board_table, budget
from tallypost.hardware.board_table import (
    DETECTORS,
    PULSE_DETECTOR,
    Features,
    MicroPython,
    TomlTable,
    Wire,
)
from tallypost.hardware.chips import CHIPS, Chip
from tallypost.hardware.partitions import Partition, read_csv
from tallypost.i18n import _
from tallypost.resources import ROOT

DEFAULT = "esp32_generic"
FILES = ("board.py", "board.toml", "partitions.csv")
_REQUIRED_PARTITIONS = {
    "nvs": (1, 0x02), "factory": (0, 0x00), "vfs": (1, 0x81), "ring": (1, 0x40)
}  # fmt: skip


@dataclass(frozen=True)
class Board:
    """flash_size in bytes. psram_mb: 0 without. beams: GPIO of light barriers A and B.

    radio: `chip` and the GPIO of each line. modem: `dialect` and the same. Both may be empty.
    """

    name: str
    path: Path
    title: str
    chip: str
    flash_size: int
    psram_mb: int
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
        """The flash offset at which the MicroPython file begins."""
        return self.micropython.offset

    def partition(self, label: str) -> Partition:
        for partition in self.partitions:
            if partition.label == label:
                return partition
        path = self.path / "partitions.csv"
        raise ToolError(
            _("{path}: the partition '{label}' is missing").format(path=path, label=label),
            _("Add it, then run the same command again."),
        )


def names(root: Path = ROOT) -> list[str]:
    return sorted(p.parent.name for p in (root / "boards").glob("*/board.toml"))


def option_help() -> str:
    """The help of every --board."""
    return _("a folder of boards/ (default: {board})").format(board=DEFAULT)


def load(name: str, root: Path = ROOT) -> Board:
    """Read boards/<name>. Raises ToolError with the file and the key."""
    if name not in names(root):
        raise ToolError(
            _("unknown board '{name}'").format(name=name),
            _("Give one of these with --board: {names}").format(names=", ".join(names(root))),
            USAGE,
        )
    path = root / "boards" / name
    for file in FILES:
        if not (path / file).exists():
            raise ToolError(
                _("{path}: no such file").format(path=path / file),
                _("Add it: a board needs {files}.").format(files=", ".join(FILES)),
            )
    toml = path / "board.toml"
    try:
        table = TomlTable(toml, tomllib.loads(toml.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(
            f"{toml}: {error}", _("Correct this file, then run the same command again.")
        ) from error
    board = _board(path, table)
    table.reject_unknown()
    _check_file(board, table)
    _check_detectors(board, table)
    _check_lorawan(board, table)
    for i, wire in enumerate(board.wiring, 1):
        _check_wire(wire, CHIPS[board.chip], f"wiring[{i}].pin", table)
    _check_pins(board, table)
    _check_partitions(board)
    budget.check(
        board.budget, table, CHIPS[board.chip], vfs_bytes=board.partition("vfs").size,
        psram=board.psram_mb > 0, wifi=board.features.wifi,
    )  # fmt: skip
    return board


def _board(path: Path, table: TomlTable) -> Board:
    name = table.text("name")
    if name != path.name:
        raise table.wrong("name", repr(name), repr(path.name))
    radio = board_table.lines(table.table("radio"), "chip", board_table.RADIO_CHIPS) if (
        table.has("radio")
    ) else {}  # fmt: skip
    modem = board_table.lines(table.table("modem"), "dialect", board_table.MODEM_DIALECTS) if (
        table.has("modem")
    ) else {}  # fmt: skip
    beams = table.value("beams", list)
    if len(beams) != 2 or not all(isinstance(gpio, int) for gpio in beams):
        raise table.wrong("beams", beams, _("the GPIO of light barrier A and of light barrier B"))
    size = board_table.flash_size(table)
    psram_mb = table.number("psram_mb", 0, 32) if table.has("psram_mb") else 0
    return Board(
        name, path, table.text("title"), table.text("chip", tuple(CHIPS)), size, psram_mb,
        board_table.micropython(table.table("micropython")),
        board_table.features(table.table("features")),
        tuple(read_csv(path / "partitions.csv", size)),
        budget=budget.read(table.table("budget")), beams=(beams[0], beams[1]),
        radio=radio, modem=modem,
        wiring=tuple(board_table.wire(row) for row in table.tables("wiring")),
        notes=tuple(table.texts("notes", [])),
    )  # fmt: skip


def _check_file(board: Board, table: TomlTable) -> None:
    """The MicroPython file suits the chip and the detectors."""
    loader = CHIPS[board.chip].loader_offset
    if board.loader_offset != loader:
        raise table.wrong(
            "micropython.offset",
            f"0x{board.loader_offset:x}",
            _("0x{offset:x}, where the ROM of the {chip} looks for its boot loader").format(
                offset=loader, chip=board.chip
            ),
        )
    if not board_table.has_pulse_counter(board.features, board.micropython):
        raise table.error(
            "micropython.version",
            _("MicroPython has a pulse counter from version 1.26 on"),
            _("Name a newer file, or remove '{detector}' from features.detectors.").format(
                detector=PULSE_DETECTOR
            ),
        )


def _check_detectors(board: Board, table: TomlTable) -> None:
    for detector in board.features.detectors:
        if detector == PULSE_DETECTOR and not CHIPS[board.chip].pulse_counter:
            reason = _("'{detector}' needs a pulse counter, and the {chip} has none")
            raise table.error(
                "features.detectors", reason.format(detector=detector, chip=board.chip)
            )
        bus = DETECTORS[detector]
        if bus not in {wire.bus for wire in board.wiring}:
            reason = _("'{detector}' needs wires of the bus '{bus}', and [[wiring]] has none")
            raise table.error("features.detectors", reason.format(detector=detector, bus=bus))


def _check_lorawan(board: Board, table: TomlTable) -> None:
    if board.radio and board.modem:
        raise table.error("modem", _("a board has either [radio] or [modem], not both"))
    if board.features.lorawan and not board.radio and not board.modem:
        reason = _("the value is true, but there is no table [radio] or [modem]")
        raise table.error("features.lorawan", reason)
    if not board.features.lorawan and (board.radio or board.modem):
        reason = _("the value is false, but there is a table [radio] or [modem]")
        raise table.error("features.lorawan", reason)


def _check_wire(wire: Wire, chip: Chip, key: str, table: TomlTable) -> None:
    """Raises ToolError if the pin of this chip cannot be used as the row says."""
    pin, reason = wire.pin, ""
    if pin not in chip.pins:
        reason = _("the {chip} has no such GPIO")
    elif pin in chip.flash:
        reason = _("the flash memory is connected to it")
    elif pin in chip.console:
        reason = _("it belongs to the console, UART0")
    elif pin in chip.usb:
        reason = _("it belongs to USB")
    elif pin in chip.input_only and wire.direction == "out":
        reason = _("it is an input only")
    elif pin in chip.input_only and wire.bus == "beams":
        reason = _("it has no pull-up, which a light barrier needs")
    elif pin in chip.strapping and not wire.on_board:
        reason = _(
            "the chip reads it at reset (strapping), so a part outside the board may keep it from"
            " starting"
        )
    if reason:
        what = _("GPIO {pin} cannot be used for {to}: {reason}")
        why = reason.format(chip=chip.name)
        raise table.error(key, what.format(pin=pin, to=wire.to, reason=why))


def _check_pins(board: Board, table: TomlTable) -> None:
    """Every GPIO is wired once, and the tables agree with the wiring."""
    wired: dict[int, Wire] = {}
    for i, wire in enumerate(board.wiring, 1):
        if wire.pin in wired:
            reason = _("GPIO {pin} is already wired to {other}")
            other = wired[wire.pin].to
            raise table.error(f"wiring[{i}].pin", reason.format(pin=wire.pin, other=other))
        wired[wire.pin] = wire
    for key, bus, pins in (
        ("beams", "beams", board.beams),
        ("radio", "radio", _gpios(board.radio)),
        ("modem", "modem", _gpios(board.modem)),
    ):
        for pin in pins:
            if pin not in wired or wired[pin].bus != bus:
                reason = _("GPIO {pin} has no row with bus = '{bus}' in [[wiring]]")
                raise table.error(key, reason.format(pin=pin, bus=bus))
    on_beams = {wire.pin for wire in board.wiring if wire.bus == "beams"}
    if on_beams != set(board.beams):
        raise table.wrong("beams", list(board.beams), f"[[wiring]]: {sorted(on_beams)}")


def _gpios(lines: dict[str, Any]) -> list[int]:
    return [pin for pin in lines.values() if isinstance(pin, int)]


def _check_partitions(board: Board) -> None:
    for label, (kind, subtype) in _REQUIRED_PARTITIONS.items():
        partition = board.partition(label)
        if (partition.kind, partition.subtype) != (kind, subtype):
            found = f"{partition.kind}/0x{partition.subtype:x}"
            raise ToolError(
                _("{path}: '{label}' has type {found}, expected: {expected}").format(
                    path=board.path / "partitions.csv", label=label, found=found,
                    expected=f"{kind}/0x{subtype:x}",
                ),
                _("Correct this file, then run the same command again."),
            )  # fmt: skip
