"""What the node does with its log: steps that follow from a seed, every payload different."""

from micropython import const

from model import APPEND, CHECKPOINT, CURSOR, PREPARE

_MASK = const(0x3FFFFFFF)
_PATTERN = bytes((i * 37) & 0xFF for i in range(1024))


class Script:
    """seed: which steps; life: 0..2, part of every payload; most: longest payload, bytes."""

    def __init__(self, seed, life, most):
        self._state = (seed * 7919 + life * 104729 + 12345) & _MASK
        self._tag = bytes((life, seed & 0xFF, seed >> 8 & 0xFF))
        self._count = 0
        self._most = most

    def _draw(self, below):
        self._state = (self._state * 1103515245 + 12345) & _MASK
        return (self._state >> 12) % below

    def next(self, model):
        """The next step, as a tuple that begins with what it is."""
        what = self._draw(12)
        if what < 5:
            return (APPEND, 1 if what < 3 else what - 1, self._payload(self._most))
        if what < 8:
            return (CHECKPOINT, self._payload(min(40, self._most)))
        if what < 10:
            sent = model.last - self._draw(3)
            return (CURSOR, what - 8, max(0, sent), max(0, sent - self._draw(3)))
        return (PREPARE,)

    def _payload(self, most):
        """Unique in its first five bytes; some end in ones, some in zeros."""
        self._count += 1
        head = self._tag + bytes((self._count & 0xFF, self._count >> 8))
        length = self._draw(most - 4)
        ending = self._draw(6)
        if ending < 2:
            return head + (b"\xff", b"\x00")[ending] * length
        at = self._draw(256) * 173 & 0xFF  # where the pattern has the number drawn: 37 * 173 = 1
        return head + _PATTERN[at : at + length]
