"""Finds the frames of the HLK-LD24xx family in a stream of bytes.

    answer  FD FC FB FA | len u16 | command u16 | status u16 | data | 04 03 02 01

Little endian. The module of each radar has the layout of its reports. Sources: see ld24xx.py.
"""

from micropython import const

REPORT = 1
ANSWER = 2

_BUFFER = const(512)
_HEAD = const(6)
_ANSWER_MAX = const(64)
_FIRMWARE_MISPRINT = const(11)  # the paper prints 0B for the 12 bytes of the firmware answer


class Frames:
    """Finds frames by their length. After damage it goes on byte by byte.

    It never searches for the footer: that would glue two frames together and report nonsense.
    Write bytes into `space()`, call `added(n)`, then call `next()` until it returns 0.

    After REPORT: `count` targets, and `at`, the index of the first in `buf`. After ANSWER:
    `command`, `status`, `at` = index of the data, `length` of the data. Nothing is allocated
    while frames arrive whole. A subclass has FIRST, the first byte of its reports, and `_report`.
    """

    def __init__(self):
        self.buf = bytearray(_BUFFER)
        self._view = memoryview(self.buf)
        self._pos = 0
        self._end = 0
        self.size = 0  # bytes of the report found last
        self.count = self.at = self.command = self.status = self.length = 0
        self.frames_ok = 0
        self.resync_bytes = 0
        self.bad_len = 0
        self.bad_footer = 0

    def space(self):
        """A writable buffer for the next bytes, never empty."""
        if self._pos:
            rest = self._end - self._pos
            if rest:
                self.buf[:rest] = self._view[self._pos : self._end]
            self._pos = 0
            self._end = rest
        if self._end == _BUFFER:  # impossible, the longest frame is shorter: drop, do not stall
            self.resync_bytes += _BUFFER
            self._end = 0
        return self._view[self._end :] if self._end else self.buf

    def added(self, n):
        self._end += n

    def rest(self):
        """Number of bytes in the buffer that were not parsed yet."""
        return self._end - self._pos

    def drop(self):
        """Empty the buffer."""
        self._pos = self._end = 0

    def next(self):
        """Find the next whole frame. Return REPORT, ANSWER, or 0 if more bytes are needed."""
        buf, pos, end = self.buf, self._pos, self._end
        while pos < end:
            first = buf[pos]
            if first == self.FIRST:
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

    def _answer(self, pos, have):
        """ANSWER, 0 (wait for more) or -1 (not a frame)."""
        buf = self.buf
        if have < _HEAD:
            return self._begins(pos, have, b"\xfd\xfc\xfb\xfa")
        if buf[pos + 1] != 0xFC or buf[pos + 2] != 0xFB or buf[pos + 3] != 0xFA:
            return -1
        length = buf[pos + 4] | buf[pos + 5] << 8
        if not 4 <= length <= _ANSWER_MAX:
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
        """0 if the few bytes in the buffer can be the start of a frame, else -1."""
        for i in range(1, min(have, 4)):
            if self.buf[pos + i] != header[i]:
                return -1
        return 0
