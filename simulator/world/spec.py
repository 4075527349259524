"""The parts around a node, as the kernel knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from simulator.world.protocol import Input

WINDOW_US = 60_000_000  # the longest grant
HEAP_PSRAM = "2m"
HEAP = "384k"  # of the interpreter: more than a chip can need. `memory.py` limits it.


@dataclass
class StorageFaults:
    """Spans (from, to in microseconds) in which storage takes no writes.

    nvs: NVS answers that it is full. ring: the flash of the log, `area` (offset, length), stays as
    it is, as a write-protected chip does. The driver reports no error.
    """

    nvs: list[tuple[int, int]] = field(default_factory=list)
    ring: list[tuple[int, int]] = field(default_factory=list)
    area: tuple[int, int] = (0, 0)

    def nvs_is_full(self, t_us: int) -> bool:
        return any(start <= t_us < end for start, end in self.nvs)

    def is_protected(self, offset: int, t_us: int) -> bool:
        """Whether the flash at `offset` keeps what it has."""
        start, length = self.area
        return start <= offset < start + length and any(a <= t_us < b for a, b in self.ring)


@dataclass
class NodeSpec:
    """The plan of one node. Times are in microseconds since the scenario's start.

    power_cuts: request numbers, counted over all boots, at which the power fails for `cut_off_us`.
    power_off: (start, length) of planned outages. rtc_steps: (time, seconds), a reset after which
    the real-time clock shows that many seconds more. drift_ppb: error of the crystal. window_us:
    longest grant, short if the node must follow real time. rot: (offset, length, bits) of flash,
    that many bits of it flip at each power cut. storage_faults: see there. chip: decides which
    peripherals exist, and with psram how much memory. mac: of the Wi-Fi station.
    """

    name: str
    flash_path: Path
    start_utc: int
    seed: int
    heap: str = HEAP
    chip: str = "esp32"
    psram: bool = False
    mac: bytes = bytes.fromhex("246f28000001")
    power_cuts: list[int] = field(default_factory=list)
    power_off: list[tuple[int, int]] = field(default_factory=list)
    rtc_steps: list[tuple[int, int]] = field(default_factory=list)
    cut_off_us: int = 3_000_000
    rot: tuple[int, int, int] = (0, 0, 0)
    storage_faults: StorageFaults = field(default_factory=StorageFaults)
    drift_ppb: int = 12_000
    window_us: int = WINDOW_US

    def __post_init__(self) -> None:
        if self.psram:
            self.heap = HEAP_PSRAM


class Detector(Protocol):
    """A sensor on the node's pins. `simulator/world/README.md` has the contract."""

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]: ...

    def write(self, t_us: int, data: bytes) -> list[Input]: ...

    def power(self, t_us: int, on: bool) -> None: ...


class Console(Protocol):
    """The other end of the console's line, for example a person in real time."""

    name: str  # the board's, for the banner

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        """Hold the node back to the pace of the line. Return a few of the typed bytes."""

    def horizon_us(self, now_us: int) -> int:
        """The time up to which the node may run ahead alone."""

    def set_interrupt_char(self, char: int) -> None:
        """From now on this character interrupts a program. 0xFF means none."""

    def interrupt_requested(self) -> bool:
        """Asked while the node computes for a long time: is the interrupt character waiting?"""

    def write(self, data: bytes) -> None:
        """Bytes that the node sends."""


class Observer(Protocol):
    """Sees everything that a node does, from outside."""

    def on(self, kind: str, t_us: int, data: bytes | str) -> None: ...
