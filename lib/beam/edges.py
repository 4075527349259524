"""Edges of light barriers: stored in interrupts, cleaned into occlusions.

On the ESP32 pin handlers are scheduled. At most eight wait, and any more are lost in silence. So
the handler only stores time, beam and level. Two equal levels in a row prove that an edge was
lost, and are counted.
"""

import time
from array import array

from micropython import const

_EDGES = const(256)  # a power of two
_OCCLUSIONS = const(8)
_COUNTER = const(32767)
_BLOCKED_MS = const(60_000)  # a shorter stop of a car or a person is no fault
_CLEAR_MS = const(2_000)

_DOUBT_MAX = const(15)  # more than a branch in the wind makes between two passages

UNKNOWN, OK, BLOCKED, MISALIGNED = 0, 1, 4, 5  # states of a detector


class EdgeLog:
    """A ring of edges with one writer (the interrupts) and one reader. Times in ticks_us."""

    def __init__(self):
        self._when = array("i", [0] * _EDGES)
        self._edge = bytearray(_EDGES)  # beam * 2 + level
        self._written = 0  # written by the interrupt only
        self._read = 0  # written by `next` only
        self.seen = array("I", (0, 0))  # edges that reached the interrupt, by beam
        self.overflow = 0  # written by the interrupt only
        self.when = self.beam = self.level = 0

    def store(self, beam, level):
        """Interrupt: no allocation, no exception, no I/O."""
        self.seen[beam] += 1
        if self._written - self._read >= _EDGES:
            self.overflow += 1
            return
        i = self._written & (_EDGES - 1)
        self._when[i] = time.ticks_us()
        self._edge[i] = beam * 2 + level
        self._written += 1

    def next(self):
        """Read the oldest edge into when, beam and level. False if there is none."""
        if self._read == self._written:
            return False
        i = self._read & (_EDGES - 1)
        self.when = self._when[i]
        self.beam = self._edge[i] >> 1
        self.level = self._edge[i] & 1
        self._read += 1
        return True


class Hardware:
    """Pulse counters beside the interrupts: they count the edges that the interrupts miss.

    counters: one a beam. `value()` counts both edges and begins again at 0 after 32766. None =
    this board has none.
    """

    def __init__(self, counters):
        self._counters = counters or ()
        self._last = [counter.value() for counter in self._counters]
        self.edges = [0] * len(self._last)

    def lost(self, seen):
        """Edges that never reached the interrupt, None without counters."""
        if not self._counters:
            return None
        for i, counter in enumerate(self._counters):
            value = counter.value()
            self.edges[i] += (value - self._last[i]) % _COUNTER
            self._last[i] = value
        return max(0, sum(self.edges) - sum(seen))


class Monitor:
    """State of the barriers.

    Blocked once a beam was broken for a minute, ok again two seconds after it is clear.
    Misaligned if, again and again, one beam is broken and the other is not. Road users are then
    missed.
    """

    def __init__(self):
        self.changed_ms = time.ticks_ms()
        self.state = OK
        self._doubt = 0

    def update(self, blocked, now_ms):
        quiet_ms = time.ticks_diff(now_ms, self.changed_ms)
        if blocked and quiet_ms > _BLOCKED_MS:
            self.state = BLOCKED
        elif not blocked and self.state == BLOCKED and quiet_ms > _CLEAR_MS:
            self.state = OK

    def note(self, both):
        """Both beams were broken one after the other, or one beam alone."""
        self._doubt = max(0, self._doubt - 3) if both else min(_DOUBT_MAX, self._doubt + 1)
        if self._doubt == _DOUBT_MAX and self.state == OK:
            self.state = MISALIGNED
        elif self._doubt == 0 and self.state == MISALIGNED:
            self.state = OK


class Beam:
    """One barrier: turns edges into occlusions (start, end) and merges short gaps.

    debounce_us: shortest occlusion. merge_us: longest gap within an occlusion (legs, spokes).
    Finished occlusions wait in a queue of 8. A full queue drops its oldest.
    """

    def __init__(self, debounce_us, merge_us):
        self._debounce_us = debounce_us
        self._merge_us = merge_us
        self._queue = array("i", [0] * (2 * _OCCLUSIONS))
        self._head = 0
        self.count = 0
        self.blocked = False
        self.open = False  # an occlusion has begun and is not finished
        self.start = self.end = 0
        self.lost_edges = 0

    def edge(self, blocked, when):
        if blocked == self.blocked:
            self.lost_edges += 1
            return
        self.blocked = blocked
        if not blocked:
            self.end = when
            return
        if self.open and time.ticks_diff(when, self.end) > self._merge_us:
            self._finish()
        if not self.open:
            self.open = True
            self.start = when

    def settle(self, now_us):
        """Finish the occlusion once the beam was clear for longer than merge_us."""
        if self.open and not self.blocked:
            if time.ticks_diff(now_us, self.end) > self._merge_us:
                self._finish()

    def _finish(self):
        self.open = False
        if time.ticks_diff(self.end, self.start) < self._debounce_us:
            return
        if self.count == _OCCLUSIONS:
            self.pop()
        i = (self._head + self.count) % _OCCLUSIONS * 2
        self._queue[i] = self.start
        self._queue[i + 1] = self.end
        self.count += 1

    def front(self):
        """Start of the oldest finished occlusion."""
        return self._queue[self._head * 2]

    def rear(self):
        """End of the oldest finished occlusion."""
        return self._queue[self._head * 2 + 1]

    def gap(self, now_us):
        """Time that the beam was clear after the oldest finished occlusion, at most until now."""
        if self.count > 1:
            now_us = self._queue[(self._head + 1) % _OCCLUSIONS * 2]
        elif self.open:
            now_us = self.start
        return time.ticks_diff(now_us, self.rear())

    def merge(self):
        """Make one of the two oldest finished occlusions."""
        start = self.front()
        self.pop()
        self._queue[self._head * 2] = start

    def pop(self):
        """Drop the oldest finished occlusion."""
        self._head = (self._head + 1) % _OCCLUSIONS
        self.count -= 1
