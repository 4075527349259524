"""Crafted headers and entries with right CRCs, and damage, in the flash under a ring log.

Each input opens the log, reads all that it may hold, and appends to it.
"""

import random
import struct
from binascii import crc32

from inputs import chance, main, pick
from nor import Nor
from ring import EVENT, INTERVAL, Ring
from ring.region import RingError

_SECTORS = 8  # two of them are the small region
_SMALL = 2
_READS_MAX = 4000  # of the flash, for one call
_NUMBERS = (0, 1, 2, 3, 5, 6, 40, 2**28 - 1, 2**28, 2**31, 2**32 - 1)
_LOG_ID = 0x0BADCAFE


class _Flash(Nor):
    """A flash that notices a walk without end."""

    def readblocks(self, n, buf, off=0):
        super().readblocks(n, buf, off)
        assert self.reads < _READS_MAX, "walks for ever"


def _header(place):
    magic = b"TPC1" if place < _SMALL else b"TPR1"
    n = pick((place, place - _SMALL, place + 4, pick(_NUMBERS)))
    if not chance(3):  # a number that fits its place
        count, at = (_SMALL, place) if place < _SMALL else (_SECTORS - _SMALL, place - _SMALL)
        n = (n & 0xFFFFFFFF) // count * count + at
    head = struct.pack(
        "<4sHHIIIII", magic if not chance(9) else b"TPR1", 1 if not chance(9) else pick((0, 2, 9)),
        512 if not chance(9) else pick((0, 256, 4096)), _LOG_ID if not chance(9) else 7,
        n & 0xFFFFFFFF, pick(_NUMBERS) if chance(3) else 1 + place * 3, pick(_NUMBERS), 1,
    )  # fmt: skip
    return head + struct.pack("<I", crc32(head))


def _entry(number):
    size = pick((0, 1, 16, 16, 40, 300, 480))
    length = size if not chance(9) else pick((0, 512, 513, 65_535))
    head = struct.pack("<HBBI", length, pick((0, 1, 2, 3, 200)), 0x5A, number & 0xFFFFFFFF)
    body = bytes([random.getrandbits(8) for _ in range(min(size, 20))]) + bytes(max(0, size - 20))
    return head + struct.pack("<I", crc32(body, crc32(head))) + body + bytes(-size % 4)


def _craft(flash, place):
    data = _header(place) if not chance(8) else b"\xff" * 32
    number = pick((1 + place * 3, pick(_NUMBERS)))
    for _ in range(random.randrange(4)):
        entry = _entry(number)
        if len(data) + len(entry) > 512:
            break
        data += entry
        number += pick((1, 1, 1, 0, -1, 500))
    flash.cells[place * 512 : place * 512 + len(data)] = data


def _damage(flash):
    for _ in range(random.randrange(4)):
        flash.cells[random.randrange(len(flash.cells))] = random.getrandbits(8)


class Logs:
    """Raises for any exception but RingError at the start and KeyError of a record gone."""

    def __init__(self):
        self.last = b""
        self.figures = {"opened": 0, "refused": 0, "records": 0, "appended": 0, "hidden": 0}
        self._flash = _Flash(_SECTORS)
        self._blank = bytes(b"\xff" * len(self._flash.cells))
        self._buf = bytearray(600)

    def feed(self, _i):
        flash, figures = self._flash, self.figures
        flash.cells[:] = self._blank
        flash.reads = 0
        for place in range(_SECTORS):
            if not chance(4):
                _craft(flash, place)
        _damage(flash)
        self.last = flash.cells
        ring = Ring(flash, random.getrandbits)
        try:
            ring.open()
        except RingError:  # foreign data: the node counts in memory
            figures["refused"] += 1
            return
        figures["opened"] += 1
        self._read(ring)
        self._append(ring)

    def _read(self, ring):
        first, last = ring.first_seq, ring.next_seq
        numbers = {0, 1, first, first + 1, first + 7, last - 2, last - 1, last, pick(_NUMBERS)}
        for seq in numbers:
            self._flash.reads = 0
            try:
                kind, n = ring.read(seq, self._buf)
            except KeyError:
                continue
            assert n <= 512, (kind, n)
            self.figures["records"] += 1
        ring.last_checkpoint(self._buf)
        ring.stats()

    def _append(self, ring):
        figures = self.figures
        for i in range(2):
            self._flash.reads = 0
            payload = b"%d" % i
            seq = ring.append(pick((EVENT, INTERVAL)), payload)
            try:
                _kind, n = ring.read(seq, self._buf)
                is_hidden = self._buf[:n] != payload
            except KeyError:
                is_hidden = True
            figures["hidden"] += is_hidden  # a crafted sector behind it has the same numbers
            ring.set_cursor(0, seq, seq)
            ring.checkpoint(payload)
            assert ring.last_checkpoint(self._buf) == len(payload)
            ring.prepare()
            figures["appended"] += 1


main(Logs)
