"""Lines from a byte stream: bounded, and robust against any bytes.

A line ends with CR or LF. Empty lines are skipped. A line that is too long, or holds a byte that
no modem prints, is dropped as a whole without an allocation. The longest useful line is a downlink
of 242 bytes in hexadecimal with its head.
"""

from micropython import const

_LINE_MAX = const(544)


class Lines:
    """dropped_long, dropped_foreign: lines that were too long, or held a foreign byte."""

    def __init__(self):
        self._buf = bytearray(_LINE_MAX)
        self._view = memoryview(self._buf)
        self._from = 0  # of the line being read
        self._at = 0  # looked at up to here
        self._end = 0
        self._skip = False  # the rest of a line that is too long
        self._foreign = False
        self.dropped_long = 0
        self.dropped_foreign = 0

    def space(self):
        """Free space for the next bytes. Never empty after `next()` has returned None."""
        return self._view[self._end :]

    def added(self, n):
        self._end += n

    def clear(self):
        self._from = self._at = self._end = 0
        self._skip = self._foreign = False

    def next(self):
        """The next line as bytes, or None when more bytes are needed."""
        buf = self._buf
        while self._at < self._end:
            c = buf[self._at]
            self._at += 1
            if c == 13 or c == 10:
                line = self._cut()
                if line:
                    return line
            elif not 32 <= c < 127:
                self._foreign = True
        self._compact()
        return None

    def _cut(self):
        start, stop = self._from, self._at - 1
        self._from = self._at
        skip, foreign = self._skip, self._foreign
        self._skip = self._foreign = False
        if skip:
            self.dropped_long += 1
        elif foreign:
            self.dropped_foreign += 1
        else:
            return bytes(self._view[start:stop])
        return None

    def _compact(self):
        """Move the unfinished line to the front, or drop it if it fills the buffer."""
        n = self._end - self._from
        if self._skip or n == _LINE_MAX:
            self._skip = True
            n = 0
        elif self._from:
            self._buf[:n] = self._view[self._from : self._end]
        self._from = 0
        self._at = self._end = n
