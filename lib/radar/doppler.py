"""Doppler module with a comparator (CDM324, HB100): the frequency of its pulses gives a speed.

A pulse counter is read ten times a second. Two similar readings are a report, and
lib/passage/speed_bursts.py makes passages of the reports. The module knows neither direction nor
distance nor strength. All road users count as forward, and two at once are one. A dead module
cannot be told from an empty road.

2 v f / c = 44.71 Hz a km/h at 24.125 GHz, 19.50 at 10.525 GHz. Lamps flicker at 100 and 120 Hz
(HB100 application note), so readings there are refused. The module also picks up bursts of the
chip's own Wi-Fi. These never give two similar readings.
"""

import asyncio
import math
import time

from micropython import const

from passage.speed_bursts import SpeedBurstTracker

UNKNOWN, OK, QUIET, BLOCKED, MISCONFIGURED = 0, 1, 2, 4, 6

_WINDOW_MS = const(100)
_WINDOW_MAX_US = const(500_000)  # a longer reading is a mean without meaning
_WRAP = const(32_767)  # here the counter begins again at 0
_LAMPS_HZ = (100, 120)
_LAMP_TOLERANCE_HZ = const(5)  # one edge more or less in a reading
_LOST_MS = const(450)  # four readings: a car length at 40 km/h
_QUIET_MS = const(2_000)
_NOISE_MS = const(60_000)
_LIGHT = 299_792_458


class Doppler:
    """counters: the first counts both edges of the module's output. Its `value()` begins again
    at 0 after 32766. None = this board has no counter, and `state` says so.

    settings: doppler_mhz, radar_mount_deg, radar_min_kmh, class_ped_max_kmh, class_bike_max_kmh.
    """

    def __init__(self, counters, settings):
        self._counter = counters[0] if counters else None
        hertz = 2_000_000 * settings["doppler_mhz"] / _LIGHT / 3.6  # a km/h
        self._scale = int(1e6 / 2 / hertz * 10 + 0.5)  # edges a us -> 0.1 km/h
        self._speed_min = max(1, settings["radar_min_kmh"]) * 10
        angle = math.radians(min(abs(settings["radar_mount_deg"]), 45))
        self._tracker = SpeedBurstTracker(
            settings["class_ped_max_kmh"], settings["class_bike_max_kmh"],
            int(1024 / math.cos(angle) + 0.5), _LOST_MS,
        )  # fmt: skip
        self._queue = self._tracker.queue
        self.pop = self._queue.pop
        self.state = UNKNOWN
        self._last = 0  # value of the counter
        self._last_us = time.ticks_us()
        self._before = 0  # speed of the last reading, 0 = none
        self._still_ms = time.ticks_ms()
        self._busy_ms = time.ticks_add(self._still_ms, -_QUIET_MS - 1)
        self._edges = self._lost = self._lamp = self._odd = 0
        self.watch = None  # function(speed in 0.1 km/h): called with every report

    async def start(self):
        """Begin to count. A board without a pulse counter shows in `state`."""
        if self._counter is None:
            self.state = MISCONFIGURED
            return
        self._last = self._counter.value()
        self._last_us = time.ticks_us()
        self.state = QUIET

    async def wait(self):
        """Read the counter until a road user has passed."""
        while not len(self._queue):
            await asyncio.sleep_ms(_WINDOW_MS)
            if self._counter is not None:
                self._read()

    def tick(self, now_ms):
        """Call once a second: ends lost bursts, notices noise that never stops."""
        self._tracker.expire(now_ms)
        if self._counter is None:
            return False
        if time.ticks_diff(now_ms, self._still_ms) > _NOISE_MS:
            self.state = BLOCKED
        elif time.ticks_diff(now_ms, self._busy_ms) > _QUIET_MS:
            self.state = QUIET
        else:
            self.state = OK
        return False

    def stats(self):
        return {
            "edges": self._edges,
            "lost_edges": self._lost,  # read too late: their speed is not known
            "lamp_readings": self._lamp,
            "odd_readings": self._odd,
            "ghosts": self._tracker.ghosts,
            "refused": self._queue.refused,
        }

    def _read(self):
        value, now_us = self._counter.value(), time.ticks_us()
        edges = (value - self._last) % _WRAP
        span_us = max(1, time.ticks_diff(now_us, self._last_us))
        self._last, self._last_us = value, now_us
        self._edges += edges
        if span_us > _WINDOW_MAX_US:
            self._lost += edges
            self._before = 0
            return
        now_ms = time.ticks_ms()
        if edges < 2:
            self._still_ms = now_ms
        self._report(edges * 500_000 // span_us, edges * self._scale // span_us, now_ms)

    def _report(self, hertz, speed, now_ms):
        for lamp in _LAMPS_HZ:
            if abs(hertz - lamp) <= _LAMP_TOLERANCE_HZ:
                self._lamp += 1
                return
        before, self._before = self._before, speed
        if speed < self._speed_min:
            self._before = 0
        elif before:
            if abs(speed - before) > 10 + (before >> 3):
                self._odd += 1
                return
            self._busy_ms = now_ms
            self._tracker.detect(speed, 0, now_ms)
            if self.watch:
                self.watch(speed)
