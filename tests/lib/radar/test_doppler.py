"""Doppler pulses: readings of a counter that wraps, lamps, Wi-Fi bursts, noise, stalls."""

import asyncio

import radar.doppler
from radar.doppler import BLOCKED, MISCONFIGURED, OK, QUIET, Doppler
from sensor_line import VirtualTime, run

SETTINGS = {
    "doppler_mhz": 24_125, "radar_mount_deg": 0, "radar_min_kmh": 2, "class_ped_max_kmh": 8,
    "class_bike_max_kmh": 28,
}  # fmt: skip
HERTZ = 44.71  # a km/h


class Counter:
    """Both edges of a frequency that the test sets. It begins again at 0 after 32766.

    steps: (Hz, seconds), one after the other, then silence.
    """

    def __init__(self, clock, steps):
        self.extra = 0
        self._edges = 32_000.0
        self._clock, self._us = clock, clock.us
        self._steps = []  # (Hz, end in us)
        end_us = clock.us
        for hertz, seconds in steps:
            end_us += int(seconds * 1e6)
            self._steps.append((hertz, end_us))
        self.end_ms = end_us // 1000

    def value(self):
        now = self._clock.us
        while self._us < now:
            hertz, end = self._steps[0] if self._steps else (0, now)
            until = min(now, end)
            self._edges += hertz * 2 * (until - self._us) / 1e6
            self._us = until
            if self._steps and until == end:
                self._steps.pop(0)
        self._edges += self.extra
        self.extra = 0
        return int(self._edges) % 32_767


def _counted(steps, **other):
    """Let (Hz, s) pass by, then silence: the driver, its passages, clock and counter."""
    settings = dict(SETTINGS)
    settings.update(other)
    clock = VirtualTime(radar.doppler)
    counter = Counter(clock, steps)
    driver = Doppler([counter], settings)
    asyncio.run(driver.start())
    passages = run(driver, clock, counter.end_ms + 2000)
    return driver, [(passage[1], passage[2]) for passage in passages], clock, counter


def _class_and_kmh(found):
    return [(cls, round(speed / 10)) for cls, speed in found]


def test_two_road_users_in_turn_have_speed_and_class():
    driver, found, _, _ = _counted([(50 * HERTZ, 1.0), (0, 0.8), (18 * HERTZ, 1.0)])
    assert _class_and_kmh(found) == [(2, 50), (1, 18)], found
    assert driver.stats()["edges"] > 30_000 // 10


def test_a_module_of_10_525_ghz_has_its_own_scale():
    _, found, _, _ = _counted([(50 * 19.50, 1.0)], doppler_mhz=10_525)
    assert _class_and_kmh(found) == [(2, 50)], found


def test_the_mounting_angle_is_corrected():
    _, found, _, _ = _counted([(40 * HERTZ, 1.0)], radar_mount_deg=30)
    assert _class_and_kmh(found) == [(2, 46)], found


def test_lamps_count_as_no_road_user():
    for hertz in (100, 120):
        driver, found, _, _ = _counted([(hertz, 2.0)])
        assert found == [] and driver.stats()["lamp_readings"] >= 15


def test_readings_that_differ_count_as_no_road_user():
    driver, found, _, _ = _counted([(400, 0.1), (2000, 0.1), (900, 0.1), (3000, 0.1)] * 3)
    assert found == [] and driver.stats()["odd_readings"] >= 3


def test_a_much_higher_speed_is_the_next_road_user():
    _, found, _, _ = _counted([(15 * HERTZ, 1.5), (50 * HERTZ, 1.0)])
    assert _class_and_kmh(found) == [(1, 15), (2, 50)], found


def test_edges_read_too_late_are_counted_as_lost():
    driver, _, clock, counter = _counted([])
    counter.extra = 700
    clock.us += 3_000_000
    assert run(driver, clock, clock.ticks_ms() + 200) == []
    assert driver.stats()["lost_edges"] == 700


def test_noise_that_never_stops_blocks_the_detector():
    driver, _, clock, _ = _counted([])
    assert driver.state == QUIET
    driver.tick(clock.ticks_ms() + 61_000)
    assert driver.state == BLOCKED


def test_a_board_without_a_counter_is_misconfigured():
    driver = Doppler(None, SETTINGS)
    asyncio.run(driver.start())
    driver.tick(1000)
    assert driver.state == MISCONFIGURED and driver.pop() is None


def test_the_live_view_gets_speeds_as_they_are_measured():
    clock = VirtualTime(radar.doppler)
    counter, shown = Counter(clock, [(40 * HERTZ, 1.0)]), []
    driver = Doppler([counter], SETTINGS)
    asyncio.run(driver.start())
    driver.watch = shown.append
    run(driver, clock, counter.end_ms)
    driver.tick(clock.ticks_ms())
    assert driver.state == OK
    run(driver, clock, counter.end_ms + 4000)
    assert driver.state == QUIET
    assert 7 <= len(shown) <= 10 and all(abs(speed - 400) <= 5 for speed in shown), shown
