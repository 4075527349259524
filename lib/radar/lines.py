"""Lines of an OmniPreSense sensor: numbers on the hot path, everything else as text.

    report  [-]digits[.digits] [, [-]digits[.digits]] LF     speed, or magnitude and speed

CR and spaces do not count. Nothing is allocated per report. Source: OmniPreSense AN-010-AD.
"""

from micropython import const

REPORT = 1
TEXT = 2

_BUFFER = const(512)
_LONGEST = const(320)  # an answer to `??` is shorter
_COMMA = const(44)
_MINUS = const(45)
_DOT = const(46)
_LF = const(10)


class Lines:
    """Give it bytes (`space()`, `added(n)`), take lines with `next()` until it returns 0.

    After REPORT: `values` numbers, `first` and `last`, in hundredths. After TEXT: `text()`.
    """

    def __init__(self):
        self.buf = bytearray(_BUFFER)
        self._view = memoryview(self.buf)
        self._pos = self._end = 0
        self._from = self._to = 0  # the line found last
        self.values = self.first = self.last = self._previous = 0
        self._skip = False  # to the end of a line that is too long
        self.frames_ok = 0
        self.bad_lines = 0
        self.resync_bytes = 0

    def space(self):
        """Where the next bytes go: a writable buffer, never empty."""
        if self._pos:
            rest = self._end - self._pos
            if rest:
                self.buf[:rest] = self._view[self._pos : self._end]
            self._pos, self._end = 0, rest
        if self._end > _LONGEST:  # no line is that long: wait for the next one
            self.resync_bytes += self._end
            self._end = 0
            self._skip = True
        return self._view[self._end :] if self._end else self.buf

    def added(self, n):
        self._end += n

    def waiting(self):
        """How many whole lines are there and not looked at yet."""
        count = 0
        for i in range(self._pos, self._end):
            count += self.buf[i] == _LF
        return count

    def drop(self):
        """Forget what is buffered; the rest of its last line, too."""
        self._pos = self._end = 0
        self._skip = True

    def next(self):
        """Find the next whole line that is one: REPORT, TEXT or 0 when more bytes are needed."""
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
        """What the line is; 0 = nothing that is known, or empty."""
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
        """Take a number into `last`; the position behind it, -1 = none."""
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
            pos = self._digits(places, end, 9)  # no more than hundredths are kept
        self.first, self._previous = self._previous, -value if negative else value
        self.last = self._previous
        self.values += 1
        return pos

    def _digits(self, pos, end, most):
        """Take at most so many digits into `last`; the position behind them."""
        buf, value = self.buf, 0
        end = min(end, pos + most)
        while pos < end and 48 <= buf[pos] <= 57:
            value = value * 10 + buf[pos] - 48
            pos += 1
        self.last = value
        return pos
