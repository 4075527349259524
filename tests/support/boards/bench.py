"""Boards for tests, and a technician's programs against them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import serial

from simulator.board.board import VirtualBoard
from simulator.world.chip.shims import ROOT

BIN = Path(sys.executable).parent
Make = Callable[..., VirtualBoard]  # the fixture `make` of conftest.py
HANG_S = 120  # only ends a program that would never end


@dataclass(frozen=True)
class Ran:
    status: int
    out: str


def run(program: str, *args: str | Path, timeout_s: float = HANG_S) -> Ran:
    """A program of the virtual environment, with its output on either stream."""
    done = subprocess.run(
        [BIN / program, *args], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=timeout_s,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout.replace("\r", "\n"))


def esptool(board: VirtualBoard, *args: str | Path) -> Ran:
    return run("esptool", "--port", board.path, *args)


def mpremote(board: VirtualBoard, *args: str | Path) -> Ran:
    return run("mpremote", "connect", board.path, *args)


def until(condition: Callable[[], bool], timeout_s: float = HANG_S) -> None:
    """Wait for it. Without a time-out it fails only if it would never come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def settled(board: VirtualBoard) -> bytes:
    """The flash without the NVS partition, in which a node writes whenever it starts."""
    flash = bytearray(board.flash.read_bytes())
    nvs = board.board.partition("nvs")
    flash[nvs.offset : nvs.end] = bytes(nvs.size)
    return bytes(flash)


class Listener:
    """A person at the port with a terminal program. `heard` grows while it reads."""

    def __init__(self, port: str | Path) -> None:
        self._serial = serial.serial_for_url(str(port), timeout=0.05)
        self.heard = b""

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._serial.close()

    def write(self, data: bytes) -> None:
        self._serial.write(data)

    def lines(self, dtr: bool, rts: bool) -> None:
        self._serial.dtr = dtr
        self._serial.rts = rts

    def read_until(self, text: bytes, timeout_s: float = HANG_S) -> bytes:
        """Read on until the text is there. Return the bytes up to its end, and drop them."""

        def there() -> bool:
            self.heard += self._serial.read(4096)
            return text in self.heard

        until(there, timeout_s)
        before, _, self.heard = self.heard.partition(text)
        return before + text
