"""Counts how often a node reads its flash from power-on until it counts.

The simulated file system is MicroPython's own, with the parameters of the ESP32 port. On the
genuine MicroPython 1.25.0 an emulated ESP32 took 23,000 accesses for a start for which this
counter finds 23,525.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from simulator.board import life
from simulator.world.chip import process, shims
from tallypost.building.image import file_system
from tallypost.hardware import boards
from tests.support.boards.seam_board import Log

SHIMS = shims.DEVICE
COUNTER = shims.ROOT / "tests" / "sim" / "device" / "counting_start.py"
COUNTS = re.compile(r"state \d, (\d+) bytes free")  # the line of a node that has begun to count
READS = re.compile(r"@reads (\d+) (\d+)")
ROM_AT = 464 * 4096  # of a ROMFS image in the partition `factory`, see COUNTER
START_US = 8_000_000


@dataclass(frozen=True)
class Reads:
    """free: bytes of MicroPython's heap when the node counts."""

    accesses: int
    size: int
    free: int = 0


def counted_shims(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nodes of this test boot with the counter."""
    device = folder / "device"
    device.mkdir()
    for source in SHIMS.rglob("*.py"):
        name = "node_start.py" if source.stem == "start" else source.name
        text = source.read_text().replace('_SHIMS = "/rom"', '_SHIMS = "/shims"')  # see COUNTER
        (device / name).write_text(text)
    shutil.copyfile(COUNTER, device / "start.py")
    monkeypatch.setattr(shims, "DEVICE", device)
    for module in (shims, process):
        monkeypatch.setattr(module, "IMAGE", folder / "counting.rom")
    shims.compile_shims()


def reads_of_a_start(board: boards.Board, flash: Path) -> Reads:
    """Switch the board on and count until it counts. Its flash file changes as a board's does."""
    log = Log()
    node = life.build_node(board, flash, life.Environment(observer=log))
    node.run(START_US)
    node.stop()
    seen = Reads(0, 0)
    for line in log.lines():
        if match := COUNTS.search(line):
            return replace(seen, free=int(match[1]))
        if match := READS.search(line):
            seen = Reads(int(match[1]), int(match[2]))
    raise AssertionError("it does not count:\n" + "\n".join(log.lines()))


def add_rom(board: boards.Board, flash: Path, rom: bytes) -> None:
    """Put a ROMFS image where the counter looks for it."""
    data = bytearray(flash.read_bytes())
    at = board.partition("factory").offset + ROM_AT
    data[at : at + len(rom)] = rom
    flash.write_bytes(data)


def replace_files(board: boards.Board, flash: Path, files: dict[str, bytes]) -> None:
    """Give a flash file another file system."""
    vfs = board.partition("vfs")
    data = bytearray(flash.read_bytes())
    data[vfs.offset : vfs.end] = file_system(files, vfs.size)
    flash.write_bytes(data)
