"""Ticks, calendar, real-time clock."""

import time

import machine
from prelude import expect, raises, took_ms, truth

_WRAP = 1 << 30
_HALF = 1 << 29


def ticks_wrap_at_2_30():
    """Ticks run from 0 to 2^30 - 1, milliseconds and microseconds alike.

    Source: docs/library/time.rst, ticks_ms, and extmod/modtime.c, MICROPY_PY_TIME_TICKS_PERIOD

    Leans: every deadline, and firmware/core/log.py, lib/beam/edges.py keep ticks in 32 bits
    """
    expect(time.ticks_add(_WRAP - 1, 1), 0)
    expect(time.ticks_add(0, -1), _WRAP - 1)
    for read in (time.ticks_ms, time.ticks_us):
        truth(0 <= read() < _WRAP, "ticks beyond 2^30")


def ticks_diff_is_signed():
    """ticks_diff tells apart before and after, up to half a turn, across the wrap too.

    Source: docs/library/time.rst, ticks_diff, and extmod/modtime.c, time_ticks_diff

    Leans: every deadline of firmware/ and lib/
    """
    expect(time.ticks_diff(5, _WRAP - 5), 10)
    expect(time.ticks_diff(_WRAP - 5, 5), -10)
    expect(time.ticks_diff(_HALF - 1, 0), _HALF - 1)
    expect(time.ticks_diff(_HALF, 0), -_HALF)


def ticks_add_refuses_half_a_turn():
    """An interval of half a turn or more is refused, not folded.

    Source: extmod/modtime.c, time_ticks_add (commit 815920c: overflow of delta)

    Leans: lib/modem/at_client.py, lib/mqtt/client.py: longest deadlines
    """
    expect(time.ticks_add(1, _HALF - 1), _HALF)
    expect(time.ticks_add(0, 1 - _HALF), _HALF + 1)
    raises(OverflowError, time.ticks_add, 0, _HALF)
    raises(OverflowError, time.ticks_add, 0, -_HALF)


def sleeping_moves_both_ticks():
    """sleep_ms lasts at least as long as asked for. sleep_us floors: one microsecond less.

    Source: ports/esp32/mphalport.c, mp_hal_delay_ms, mp_hal_delay_us

    Leans: lib/radio/chip.py: reset pulses, and boards: settling times
    """
    start = time.ticks_us()
    ms = took_ms(time.sleep_ms, 20)
    us = time.ticks_diff(time.ticks_us(), start)
    truth(19 <= ms < 200 and 20_000 <= us < 200_000, "20 ms were %d ms, %d us" % (ms, us))
    start = time.ticks_us()
    time.sleep_us(300)
    truth(time.ticks_diff(time.ticks_us(), start) >= 299, "sleep_us(300) was shorter")


def epoch_is_2000():
    """Second 0 is 2000-01-01, a Saturday, day 1 of the year. The tuple has 8 parts.

    Source: docs/library/time.rst, "Time Epoch", and ports/esp32/modtime.c

    Leans: firmware/core/clock.py, boards/common/esp32_board.py
    """
    expect(tuple(time.gmtime(0)), (2000, 1, 1, 0, 0, 0, 5, 1))


def calendar_there_and_back():
    """mktime undoes gmtime, over leap days and beyond 2031 (2^30 s).

    Source: docs/library/time.rst, mktime, and shared/timeutils/timeutils.c

    Leans: boards/common/esp32_board.py, set_utc
    """
    for second in (0, 5_097_600, 68_169_600, 825_638_399, 1_073_741_823, 1_073_741_824):
        expect(time.mktime(time.gmtime(second)), second)
    expect(tuple(time.gmtime(762_479_999))[:6], (2024, 2, 28, 23, 59, 59))
    expect(tuple(time.gmtime(762_480_000))[:6], (2024, 2, 29, 0, 0, 0))


def time_is_an_integer():
    """time.time() is a whole number: a single-precision float would be 64 s off.

    Source: ports/esp32/modtime.c, mp_time_time_get (floats are single: mpconfigport.h)

    Leans: firmware/core/clock.py
    """
    truth(isinstance(time.time(), int), "time.time() is %r" % time.time())
    truth(isinstance(time.time_ns(), int), "time_ns")


def rtc_is_set_and_read():
    """RTC.datetime sets the clock that time.time() reads. The given weekday is ignored.

    Source: docs/library/machine.RTC.rst, and ports/esp32/machine_rtc.c,
    machine_rtc_datetime_helper

    Leans: boards/common/esp32_board.py, set_utc
    """
    rtc = machine.RTC()
    was, at = time.time(), time.ticks_ms()
    try:
        rtc.datetime((2031, 7, 4, 0, 12, 34, 56, 0))
        got = rtc.datetime()
        expect(len(got), 8)
        expect(tuple(got[:7]), (2031, 7, 4, 4, 12, 34, 56))
        truth(0 <= got[7] < 1_000_000, "microseconds %r" % got[7])
        truth(0 <= time.time() - time.mktime((2031, 7, 4, 12, 34, 56, 0, 0)) <= 1, "time.time()")
    finally:
        parts = time.gmtime(was + time.ticks_diff(time.ticks_ms(), at) // 1000)
        rtc.datetime(tuple(parts[:3]) + (0,) + tuple(parts[3:6]) + (0,))


def rtc_has_microseconds():
    """The last part of RTC.datetime() is microseconds, and moves.

    Source: ports/esp32/machine_rtc.c, machine_rtc_datetime_helper (tv_usec)

    Leans: nothing yet: firmware/ reads the clock through time
    """
    parts = []
    for _ in range(3):
        parts.append(machine.RTC().datetime()[7])
        time.sleep_us(1700)
    truth(len(set(parts)) > 1, "always %d" % parts[0])


def rtc_memory_has_2048_bytes():
    """RTC.memory takes up to 2048 bytes, refuses more, and gives back bytes of that length.

    Source: ports/esp32/machine_rtc.c, machine_rtc_memory, and mpconfigport.h, RTC_USER_MEM_MAX

    Leans: firmware/core/rtc.py, firmware/counting/recovery.py
    """
    rtc = machine.RTC()
    kept = rtc.memory()
    try:
        whole = bytes(range(256)) * 8
        rtc.memory(whole)
        expect(rtc.memory(), whole)
        raises(ValueError, rtc.memory, bytes(2049))
        expect(rtc.memory(), whole)
        rtc.memory(bytearray(b"short"))
        expect(rtc.memory(), b"short")
        rtc.memory(b"")
        expect(rtc.memory(), b"")
    finally:
        rtc.memory(kept)


def ntptime_has_its_names():
    """The frozen NTP client takes host and timeout from module variables.

    Source: micropython-lib, micropython/net/ntptime/ntptime.py, and ports/esp32/boards/manifest.py

    Leans: firmware/core/clock.py
    """
    import ntptime

    truth(isinstance(ntptime.host, str) and ntptime.timeout >= 1, "host, timeout")
    truth(callable(ntptime.time) and callable(ntptime.settime), "time, settime")
