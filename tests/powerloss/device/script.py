"""Steps of a node that uses its log. They follow from a seed, and every payload is different."""

from micropython import const

from model import APPEND, CHECKPOINT, CURSOR, PREPARE

_MASK = const(0x3FFFFFFF)
_PATTERN = bytes((i * 37) & 0xFF for i in range(1024))


class Script:
    """seed: of the steps. life: 0..2, part of every payload. payload_max: bytes."""

    def __init__(self, seed, life, payload_max):
        self._state = (seed * 7919 + life * 104729 + 12345) & _MASK
        self._tag = bytes((life, seed & 0xFF, seed >> 8 & 0xFF))
        self._count = 0
        self._payload_max = payload_max

    def _draw(self, below):
        self._state = (self._state * 1103515245 + 12345) & _MASK
        return (self._state >> 12) % below

    def next(self, model):
        """The next step, a tuple that begins with its kind."""
        draw = self._draw(12)
        if draw < 5:
            return (APPEND, 1 if draw < 3 else draw - 1, self._payload(self._payload_max))
        if draw < 8:
            return (CHECKPOINT, self._payload(min(40, self._payload_max)))
        if draw < 10:
            sent = model.last - self._draw(3)
            return (CURSOR, draw - 8, max(0, sent), max(0, sent - self._draw(3)))
        return (PREPARE,)

    def _payload(self, bytes_max):
        """A payload with unique first five bytes. Some end in ones, some in zeros."""
        self._count += 1
        head = self._tag + bytes((self._count & 0xFF, self._count >> 8))
        length = self._draw(bytes_max - 4)
        ending = self._draw(6)
        if ending < 2:
            return head + (b"\xff", b"\x00")[ending] * length
        # The pattern has the drawn number here, because 37 * 173 = 1 modulo 256.
        at = self._draw(256) * 173 & 0xFF
        return head + _PATTERN[at : at + length]
