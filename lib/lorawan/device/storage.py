"""A clock that never goes back, the airtime of a day, and the MAC's store in flash."""

import time
from array import array

from micropython import const

_HOUR_US = 3_600_000_000
_HOURS = const(24)
_BLOB_MAX = const(512)  # a session with all its channels and answers


class Micros:
    """Microseconds since it was made, from `ticks_us`. Call `now()` every few minutes at least."""

    def __init__(self):
        self._ticks = time.ticks_us()
        self._us = 0

    def now(self):
        ticks = time.ticks_us()
        self._us += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._us

    def at(self, ticks):
        """The time of a tick that was read a few minutes ago at most."""
        return self.now() + time.ticks_diff(ticks, self._ticks)


class DailyAirtime:
    """Milliseconds on air in the last 24 hours, hour by hour."""

    def __init__(self):
        self._ms = array("I", [0] * _HOURS)
        self._hour = 0

    def _advance(self, now_us):
        hour = now_us // _HOUR_US
        for i in range(max(self._hour + 1, hour - _HOURS + 1), hour + 1):
            self._ms[i % _HOURS] = 0
        self._hour = hour

    def add(self, us, now_us):
        self._advance(now_us)
        self._ms[self._hour % _HOURS] += (us + 999) // 1000

    def seconds(self, now_us):
        self._advance(now_us)
        return (sum(self._ms) + 999) // 1000


class NvsStore:
    """The MAC's store in a namespace of NVS (`get_blob`, `set_blob`, `commit`)."""

    def __init__(self, nvs):
        self._nvs = nvs

    def read(self, name):
        buf = bytearray(_BLOB_MAX)
        try:
            size = self._nvs.get_blob(name, buf)
        except OSError:  # there is none
            return None
        return bytes(memoryview(buf)[:size])

    def write(self, name, data):
        """Raises OSError when flash is full or broken."""
        self._nvs.set_blob(name, data)
        self._nvs.commit()
