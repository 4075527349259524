"""Passages from the distances in two zones that lie side by side along the path.

Each zone learns the distance to what lies behind the path. A zone is occupied while something is
nearer than that by an eighth, and by 150 mm. A road user that occupies A first and B last has
passed forward. One that leaves on the side from which it came has turned back. Several that
follow each other so closely that no zone becomes free between them are one.

A background that is farther than the learned one for 3 s replaces it: a person stood there at the
start. Nothing in reach counts as `FAR_MM`. Units: mm, ms.
"""

from time import ticks_add, ticks_diff

from micropython import const

from passage.queue import BACKWARD, FORWARD, UNKNOWN, PassageQueue

FAR_MM = const(4000)
_NEARER_MIN_MM = const(150)
_LEARN_MS = const(3000)
_SLOWLY = const(6)  # shift: 64 measurements change the background by what they differ


class Zone:
    """Distance behind the path, and whether something is in front of it."""

    def __init__(self):
        self.background = 0  # not known yet
        self.distance = FAR_MM
        self.occupied = False
        self.changes = 0
        self._farther_ms = -1  # since when the distance is farther than the background

    def measure(self, distance, now_ms):
        """Take a distance. True if the zone became occupied or free."""
        self.distance = distance
        background = self.background
        if not background:
            self.background = distance
            return False
        margin = max(_NEARER_MIN_MM, background >> 3)
        if distance > background + margin:
            self._follow(distance, now_ms)
        else:
            self._farther_ms = -1
            if distance >= background - margin:
                self.background += (distance - background) >> _SLOWLY
        was = self.occupied
        self.occupied = distance < background - margin
        self.changes += was != self.occupied
        return was != self.occupied

    def _follow(self, distance, now_ms):
        if self._farther_ms < 0:
            self._farther_ms = now_ms
        elif ticks_diff(now_ms, self._farther_ms) >= _LEARN_MS:
            self.background, self._farther_ms = distance, -1


class Zones:
    """Two zones, A first for `forward`, and the passages through them."""

    def __init__(self):
        self.queue = PassageQueue()
        self.pair = (Zone(), Zone())
        self.turned_back = 0
        self.since_ms = -1  # when the first zone became occupied, -1 = both are free
        self._first = self._last = 0  # bits of the occupied zones: A 1, B 2
        self._seen = 0

    def measure(self, i, distance, now_ms):
        """Take a distance of zone i, 0 = A."""
        if not self.pair[i].measure(distance, now_ms):
            return
        bits = self.pair[0].occupied | self.pair[1].occupied << 1
        if bits:
            if self.since_ms < 0:
                self.since_ms, self._first, self._seen = now_ms, bits, 0
            self._seen |= bits
            self._last = bits
            return
        self._pass(now_ms)
        self.since_ms = -1

    def _pass(self, now_ms):
        """Both zones have become free."""
        if self._seen != 3 or self._first == self._last or 3 in (self._first, self._last):
            self.turned_back += 1
            return
        direction = FORWARD if self._first == 1 else BACKWARD
        on_line_ms = ticks_diff(now_ms, self.since_ms)
        when = ticks_add(now_ms, -on_line_ms)
        self.queue.push(direction, UNKNOWN, -1, when, on_line_ms)
