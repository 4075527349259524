"""Who follows whom: headway and gap of each passage to the one before it in its direction."""

from time import ticks_add, ticks_diff

from micropython import const

_LONGEST_MS = const(3_600_000)  # after an hour nobody follows anybody


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
