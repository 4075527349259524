"""A NOR flash in memory. A watcher sees every operation before it takes effect.

It has the interface of `esp32.Partition`. It is stricter than the chip: programming cells that are
not blank is an error. A log that does so relies on cells that a cut may have left half done.
"""

import random

from micropython import const

PROGRAM = const(0)
ERASE = const(1)
MODES = ("none", "half", "part", "tail", "random", "flip", "done")
_POOL = const(4096)


class FlashError(Exception):
    """The log has made an operation that a careful log never makes."""


class Flash:
    """blocks: sectors of `size` bytes. cells: their content, None = all ones.

    watch(kind, start, old, new) is called before each operation. If it returns bytes, these are
    programmed instead of `new`.
    """

    def __init__(self, blocks, size, cells=None):
        self.blocks = blocks
        self.size = size
        self.cells = bytearray(b"\xff" * (blocks * size)) if cells is None else cells
        self._view = memoryview(self.cells)
        self.blank = b"\xff" * size
        self.watch = None
        self.faulty = False  # cells may have failed: do not insist on blank ones
        self.sector = -1  # the sector that was programmed last

    def readblocks(self, n, buf, off=0):
        start = n * self.size + off
        buf[:] = self._view[start : start + len(buf)]

    def writeblocks(self, n, buf, off=0):
        new = bytes(buf)
        length = len(new)
        if off + length > self.size:
            raise FlashError("programs %d bytes at %d of sector %d" % (length, off, n))
        start = n * self.size + off
        old = bytes(self._view[start : start + length])
        if old.count(b"\xff") != length:
            if not self.faulty:
                raise FlashError("programs cells of sector %d that are not blank" % n)
            new = _bytes(_int(old) & _int(new), length)
        self.sector = n
        self._commit(PROGRAM, start, old, new)

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.size
        if op == 6:
            start = arg * self.size
            old = bytes(self._view[start : start + self.size])
            self._commit(ERASE, start, old, self.blank)
        return 0

    def _commit(self, kind, start, old, new):
        if self.watch:
            new = self.watch(kind, start, old, new) or new
        self.cells[start : start + len(new)] = new


def tear(mode, old, new, salt):
    """The cells that a power cut leaves in an operation that turns `old` into `new`.

    half, part: the beginning was done (one half, or a random part). tail: the second half was.
    random: each bit to change has changed or has not. flip: done, except for one bit.
    """
    length = len(new)
    if mode == "half" or mode == "tail" or mode == "part":
        at = 1 + salt % (length - 1) if mode == "part" else length // 2
        return old[:at] + new[at:] if mode == "tail" else new[:at] + old[at:]
    if mode == "random":
        before, after = _int(old), _int(new)
        return _bytes(before ^ ((before ^ after) & _noise(length, salt)), length)
    if mode == "flip":
        spoilt = bytearray(new)
        spoilt[salt % length] ^= 1 << (salt >> 12) % 8
        return bytes(spoilt)
    return new if mode == "done" else old


def _int(data):
    return int.from_bytes(data, "little")


def _bytes(value, length):
    return value.to_bytes(length, "little")


def _make_pool():
    random.seed(20)
    return bytes(random.getrandbits(8) for _ in range(_POOL))


_pool = _make_pool()


def _noise(length, salt):
    """Random bits. A third of the time mostly ones, a third mostly zeros."""
    at, other = salt % (_POOL - length), (salt >> 7) % (_POOL - length)
    one, two = _int(_pool[at : at + length]), _int(_pool[other : other + length])
    return (one | two, one & two, one)[salt % 3]
