"""Bits into a buffer, most significant first."""


class Bits:
    """buf: bytearray. What is put behind its end only moves `pos`: look at it, and go back."""

    def __init__(self, buf):
        self._buf = buf
        self.size = len(buf)
        self.pos = 0  # in bits

    def reset(self):
        self.pos = 0

    def put(self, value, width):
        """Append the low `width` bits of a number."""
        buf, pos = self._buf, self.pos
        while width:
            free = 8 - (pos & 7)
            take = min(free, width)
            width -= take
            if pos >> 3 < self.size:
                shift = free - take
                mask = ((1 << take) - 1) << shift
                kept = buf[pos >> 3] & (0xFF ^ mask)
                buf[pos >> 3] = kept | (value >> width << shift) & mask
            pos += take
        self.pos = pos

    def fill(self):
        """Fill the last byte up with 0; return the length in bytes."""
        if self.pos & 7:
            self.put(0, 8 - (self.pos & 7))
        return self.pos >> 3
