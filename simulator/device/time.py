"""`time` of the ESP32 port in virtual time.

Ticks wrap at 2^30 and start 5 s before the wrap, so that every run crosses it. The epoch is
2000-01-01 (docs/library/time of MicroPython, ESP32 port). The real-time clock is the world's: it
survives a reset, loses the time with the power, and drifts with the board's crystal.
"""

import struct

import seam
import utime
from micropython import const

_MASK = const(0x3FFF_FFFF)
_HALF = const(0x2000_0000)
_FLOORED_US = const(2)  # a microsecond, and that of reading the ticks
EPOCH_2000 = 946_684_800  # unix time of the ESP32's epoch


ticks_ms = seam.ticks_ms
ticks_us = ticks_cpu = seam.ticks_us


def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & _MASK


def ticks_diff(end, start):
    return ((end - start + _HALF) & _MASK) - _HALF


def _never():
    return False


def _wait(us):
    if us > 0:
        seam.idle(seam.now + us, _never)


def sleep_us(us):
    """Floors: measured on a genuine binary, 300 are 299 by `ticks_us`."""
    _wait(us - _FLOORED_US)


def sleep_ms(ms):
    _wait(ms * 1000)


def sleep(seconds):
    _wait(int(seconds * 1_000_000))


def rtc_us():
    """Microseconds of the real-time clock since 2000, as set and drifted."""
    base_us, set_at_us, ppb = rtc
    passed = seam.now - set_at_us
    return base_us + passed + passed * ppb // 1_000_000_000


def load_rtc():
    """Load the real-time clock as the last boot of the node, or the power, left it."""
    _value, body = seam.request(seam.RTC_READ, 1)
    rtc[:] = struct.unpack("<qqq", body)


def set_rtc(seconds, us=0):
    """Set the real-time clock (seconds since 2000). The world keeps it across resets."""
    rtc[0] = seconds * 1_000_000 + us
    rtc[1] = seam.now
    seam.send(seam.RTC_WRITE, 1, 0, struct.pack("<qq", rtc[0], rtc[1]))


def time():
    return rtc_us() // 1_000_000


def time_ns():
    return rtc_us() * 1000


def gmtime(seconds=None):
    parts = utime.gmtime((time() if seconds is None else seconds) + EPOCH_2000)
    return parts[:8]


localtime = gmtime


def mktime(parts):
    days = _days(parts[0], parts[1]) + parts[2] - 1
    return ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]


def _days(year, month):
    """Days from 2000-01-01 to the first of the month; months above 12 carry over."""
    year += (month - 1) // 12
    month = (month - 1) % 12
    leap = year - (1 if month < 2 else 0)
    days = (year - 2000) * 365 + (leap // 4 - leap // 100 + leap // 400) - 484
    return days + (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)[month]


rtc = [0, 0, 0]  # microseconds since 2000, set at (now), drift in parts per 1e9
