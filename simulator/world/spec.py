"""What may be around a node, as the kernel knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from simulator.world.protocol import Input

WINDOW_US = 60_000_000  # the longest grant


@dataclass
class NodeSpec:
    """What is drawn for a node. Times in microseconds since the scenario's start.

    power_cuts: request numbers (counted over all lives) at which the power fails for `cut_off_us`.
    power_off: (start, length) of planned outages. rtc_steps: (time, seconds), a reset after which
    the real-time clock shows so much more. drift_ppb: the crystal's error.
    window_us: the longest grant; short when the node must keep step with real time.
    rot: (offset, length, bits) of flash: that many of its bits turn over at each power cut.
    chip: what differs between them is there or not, as on the chip. mac: of its station.
    """

    name: str
    flash_path: Path
    start_utc: int
    seed: int
    heap: str = "192k"
    chip: str = "esp32"
    mac: bytes = bytes.fromhex("246f28000001")
    power_cuts: list[int] = field(default_factory=list)
    power_off: list[tuple[int, int]] = field(default_factory=list)
    rtc_steps: list[tuple[int, int]] = field(default_factory=list)
    cut_off_us: int = 3_000_000
    rot: tuple[int, int, int] = (0, 0, 0)
    drift_ppb: int = 12_000
    window_us: int = WINDOW_US


class Detector(Protocol):
    """A sensor on the node's pins; the README of this folder has the contract."""

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]: ...

    def write(self, t_us: int, data: bytes) -> list[Input]: ...

    def power(self, t_us: int, on: bool) -> None: ...


class Console(Protocol):
    """Whatever is on the console's port; a person, for one, who lives in real time."""

    name: str  # the board's, for the banner

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        """Hold the node back to the pace of the line; return what was typed, a little."""

    def horizon_us(self, now_us: int) -> int:
        """How far the node may run ahead alone."""

    def set_interrupt_char(self, char: int) -> None:
        """From now on this character interrupts; 0xFF for none."""

    def interrupt_requested(self) -> bool:
        """Asked when the node computes for long: does that character wait?"""

    def write(self, data: bytes) -> None:
        """What the node sends."""


class Observer(Protocol):
    """Sees what a node does, from outside."""

    def on(self, kind: str, t_us: int, data: bytes | str) -> None: ...
