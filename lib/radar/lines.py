"""Parses the lines of an OmniPreSense sensor: reports as numbers, all other lines as text.

    report  [-]digits[.digits] [, [-]digits[.digits]] LF     speed, or magnitude and speed

CR and spaces are ignored. Nothing is allocated per report. Source: OmniPreSense AN-010-AD.
"""

from micropython import const

REPORT = 1
TEXT = 2

_BUFFER = const(512)
_LINE_MAX = const(320)  # more than the longest answer, that to `??`
_COMMA = const(44)
_MINUS = const(45)
_DOT = const(46)
_LF = const(10)


class Lines:
    """Write bytes into `space()`, call `added(n)`, then call `next()` until it returns 0.

    After REPORT: `values` numbers, `first` and `last`, in hundredths. After TEXT: `text()`.
    """

    def __init__(self):
        self.buf = bytearray(_BUFFER)
        self._view = memoryview(self.buf)
        self._pos = self._end = 0
        self._from = self._to = 0  # the line found last
        self.values = self.first = self.last = self._previous = 0
        self._skip = False  # drop the rest of a line that is too long
        self.frames_ok = 0
        self.bad_lines = 0
        self.resync_bytes = 0

    def space(self):
        """A writable buffer for the next bytes, never empty."""
        if self._pos:
            rest = self._end - self._pos
            if rest:
                self.buf[:rest] = self._view[self._pos : self._end]
            self._pos, self._end = 0, rest
        if self._end > _LINE_MAX:  # no line is so long: wait for the next one
            self.resync_bytes += self._end
            self._end = 0
            self._skip = True
        return self._view[self._end :] if self._end else self.buf

    def added(self, n):
        self._end += n

    def waiting(self):
        """Number of whole lines in the buffer that were not parsed yet."""
        count = 0
        for i in range(self._pos, self._end):
            count += self.buf[i] == _LF
        return count

    def drop(self):
        """Empty the buffer, and drop the rest of its last line."""
        self._pos = self._end = 0
        self._skip = True

    def next(self):
        """Find the next valid line. Return REPORT, TEXT, or 0 if more bytes are needed."""
        buf = self.buf
        for i in range(self._pos, self._end):
            if buf[i] != _LF:
                continue
            self._from, self._to = self._pos, i
            self._pos = i + 1
            if self._skip:
                self.resync_bytes += self._to - self._from + 1
                self._skip = False
                continue
            kind = self._kind()
            if kind:
                self.frames_ok += 1
                return kind
        return 0

    def text(self):
        """The line as bytes."""
        return bytes(self._view[self._from : self._to])

    def _kind(self):
        """REPORT or TEXT, 0 = an empty or unknown line."""
        buf, pos, end = self.buf, self._from, self._to
        while pos < end and buf[pos] <= 32:
            pos += 1
        while end > pos and buf[end - 1] <= 32:
            end -= 1
        if pos == end:
            return 0
        if buf[pos] == 0x7B:  # {
            return TEXT
        self.values = 0
        while True:
            pos = self._number(pos, end)
            if pos < 0 or (pos < end and (buf[pos] != _COMMA or self.values == 2)):
                self.bad_lines += 1
                return 0
            if pos == end:
                return REPORT
            pos += 1

    def _number(self, pos, end):
        """Parse a number into `last`. Return the position behind it, -1 = no number."""
        buf = self.buf
        while pos < end and buf[pos] == 32:
            pos += 1
        negative = pos < end and buf[pos] == _MINUS
        if negative:
            pos += 1
        whole = self._digits(pos, end, 7)
        if whole == pos:
            return -1
        value, pos = self.last * 100, whole
        if pos < end and buf[pos] == _DOT:
            places = self._digits(pos + 1, end, 2)
            value += self.last * (10 if places - pos == 2 else 1)
            pos = self._digits(places, end, 9)  # smaller parts than hundredths are dropped
        self.first, self._previous = self._previous, -value if negative else value
        self.last = self._previous
        self.values += 1
        return pos

    def _digits(self, pos, end, n):
        """Parse at most n digits into `last`. Return the position behind them."""
        buf, value = self.buf, 0
        end = min(end, pos + n)
        while pos < end and 48 <= buf[pos] <= 57:
            value = value * 10 + buf[pos] - 48
            pos += 1
        self.last = value
        return pos
