"""A bounded queue of passages between a detector and the counting.

When it is full the newest is refused and counted: a consumer that slow is a fault to be seen, not
something to grow a list over.
"""

from array import array

from micropython import const

_SIZE = const(32)

FORWARD, BACKWARD = 0, 1
PEDESTRIAN, BICYCLE, CAR, HEAVY, UNKNOWN = 0, 1, 2, 3, 4


class PassageQueue:
    """Holds up to 32 passages; `put` allocates nothing."""

    def __init__(self):
        self._what = bytearray(_SIZE)  # direction * 8 + class
        self._speed = array("h", [0] * _SIZE)
        self._when = array("i", [0] * _SIZE)
        self._occupied = array("i", [0] * _SIZE)
        self._head = 0
        self._count = 0
        self.refused = 0

    def __len__(self):
        return self._count

    def put(self, direction, cls, speed_dkmh, t_ms, occupied_ms=-1):
        """t_ms: ticks of the front on the line. occupied_ms: until its rear was, -1 = not seen."""
        if self._count == _SIZE:
            self.refused += 1
            return
        i = (self._head + self._count) % _SIZE
        self._what[i] = direction * 8 + cls
        self._speed[i] = speed_dkmh
        self._when[i] = t_ms
        self._occupied[i] = occupied_ms
        self._count += 1

    def pop(self):
        """The oldest passage, or None.

        As (direction, class, speed in 0.1 km/h or -1, ticks_ms, ms on the line or -1).
        """
        if not self._count:
            return None
        i = self._head
        self._head = (i + 1) % _SIZE
        self._count -= 1
        what = self._what[i]
        return what >> 3, what & 7, self._speed[i], self._when[i], self._occupied[i]
