"""Common parts of the emulated transceivers: their lines, and the analogue half with the radio
medium.

A chip is emulated at its pins: it sees chip select, SPI bytes and reset, and moves its lines. It
never guesses the driver's intention. Actions that the data sheet forbids go to the list of
violations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Protocol

from simulator.world.lorawan.radio_medium import RadioMedium, ReceivedFrame, ReceiveWindow, Signal

HEADER = 4.25 + 8  # symbols from the preamble to the end of the header


class Host(Protocol):
    """The board that a chip sits on."""

    @property
    def now_us(self) -> int: ...

    def call_at(self, t_us: int, function: Callable[[], None]) -> None: ...

    def line(self, name: str, level: int) -> None:
        """A line of the chip has changed."""


class Transceiver(ABC):
    """The half of a chip that is on air. name: of the sender."""

    def __init__(self, name: str, host: Host, medium: RadioMedium) -> None:
        self.name = name
        self.host = host
        self.medium = medium
        self.violations: list[str] = []
        self.windows: list[ReceiveWindow] = []  # every one that was opened
        self.false_locks = 0  # number of windows that will lock on noise and stay silent
        self._listening: ReceiveWindow | None = None
        self._locked_signal: Signal | None = None
        self._task = 0  # a later operation cancels an earlier one
        self._lines: dict[str, int] = {}
        medium.join(self)

    # --- for the chips

    def violation(self, text: str) -> None:
        self.violations.append(f"{self.host.now_us}: {text}")

    def line(self, name: str, level: int) -> None:
        if self._lines.get(name, 0) != level:
            self._lines[name] = level
            self.host.line(name, level)

    def lines(self) -> dict[str, int]:
        return dict(self._lines)

    def after(self, delay_us: int, function: Callable[[], None]) -> None:
        """Call a function later, unless the chip has aborted its operation by then."""
        self.host.call_at(
            self.host.now_us + delay_us, partial(self._unless_aborted, self._task, function)
        )

    def _unless_aborted(self, task: int, function: Callable[[], None]) -> None:
        if task == self._task:
            function()

    def abort(self) -> None:
        """Stop transmitting, listening and receiving."""
        self._task += 1
        self._listening = self._locked_signal = None

    def send(self, signal: Signal, done: Callable[[], None]) -> None:
        self.medium.send(signal)
        self.after(signal.end_us() - self.host.now_us, done)

    def listen(self, window: ReceiveWindow) -> None:
        """The receiver is on. `on_timeout` or `received` follows."""
        self._listening = window
        self.windows.append(window)
        if window.close_us is not None:
            self.after(window.close_us - self.host.now_us, self._window_ended)
        for signal in self.medium.audible_signals(self.host.now_us, self.name):
            self.begins(signal)

    @abstractmethod
    def on_header(self) -> None: ...

    @abstractmethod
    def on_timeout(self) -> None: ...

    @abstractmethod
    def received(self, frame: ReceivedFrame) -> None: ...

    # --- the radio medium

    def begins(self, signal: Signal) -> None:
        window = self._listening
        if window is None or not self.medium.is_audible(signal):
            return
        lock_us = window.locks_us(signal)
        if lock_us is not None:
            self.after(lock_us - self.host.now_us, lambda: self._lock(signal))

    def _lock(self, signal: Signal) -> None:
        if self._locked_signal is None:
            self._locked_signal = signal
            header_us = signal.begin_us + round(
                (signal.preamble + HEADER) * signal.modulation.symbol_us()
            )
            self.after(header_us - self.host.now_us, self.on_header)
            self.after(signal.end_us() - self.host.now_us, lambda: self._end(signal))

    def _window_ended(self) -> None:
        if self._locked_signal is None and self.false_locks:
            self.false_locks -= 1
        elif self._locked_signal is None:
            self.on_timeout()

    def _end(self, signal: Signal) -> None:
        self.received(self.medium.receive(signal))
