"""A NOR flash in memory that can lose its power, with the interface of `esp32.Partition`."""


class PowerCut(Exception):
    pass


class Nor:
    """blocks: sectors of `size` bytes. cut_at: number of the operation that the cut tears."""

    def __init__(self, blocks=16, size=512):
        self.blocks = blocks
        self.size = size
        self.cells = bytearray(b"\xff" * (blocks * size))
        self.ops = 0
        self.reads = 0
        self.erases = 0
        self.programmed = 0
        self.cut_at = 0
        self.tear = None  # function(old bytes, new bytes) -> bytes after the cut

    def readblocks(self, n, buf, off=0):
        self.reads += 1
        start = n * self.size + off
        buf[:] = memoryview(self.cells)[start : start + len(buf)]

    def writeblocks(self, n, buf, off=0):
        start = n * self.size + off
        assert off + len(buf) <= self.size
        old = bytes(self.cells[start : start + len(buf)])
        new = bytes(a & b for a, b in zip(old, bytes(buf)))
        self._commit(start, old, new)
        self.programmed += len(buf)

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.size
        if op == 6:
            start = arg * self.size
            old = bytes(self.cells[start : start + self.size])
            self._commit(start, old, b"\xff" * self.size)
            self.erases += 1
        return 0

    def _commit(self, start, old, new):
        self.ops += 1
        cut = self.ops == self.cut_at
        if cut:
            new = self.tear(old, new) if self.tear else old
        self.cells[start : start + len(new)] = new
        if cut:
            raise PowerCut
