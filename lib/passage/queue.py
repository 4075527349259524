"""A bounded queue of passages between a detector and the counting. Headways between passages.

A full queue refuses the newest passage and counts it. A consumer so slow is a fault, and the fault
must show. A longer list would only hide it.
"""

from array import array
from time import ticks_add, ticks_diff

from micropython import const

_SIZE = const(32)
_HEADWAY_MAX_MS = const(3_600_000)

FORWARD, BACKWARD = 0, 1
PEDESTRIAN, BICYCLE, CAR, HEAVY, UNKNOWN = 0, 1, 2, 3, 4


class PassageQueue:
    """Holds up to 32 passages. `push` allocates nothing."""

    def __init__(self):
        self._kind = bytearray(_SIZE)  # direction * 8 + class
        self._speed = array("h", [0] * _SIZE)
        self._raw = array("h", [0] * _SIZE)
        self._front = array("i", [0] * _SIZE)
        self._occupied = array("i", [0] * _SIZE)
        self._head = 0
        self._count = 0
        self.refused = 0

    def __len__(self):
        return self._count

    def push(self, direction, cls, speed_dkmh, t_ms, occupied_ms=-1, *, raw_dkmh=-1):
        """Add a passage. t_ms: ticks at which its front was on the line.

        occupied_ms: time from there until its rear was on the line, -1 = not seen. raw_dkmh: the
        measured speed, without the correction for the angle, -1 = the same as speed_dkmh.
        """
        if self._count == _SIZE:
            self.refused += 1
            return
        i = (self._head + self._count) % _SIZE
        self._kind[i] = direction * 8 + cls
        self._speed[i] = speed_dkmh
        self._front[i] = t_ms
        self._raw[i] = speed_dkmh if raw_dkmh < 0 else raw_dkmh
        self._occupied[i] = occupied_ms
        self._count += 1

    def pop(self):
        """The oldest passage, or None.

        A passage is (direction, class, speed in 0.1 km/h or -1, ticks_ms, ms on the line or -1,
        measured speed).
        """
        if not self._count:
            return None
        i = self._head
        self._head = (i + 1) % _SIZE
        self._count -= 1
        kind = self._kind[i]
        front, occupied = self._front[i], self._occupied[i]
        return kind >> 3, kind & 7, self._speed[i], front, occupied, self._raw[i]


class Headway:
    """Headway and gap of each passage. Add passages in order, then read `headway` and `gap`.

    headway: from the front of the passage before, in the same direction, to this front. gap: from
    the rear of the passage before to this front. Both in ms, -1 = not known.
    """

    def __init__(self):
        self.headway = self.gap = -1
        self._rear = [0, 0]
        self.forget()

    def forget(self):
        """Road users may have passed unseen: the next passage has no headway."""
        self._front = [None, None]

    def add(self, direction, front, occupied):
        """front: ticks_ms. occupied: ms until the rear, -1 = not seen. None after an hour."""
        before = self._front[direction]
        headway = -1 if before is None else ticks_diff(front, before)
        if not 0 <= headway <= _HEADWAY_MAX_MS:
            headway = -1
        self.headway = headway
        self.gap = -1
        if headway >= 0 and occupied >= 0:
            self.gap = max(0, ticks_diff(front, self._rear[direction]))
        self._front[direction] = front
        self._rear[direction] = ticks_add(front, occupied)
