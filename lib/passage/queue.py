"""A bounded queue of passages between a detector and the counting; and who follows whom.

When the queue is full the newest is refused and counted: a consumer that slow is a fault to be
seen, not something to grow a list over.
"""

from array import array
from time import ticks_add, ticks_diff

from micropython import const

_SIZE = const(32)
_LONGEST_MS = const(3_600_000)  # after an hour nobody follows anybody

FORWARD, BACKWARD = 0, 1
PEDESTRIAN, BICYCLE, CAR, HEAVY, UNKNOWN = 0, 1, 2, 3, 4


class PassageQueue:
    """Holds up to 32 passages; `put` allocates nothing."""

    def __init__(self):
        self._what = bytearray(_SIZE)  # direction * 8 + class
        self._speed = array("h", [0] * _SIZE)
        self._raw = array("h", [0] * _SIZE)
        self._when = array("i", [0] * _SIZE)
        self._occupied = array("i", [0] * _SIZE)
        self._head = 0
        self._count = 0
        self.refused = 0

    def __len__(self):
        return self._count

    def put(self, direction, cls, speed_dkmh, t_ms, occupied_ms=-1, *, raw_dkmh=-1):
        """t_ms: ticks of the front on the line. occupied_ms: until its rear was, -1 = not seen.

        raw_dkmh: the speed as it was measured, before any angle was allowed for, -1 = the same.
        """
        if self._count == _SIZE:
            self.refused += 1
            return
        i = (self._head + self._count) % _SIZE
        self._what[i] = direction * 8 + cls
        self._speed[i] = speed_dkmh
        self._when[i] = t_ms
        self._raw[i] = speed_dkmh if raw_dkmh < 0 else raw_dkmh
        self._occupied[i] = occupied_ms
        self._count += 1

    def pop(self):
        """The oldest passage, or None.

        As (direction, class, speed in 0.1 km/h or -1, ticks_ms, ms on the line or -1, speed as
        it was measured).
        """
        if not self._count:
            return None
        i = self._head
        self._head = (i + 1) % _SIZE
        self._count -= 1
        what = self._what[i]
        when, occupied = self._when[i], self._occupied[i]
        return what >> 3, what & 7, self._speed[i], when, occupied, self._raw[i]


class Follow:
    """Give it passages in order; then `headway` and `gap` hold the last one's, ms, -1 = none.

    Headway: from front to front. Gap: from the rear of the one before to the front.
    """

    def __init__(self):
        self.headway = self.gap = -1
        self._rear = [0, 0]
        self.forget()

    def forget(self):
        """Somebody may have passed unseen: nobody is followed any more."""
        self._front = [None, None]

    def add(self, way, front, occupied):
        """way: direction. front: ticks_ms. occupied: ms until the rear, -1 = not seen."""
        before = self._front[way]
        headway = -1 if before is None else ticks_diff(front, before)
        if not 0 <= headway <= _LONGEST_MS:
            headway = -1
        self.headway = headway
        self.gap = -1
        if headway >= 0 and occupied >= 0:
            self.gap = max(0, ticks_diff(front, self._rear[way]))
        self._front[way] = front
        self._rear[way] = ticks_add(front, occupied)
