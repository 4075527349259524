"""Frames of the HLK-LD24xx family on a UART, found by length and resynchronised byte by byte.

    report  F4 F3 F2 F1 | len u16 | count u8 | alarm u8 | count x target | F8 F7 F6 F5
    target  angle u8 (degrees + 0x80) | distance u8 (m) | direction u8 | speed u8 (km/h) | snr u8
    answer  FD FC FB FA | len u16 | command u16 | status u16 | data | 04 03 02 01

Little endian; a report of length 0 or 2 says that nothing is there. Source: HLK-LD2451 serial
protocol V1.03 (2024-07), sections 1.3 and 2.1. Never by searching the footer: after one bad byte
that would glue two frames and report nonsense.
"""

from micropython import const

REPORT = 1
ANSWER = 2

_BUFFER = const(512)
_HEAD = const(6)
_MAX_REPORT = const(82)  # 16 targets; the maker names no limit, drivers have seen 5
_MAX_ANSWER = const(64)
_FIRMWARE_MISPRINT = const(11)  # the paper prints 0B for the 12 bytes of the firmware answer


class Frames:
    """Give it bytes (`space()`, `added(n)`), take frames with `next()` until it returns 0.

    After REPORT: `count`, `alarm`, and `at`, the index in `buf` of the first target. After ANSWER:
    `command`, `status`, `at` = index of the data, `length` of the data. Allocates nothing while
    frames arrive whole.
    """

    def __init__(self):
        self.buf = bytearray(_BUFFER)
        self._view = memoryview(self.buf)
        self._pos = 0
        self._end = 0
        self.size = 0  # bytes of the report found last
        self.count = self.alarm = self.at = self.command = self.status = self.length = 0
        self.frames_ok = 0
        self.resync_bytes = 0
        self.bad_len = 0
        self.bad_footer = 0

    def space(self):
        """Where the next bytes go: a writable buffer, never empty."""
        if self._pos:
            rest = self._end - self._pos
            if rest:
                self.buf[:rest] = self._view[self._pos : self._end]
            self._pos = 0
            self._end = rest
        if self._end == _BUFFER:  # cannot be: the longest frame is shorter; drop rather than stall
            self.resync_bytes += _BUFFER
            self._end = 0
        return self._view[self._end :] if self._end else self.buf

    def added(self, n):
        self._end += n

    def rest(self):
        """Bytes that are there and not looked at yet."""
        return self._end - self._pos

    def following(self):
        """How many whole reports follow in the buffer, by their lengths alone."""
        buf, end, size, count = self.buf, self._end, self.size, 0
        pos = self._pos
        while pos + 10 <= end:
            size = buf[pos + 4] + 10 if buf[pos] == 0xF4 else size
            pos += size
            if pos <= end:
                count += 1
        return count

    def drop(self):
        """Forget what is buffered."""
        self._pos = self._end = 0

    def next(self):
        """Find the next whole frame: REPORT, ANSWER or 0 when more bytes are needed."""
        buf, pos, end = self.buf, self._pos, self._end
        while pos < end:
            first = buf[pos]
            if first == 0xF4:
                found = self._report(pos, end - pos)
            elif first == 0xFD:
                found = self._answer(pos, end - pos)
            else:
                found = -1
            if found > 0:
                self.frames_ok += 1
                return found
            if found == 0:
                return 0
            self._pos = pos = pos + 1
            self.resync_bytes += 1
        return 0

    def _report(self, pos, have):
        """REPORT, 0 (wait for more) or -1 (not a frame)."""
        buf = self.buf
        if have < _HEAD:
            return self._begins(pos, have, b"\xf4\xf3\xf2\xf1")
        if buf[pos + 1] != 0xF3 or buf[pos + 2] != 0xF2 or buf[pos + 3] != 0xF1:
            return -1
        length = buf[pos + 4] | buf[pos + 5] << 8
        if length > _MAX_REPORT:
            self.bad_len += 1
            return -1
        if have < length + 10:
            return 0
        foot = pos + _HEAD + length
        if buf[foot] != 0xF8 or buf[foot + 1] != 0xF7 or buf[foot + 2] != 0xF6:
            self.bad_footer += 1
            return -1
        count = buf[pos + 6] if length else 0
        if buf[foot + 3] != 0xF5 or (length and length != 2 + 5 * count):
            self.bad_len += 1
            return -1
        self.count = count
        self.alarm = buf[pos + 7] if length else 0
        self.at = pos + 8
        self._pos = foot + 4
        self.size = length + 10
        return REPORT

    def _answer(self, pos, have):
        """ANSWER, 0 (wait for more) or -1 (not a frame)."""
        buf = self.buf
        if have < _HEAD:
            return self._begins(pos, have, b"\xfd\xfc\xfb\xfa")
        if buf[pos + 1] != 0xFC or buf[pos + 2] != 0xFB or buf[pos + 3] != 0xFA:
            return -1
        length = buf[pos + 4] | buf[pos + 5] << 8
        if not 4 <= length <= _MAX_ANSWER:
            self.bad_len += 1
            return -1
        if have < length + 10:
            return 0
        foot = pos + _HEAD + length
        if length == _FIRMWARE_MISPRINT and buf[foot] != 4:
            if have < length + 11:
                return 0
            foot += 1
        if buf[foot] != 4 or buf[foot + 1] != 3 or buf[foot + 2] != 2 or buf[foot + 3] != 1:
            self.bad_footer += 1
            return -1
        self.command = buf[pos + 6] | buf[pos + 7] << 8
        self.status = buf[pos + 8] | buf[pos + 9] << 8
        self.at = pos + 10
        self.length = foot - self.at
        self._pos = foot + 4
        return ANSWER

    def _begins(self, pos, have, header):
        """0 when the few bytes there are can be the start of a frame, else -1."""
        for i in range(1, min(have, 4)):
            if self.buf[pos + i] != header[i]:
                return -1
        return 0
