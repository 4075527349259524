"""Doppler pulses: readings of a counter that wraps, lamps, Wi-Fi bursts, noise, stalls."""

import asyncio
import time

import radar.doppler
from radar.doppler import BLOCKED, MISCONFIGURED, QUIET, Doppler

SETTINGS = {
    "doppler_mhz": 24_125, "radar_mount_deg": 0, "radar_min_kmh": 2, "class_ped_max_kmh": 8,
    "class_bike_max_kmh": 28,
}  # fmt: skip
HERTZ = 44.71  # a km/h


class Clock:
    """Stands in for `time` in the driver: an hour of pulses takes no time."""

    ticks_diff = staticmethod(time.ticks_diff)
    ticks_add = staticmethod(time.ticks_add)

    def __init__(self):
        self.us = 1_000_000

    def ticks_us(self):
        return self.us

    def ticks_ms(self):
        return self.us // 1000


class Counter:
    """Both edges of a frequency that the test sets; begins again at 0 after 32766."""

    def __init__(self, clock):
        self.hertz = 0
        self.extra = 0
        self._edges = 32_000.0
        self._clock, self._us = clock, clock.us

    def value(self):
        now = self._clock.us
        self._edges += self.hertz * 2 * (now - self._us) / 1e6 + self.extra
        self.extra = 0
        self._us = now
        return int(self._edges) % 32_767


def _driver(hertz_and_seconds, **other):
    """Let (Hz, s) pass by, and silence; the driver, what it has counted, clock and counter."""
    settings = dict(SETTINGS)
    settings.update(other)
    clock = radar.doppler.time = Clock()
    counter = Counter(clock)
    driver = Doppler([counter], settings)
    asyncio.run(driver.start())
    found = []
    for hertz, seconds in hertz_and_seconds + [(0, 0.8)]:
        counter.hertz = hertz
        for _ in range(int(seconds * 10 + 0.5)):
            clock.us += 100_000
            driver._read()
    driver.tick(clock.ticks_ms())
    passage = driver.pop()
    while passage:
        found.append((passage[1], passage[2]))
        passage = driver.pop()
    return driver, found, clock, counter


def _class_and_kmh(found):
    return [(cls, round(speed / 10)) for cls, speed in found]


def test_speed_and_class_of_one_after_the_other():
    driver, found, _, _ = _driver([(50 * HERTZ, 1.0), (0, 0.8), (18 * HERTZ, 1.0)])
    assert _class_and_kmh(found) == [(2, 50), (1, 18)], found
    assert driver.stats()["edges"] > 30_000 // 10


def test_a_reading_of_10_525_ghz():
    _, found, _, _ = _driver([(50 * 19.50, 1.0)], doppler_mhz=10_525)
    assert _class_and_kmh(found) == [(2, 50)], found


def test_the_mounting_angle_stretches():
    _, found, _, _ = _driver([(40 * HERTZ, 1.0)], radar_mount_deg=30)
    assert _class_and_kmh(found) == [(2, 46)], found


def test_lamps_are_nobody():
    for hertz in (100, 120):
        driver, found, _, _ = _driver([(hertz, 2.0)])
        assert found == [] and driver.stats()["lamp_readings"] >= 15


def test_bursts_that_are_never_alike_are_nobody():
    driver, found, _, _ = _driver([(400, 0.1), (2000, 0.1), (900, 0.1), (3000, 0.1)] * 3)
    assert found == [] and driver.stats()["odd_readings"] >= 3


def test_who_is_much_faster_is_the_next_one():
    _, found, _, _ = _driver([(15 * HERTZ, 1.5), (50 * HERTZ, 1.0)])
    assert _class_and_kmh(found) == [(1, 15), (2, 50)], found


def test_what_nobody_read_in_time_is_counted_as_lost():
    driver, _, clock, counter = _driver([])
    counter.extra = 700
    clock.us += 3_000_000
    driver._read()
    assert driver.stats()["lost_edges"] == 700 and driver.pop() is None


def test_noise_that_never_stops_is_a_state():
    driver, _, clock, _ = _driver([])
    assert driver.state == QUIET
    driver.tick(clock.ticks_ms() + 61_000)
    assert driver.state == BLOCKED


def test_a_board_without_a_counter_says_so():
    driver = Doppler(None, SETTINGS)
    asyncio.run(driver.start())
    driver.tick(1000)
    assert driver.state == MISCONFIGURED and driver.pop() is None
