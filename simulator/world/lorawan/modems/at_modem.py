"""Common parts of the emulated modems: bytes in, lines out at their times, and faults on demand.

A subclass carries out commands: `command(t, text)` emits lines. A modem is a `Detector` of the
kernel: its output is known ahead, until it gets bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import random
from bisect import bisect_right, insort
from dataclasses import dataclass
from operator import itemgetter

from simulator.world.lorawan.modems.mac import Mac
from simulator.world.protocol import Input

UART = 2
DELAY_US = 8_000  # from the end of a command to its answer
BOOT_US = 900_000
DELAY_MAX_US = 3_000_000


@dataclass
class ModemFaults:
    """echo: commands come back. restart: share of commands in whose middle the modem restarts.
    deaf: share of commands that it ignores. busy: share of sends and joins refused without a
    reason. silent: it says and does nothing. late, split, glued, noise: shares of output lines
    that come late, in two pieces, without a gap to the next line, or with noise in front.
    """

    echo: bool = False
    late: float = 0.0
    split: float = 0.0
    glued: float = 0.0
    noise: float = 0.0
    restart: float = 0.0
    deaf: float = 0.0
    busy: float = 0.0
    silent: bool = False


class Modem(ABC):
    """baud: of its UART. uart: its number on the board. commands: every command with its time.
    restarts: so far.
    """

    BAUD = 9600
    BANNER: tuple[str, ...] = ()

    def __init__(self, mac: Mac, rng: random.Random, faults: ModemFaults | None = None) -> None:
        self.mac = mac
        self.uart = UART
        self.faults = faults or ModemFaults()
        self.commands: list[tuple[int, str]] = []
        self.restarts = 0
        self._rng = rng
        self._line = b""
        self._output: list[Input] = []
        self._busy_us = 0  # a transaction is under way until then
        self._down_us = -1  # a restart is under way until then

    # --- for a subclass

    @abstractmethod
    def command(self, t_us: int, text: str) -> None:
        """Carry out a command. `emit` its answer."""

    def reset_state(self) -> None:  # noqa: B027
        """Forget the state that a restart loses besides the session."""

    # --- the kernel's side

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        first = bisect_right(self._output, t0_us, key=itemgetter(0))
        last = bisect_right(self._output, t1_us, key=itemgetter(0))
        return self._output[first:last][:limit]

    def power(self, t_us: int, on: bool) -> None:
        self._output = [item for item in self._output if item[0] <= t_us]
        self._line = b""
        if on:
            self._restart(t_us)

    def write(self, t_us: int, data: bytes) -> list[Input]:
        self._output = [item for item in self._output if item[0] > t_us - DELAY_MAX_US]
        for byte in data:
            if byte in b"\r\n":
                line, self._line = self._line, b""
                if line:
                    self._receive_line(t_us, line)
            elif len(self._line) < 600:
                self._line += bytes([byte])
        return []

    # --- commands and output

    def restart_at(self, t_us: int) -> None:
        """Restart in the middle of a command."""
        self._output = [item for item in self._output if item[0] < t_us]
        self._restart(t_us)

    def _restart(self, t_us: int) -> None:
        self.restarts += 1
        self.mac.restart()
        self.reset_state()
        self._busy_us = self._down_us = t_us + BOOT_US
        for text in self.BANNER:
            self.emit(self._down_us, text)

    def _receive_line(self, t_us: int, line: bytes) -> None:
        faults, rng = self.faults, self._rng
        text = line.decode("ascii", "replace")
        self.commands.append((t_us, text))
        if faults.silent or t_us < self._down_us or rng.random() < faults.deaf:
            return
        if faults.echo:
            self.emit(t_us + 1000, text)
        self.command(t_us + DELAY_US, text)
        if rng.random() < faults.restart:
            self.restart_at(t_us + rng.randrange(1000, 4_000_000))

    def is_busy(self, t_us: int) -> bool:
        """Whether a transaction is under way, or the fault `busy` strikes."""
        return t_us < self._busy_us or self._rng.random() < self.faults.busy

    def set_busy_until(self, until_us: int) -> None:
        self._busy_us = until_us

    def emit(self, t_us: int, text: str) -> None:
        """Send a line, with the line's faults."""
        faults, rng = self.faults, self._rng
        data = text.encode() + b"\r\n"
        if rng.random() < faults.noise:
            data = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 30))) + b"\r\n" + data
        if rng.random() < faults.late:
            t_us += rng.randrange(DELAY_MAX_US)
        if rng.random() < faults.glued and self._output:
            t_us = max(t_us, self._output[-1][0])
        t_us += len(data) * 10_000_000 // self.BAUD
        at = rng.randrange(1, len(data)) if rng.random() < faults.split else 0
        if at:
            self._queue(t_us, data[:at])
            self._queue(t_us + 30_000, data[at:])
        else:
            self._queue(t_us, data)

    def _queue(self, t_us: int, data: bytes) -> None:
        # One wire keeps the order of the output.
        if self._output:
            t_us = max(t_us, self._output[-1][0] + 1)
        insort(self._output, (t_us, self.uart, data), key=itemgetter(0))
