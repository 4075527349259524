"""The log: lines on the console, the last 16 of them kept in memory. Only this module prints.

Lines carry the uptime. They hold no secret and no single road user.
"""

import time

from micropython import const

DEBUG, INFO, WARN, ERROR = 0, 1, 2, 3
_NAMES = ("debug", "info", "warn", "error")
_KEPT = const(16)


class Log:
    """level: lines below it are dropped."""

    def __init__(self, level=INFO):
        self.level = level
        self._lines = [None] * _KEPT
        self._next = 0
        self._start_ms = time.ticks_ms()
        self._seconds = 0

    def uptime_s(self):
        """Seconds since the start. Call it at least once in six days, because ticks wrap."""
        passed = time.ticks_diff(time.ticks_ms(), self._start_ms) // 1000
        if passed > 0:
            self._seconds += passed
            self._start_ms = time.ticks_add(self._start_ms, passed * 1000)
        return self._seconds

    def _write(self, level, text, args):
        if level < self.level:
            return
        line = "%d %s %s" % (self.uptime_s(), _NAMES[level], text % args if args else text)
        self._lines[self._next % _KEPT] = line
        self._next += 1
        print(line)

    def debug(self, text, *args):
        self._write(DEBUG, text, args)

    def info(self, text, *args):
        self._write(INFO, text, args)

    def warn(self, text, *args):
        self._write(WARN, text, args)

    def error(self, text, *args):
        self._write(ERROR, text, args)

    def tail(self):
        """The kept lines, oldest first."""
        first = self._next - _KEPT
        return [self._lines[i % _KEPT] for i in range(max(first, 0), self._next)]
