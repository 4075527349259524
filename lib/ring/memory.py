"""A flash in RAM. It stands in when the partition holds foreign data that must not be erased."""

from micropython import const

_SECTORS = const(9)
_SIZE = const(512)  # the longest interval fits, with the cursors
_ERASE = const(6)


class Memory:
    """Has the interface of `esp32.Partition` and holds 30 intervals. A reset empties it.

    Each sector is a buffer of its own, because a heap in use has no hole for all of them at once.
    """

    def __init__(self):
        self._sectors = [bytearray(_SIZE) for _ in range(_SECTORS)]
        for n in range(_SECTORS):
            self.ioctl(_ERASE, n)

    def readblocks(self, n, buf, off=0):
        buf[:] = memoryview(self._sectors[n])[off : off + len(buf)]

    def writeblocks(self, n, buf, off=0):
        self._sectors[n][off : off + len(buf)] = buf

    def ioctl(self, op, arg):
        if op == _ERASE:
            sector = self._sectors[arg]
            for i in range(_SIZE):
                sector[i] = 0xFF
        return (_SECTORS if op == 4 else _SIZE) if op in (4, 5) else 0
