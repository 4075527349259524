"""Observes a node from outside: the trace, its passages, its boots and connections."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import IO

from simulator.run.checkers.decode import (
    CLASSES, DIRECTIONS, INTERVAL, SECTOR, SMALL_SECTORS, Record, entry, record, rtc_copy,
)  # fmt: skip

_BOOT = re.compile(r" boot (\d+) on ")
_TEXT = ("log", "boot", "net:open", "net:close", "net:resolve")


@dataclass(frozen=True)
class Passage:
    """A passage: time (us), direction, class, speed (km/h, -1 = not known)."""

    t_us: int
    direction: str
    cls: str
    kmh: float = -1.0


@dataclass
class ConnectionSpan:
    """A TCP connection of the node: opened, last received, closed (-1: still open), in us."""

    opened_us: int
    heard_us: int
    silent_us: int = 0  # the longest time without a received byte
    closed_us: int = -1

    def note_bytes(self, t_us: int) -> None:
        self.silent_us = max(self.silent_us, t_us - self.heard_us)
        self.heard_us = t_us


def _grown(old: list[int], new: list[int]) -> list[int]:
    """By how much each total has grown by passages.

    When an interval with few road users is closed, their numbers move to the class unknown. That
    is no passage.
    """
    more = [b - a for a, b in zip(old, new, strict=True)]
    for first in (0, 5):
        more[first + 4] += sum(min(0, n) for n in more[first : first + 4])
    return more


class NodeObserver:
    """An observer of the kernel. The node writes its open interval to RTC memory at every passage.
    The differences are the passages that it has counted, one by one, without asking the firmware.
    """

    def __init__(self, ring: tuple[int, int], trace: IO[bytes] | None = None) -> None:
        """ring: offset and size of the log's partition."""
        self._log_from = ring[0] + SMALL_SECTORS * SECTOR
        self._log_to = ring[0] + ring[1]
        self._hash = hashlib.sha256()
        self._trace = trace
        self._totals: list[int] | None = None
        self._speeds = [(0, 0), (0, 0)]
        self.passages: list[Passage] = []
        self.closed: dict[int, Record] = {}  # by number, as they were programmed
        self.closed_us: dict[int, int] = {}  # when
        self.noted: dict[int, int] = {}  # number of passages noted when it was closed
        self.rewritten: list[int] = []  # numbers used twice, with other contents
        self.alive: list[list[int]] = []  # [from, to] in us; to = -1 while alive
        self.boots = 0
        self.boot_us: dict[int, int] = {}  # start of the boot with this number
        self.cuts = 0
        self.cuts_us: list[int] = []
        self.connections: list[ConnectionSpan] = []
        self.attempts: list[tuple[int, str]] = []  # to connect: time, outcome
        self.resets: dict[str, int] = {}
        self.faults: list[str] = []
        self.console: list[str] = []
        self.written: list[str] = []  # to the console, as it came

    def on(self, kind: str, t_us: int, data: bytes | str) -> None:
        raw = data.encode() if isinstance(data, str) else data
        line = b"%d %s " % (t_us, kind.encode()) + raw
        self._hash.update(line)
        if self._trace:
            self._trace.write(b"%d %s %s\n" % (t_us, kind.encode(), _shown(kind, raw)))
        if kind == "rtc":
            self._rtc(t_us, raw)
        elif kind in ("flash:program", "flash:torn"):  # a torn one may be complete
            self._programmed(t_us, int.from_bytes(raw[:4], "little"), raw[4:])
        elif kind == "boot":
            self.boots += 1
            self._totals = None
            self.alive.append([t_us, -1])
        elif kind.startswith("net:"):
            self._network(kind, t_us, raw)
        elif kind == "log":
            self._console(t_us, raw.decode(errors="replace"))
        elif kind == "cut" or kind.startswith(("reset", "exit")):
            self._down(kind, t_us)

    def _programmed(self, t_us: int, offset: int, data: bytes) -> None:
        """Note a record that has just been closed."""
        if not self._log_from <= offset < self._log_to:
            return
        found = entry(data)
        if found is None or found[1] != INTERVAL:
            return
        number, _, payload = found
        closed = record(payload)
        self.closed_us.setdefault(number, t_us)
        self.noted.setdefault(number, len(self.passages))
        if self.closed.setdefault(number, closed) != closed:
            self.rewritten.append(number)

    def _rtc(self, t_us: int, data: bytes) -> None:
        copy = rtc_copy(data)
        if copy is None:
            return
        if self._totals is not None:
            for slot, more in enumerate(_grown(self._totals, copy.totals)):
                if more > 0:
                    kmh = self._speed(slot // 5, copy) if more == 1 else -1.0
                    direction, what = DIRECTIONS[slot // 5], CLASSES[slot % 5]
                    self.passages += [Passage(t_us, direction, what, kmh)] * more
        self._totals = copy.totals
        self._speeds = copy.speeds

    def _speed(self, direction: int, copy: Record) -> float:
        """Speed of one more passage than before: the growth of the sum of speeds."""
        is_first = sum(copy.counts) == 1  # of its interval
        old_sum, old_n = (0, 0) if is_first else self._speeds[direction]
        new_sum, new_n = copy.speeds[direction]
        return (new_sum - old_sum) / 10 if new_n == old_n + 1 else -1.0

    def _network(self, kind: str, t_us: int, data: bytes) -> None:
        line = (
            self.connections[-1]
            if self.connections and self.connections[-1].closed_us < 0
            else None
        )
        if kind == "net:open":
            self.attempts.append((t_us, data.decode()))
            if data == b"ok":
                self.connections.append(ConnectionSpan(t_us, t_us))
        elif line and kind in ("net:rx", "net:close"):
            line.note_bytes(t_us)
            if kind == "net:close":
                line.closed_us = t_us

    def _console(self, t_us: int, text: str) -> None:
        self.written.append(text)
        self.console.append(f"{t_us / 1e6:.1f} {text.rstrip()}")
        if named := _BOOT.search(text):
            self.boot_us.setdefault(int(named[1]), self.alive[-1][0])
        if "Traceback" in text or " error fault" in text:
            self.faults.append(text.strip().splitlines()[-1])

    def _down(self, kind: str, t_us: int) -> None:
        if self.alive and self.alive[-1][1] < 0:
            self.alive[-1][1] = t_us
        self._network("net:close", t_us, b"")
        if kind == "cut":
            self.cuts += 1
            self.cuts_us.append(t_us)
        self.resets[kind] = self.resets.get(kind, 0) + 1

    def alive_us(self, start_us: int, end_us: int) -> int:
        """How long the node had power in a span."""
        total = 0
        for start, end in self.alive:
            stop = end if end >= 0 else end_us
            total += max(0, min(stop, end_us) - max(start, start_us))
        return total

    def digest(self) -> str:
        return self._hash.hexdigest()


def _shown(kind: str, data: bytes) -> bytes:
    return data.rstrip() if kind in _TEXT else data.hex().encode()
