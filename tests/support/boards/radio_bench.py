"""An emulated transceiver on a bench: a clock that is moved by hand, SPI, lines, a far end."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from simulator.world.lorawan.radio_medium import RadioMedium, ReceivedFrame, Signal


class Bench:
    """now_us: the time. levels: of the chip's lines. edges: (time, line, level)."""

    def __init__(self) -> None:
        self.now_us = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.levels: dict[str, int] = {}
        self.edges: list[tuple[int, str, int]] = []
        self.medium = RadioMedium(self.call_at, random.Random(1))
        self.chip: Any = None

    def call_at(self, t_us: int, function: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(t_us, self.now_us), self._count, function))

    def line(self, name: str, level: int) -> None:
        self.levels[name] = level
        self.edges.append((self.now_us, name, level))

    def wait(self, us: int) -> None:
        until = self.now_us + us
        while self._events and self._events[0][0] <= until:
            self.now_us, _, function = heapq.heappop(self._events)
            function()
        self.now_us = until

    def power(self) -> None:
        self.chip.reset(0)
        self.chip.reset(1)
        self.wait(10_000)

    def send(self, text: str, settle_us: int = 10_000) -> bytes:
        """One transaction. Returns the bytes that came back."""
        self.chip.select(0)
        answer: bytes = self.chip.transfer(bytes.fromhex(text))
        self.chip.select(1)
        self.wait(settle_us)
        return answer

    def rises(self, name: str) -> list[int]:
        return [t for t, line, level in self.edges if line == name and level]


class SignalRecorder:
    """Keeps every signal that reaches it."""

    name = "far end"

    def __init__(self, medium: RadioMedium) -> None:
        self.signals: list[Signal] = []
        self.heard: list[ReceivedFrame] = []
        medium.join(self)

    def begins(self, signal: Signal) -> None:
        self.signals.append(signal)
