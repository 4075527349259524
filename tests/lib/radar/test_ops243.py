"""OPS243: recorded and damaged lines, baud rates, settings, bursts of one and of two."""

import asyncio
import random

import radar.ops243
from passage.speed_bursts import SpeedBurstTracker
from radar.lines import REPORT, Lines
from radar.ops243 import BLOCKED, MISCONFIGURED, OK, OPS243, QUIET, SILENT
from sensor_line import ScriptedUart, VirtualTime, fed, run

REPORTS = (
    (b"137.429,3.6", 2, 13742, 360),
    (b"606.71,-10.90", 2, 60671, -1090),
    (b"-12", 1, None, -1200),
    (b"0", 1, None, 0),
    (b" 20.5, -0.06 ", 2, 2050, -6),
    (b"3.14159", 1, None, 314),
)
TEXTS = (
    b'{"speed":"0.06"}',
    b'{"speed": -45.2, "magnitude": 500}',
    b'{"magnitude":[606.71, 352.58, 230.87], "speed":[-10.90, -12.26, -17.71]}',
    b'{"ALERT": High Speed inbound 1.7 mps}',
    b'{"Units":"km-per-hr"}',
)
SET = (b"UK", b"OM", b"BZ", b"M>20\r", b"PA")
SETTINGS = {
    "radar_mount_deg": 0, "radar_min_kmh": 2, "class_ped_max_kmh": 8, "class_bike_max_kmh": 28,
}  # fmt: skip


def _give(lines, data):
    seen = []
    for kind in fed(lines, data):
        first = lines.first if lines.values == 2 else None
        seen.append((lines.values, first, lines.last) if kind == REPORT else lines.text())
    return seen


def test_reports_are_parsed_in_hundredths():
    for text, values, first, last in REPORTS:
        assert _give(Lines(), text + b"\r\n") == [(values, first, last)], text


def test_other_lines_are_text():
    for text in TEXTS:
        assert _give(Lines(), text + b"\r\n") == [text + b"\r"], text


def test_lines_split_at_every_byte_or_glued_are_parsed():
    data = b"606.71,-10.90\r\n"
    for cut in range(1, len(data)):
        lines = Lines()
        assert _give(lines, data[:cut]) + _give(lines, data[cut:]) == [(2, 60671, -1090)]
    assert len(_give(Lines(), data * 100)) == 100


def test_a_line_that_is_no_number_is_refused_and_counted():
    for text in (
        b"-",
        b".",
        b"1,2,3",
        b"1,",
        b",1",
        b"1e5",
        b"1.2.3",
        b"kmph,12",
        b"\xff\xfe",
        b"--1",
    ):
        lines = Lines()
        assert _give(lines, text + b"\r\n5,6\r\n") == [(2, 500, 600)], text
        assert lines.bad_lines == 1, text


def test_a_line_without_an_end_costs_only_itself():
    lines = Lines()
    assert _give(lines, b"7" * 2000 + b"\n5,6\n") == [(2, 500, 600)]
    assert lines.resync_bytes == 2001


class Sensor(ScriptedUart):
    """Answers at one baud rate. `clock`: the virtual time that it and the driver share."""

    def __init__(self, baud=19_200, units="km-per-hr", dead=False):
        self.clock = VirtualTime(radar.ops243)
        super().__init__(self.clock, self._told)
        self._right, self._units, self.dead = baud, units, dead
        self.baud = 0
        self.heard = b""

    def init(self, baudrate=0, **_settings):
        self.baud = baudrate
        self._rx = b""

    def _told(self, data):
        if self.dead or self.baud != self._right:
            return b""
        self.heard += data
        if data == b"??":
            return b'{"Product":"OPS243"}\r\n{"SamplingRate":10000, "resolution":0.0607}\r\n'
        return b'{"Units":"%s"}\r\n' % self._units.encode() if data == b"U?" else b""


def _started(sensor):
    driver = OPS243(sensor, SETTINGS)
    asyncio.run(driver.start())
    sensor.heard = b""
    return driver


def _read(driver, sensor, *pieces, step_ms=160, after_ms=500):
    """Let the driver read pieces of bytes, step_ms apart. Return the state after_ms later."""
    ms = sensor.clock.ticks_ms()
    for data in pieces:
        ms += step_ms
        sensor.at(ms, data)
    run(driver, sensor.clock, ms + after_ms)
    return driver.state


def test_the_sensor_is_found_at_every_usual_baud_rate_and_set():
    for baud in (19_200, 57_600, 115_200):
        sensor = Sensor(baud)
        driver = OPS243(sensor, SETTINGS)
        asyncio.run(driver.start())
        assert driver.state == QUIET and sensor.baud == baud
        for command in SET:
            assert command in sensor.heard, command


def test_a_sensor_that_keeps_its_units_is_misconfigured_and_a_dead_one_silent():
    assert _started(Sensor(units="mph")).state == MISCONFIGURED
    assert _started(Sensor(dead=True)).state == SILENT


def test_a_sensor_that_has_restarted_gets_its_settings_again():
    for line in (b"3.27\r\n", b'{"speed":"3.27"}\r\n'):  # metres a second, without magnitude
        sensor = Sensor()
        driver = _started(sensor)
        _read(driver, sensor, b"500,20\r\n0\r\n")
        assert sensor.heard == b""
        _read(driver, sensor, line, line, line, after_ms=3000)
        assert all(command in sensor.heard for command in SET), line


def test_lines_that_are_cut_do_not_restart_the_sensor():
    sensor = Sensor()
    _read(_started(sensor), sensor, *[b"500,20\r\n61\r\n500,20\r\n7\r\n9\r\n"] * 20)
    assert sensor.heard == b""


def _drive(users, noise=0.3):
    """users: (second at the edge of the lobe, km/h, direction). Strength: 1 / distance squared."""
    random.seed(6)
    bursts, out = SpeedBurstTracker(), []
    for t in range(0, 120_000, 156):
        found = None
        for edge_s, kmh, direction in users:
            metres = (t / 1000 - edge_s) * kmh / 3.6 * (1 if direction else -1)
            if 0 <= metres < 55:
                strength = int(98_000 / (metres + 13) ** 2 * (1 + noise * (random.random() - 0.5)))
                if found is None or strength > found[1]:
                    found = (int(kmh * 10 * (1 if not direction else -1)), strength)
        if found:
            bursts.detect(found[0], found[1], t)
        if t % 1000 < 156:
            bursts.expire(t)
        while len(bursts.queue):
            out.append(bursts.queue.pop()[:4])
    return out


def test_a_road_user_in_each_direction_has_speed_class_and_moment():
    for kmh, cls in ((5, 0), (18, 1), (50, 2)):
        for direction in (0, 1):
            got = _drive([(60, kmh, direction)])
            assert len(got) == 1, (kmh, direction, got)
            _direction, found, speed, when = got[0]
            assert (_direction, found) == (direction, cls) and abs(speed - kmh * 10) <= 5, got
            assert abs(when - 60_000) < 400, when


def test_followers_are_told_apart_without_a_pause_between_them():
    for direction in (0, 1):
        got = _drive([(60 + 3 * i, 46, direction) for i in range(5)])
        assert [g[0] for g in got] == [direction] * 5, got


def test_movement_without_a_pause_blocks_the_sensor_and_a_pause_ends_that():
    sensor = Sensor()
    driver = _started(sensor)
    line = b"200.00,14.00\r\n"
    assert _read(driver, sensor, *[line] * 150, step_ms=1900) == OK
    assert _read(driver, sensor, *[line] * 15, step_ms=1900) == BLOCKED
    assert _read(driver, sensor, b"0\r\n", line, after_ms=1200) == OK


def _watched(driver, sensor, seconds, then):
    """Let it run; then(second) is called once a second. (second, state) of each change."""
    begin_ms, tick, changes = sensor.clock.ticks_ms(), driver.tick, [(0, driver.state)]

    def ticked(now_ms):
        again = tick(now_ms)
        second = (now_ms - begin_ms) // 1000
        then(second)
        if driver.state != changes[-1][1]:
            changes.append((second, driver.state))
        return again

    driver.tick = ticked
    run(driver, sensor.clock, begin_ms + seconds * 1000)
    return changes


def test_a_silent_sensor_is_a_fault_after_ten_seconds_and_looked_for_once_a_minute():
    sensor = Sensor()
    driver = _started(sensor)
    sensor.dead, tries = True, []
    begin_ms = sensor.clock.ticks_ms()
    sensor.init = lambda **_settings: tries.append((sensor.clock.ticks_ms() - begin_ms) // 1000)
    changes = _watched(driver, sensor, 150, lambda second: None)
    assert changes in ([(0, QUIET), (10, SILENT)], [(0, QUIET), (11, SILENT)])
    starts = tries[0], tries[9], tries[18]  # it tries three rates three times
    assert len(tries) == 27 and 10 <= starts[0] <= 11, tries
    assert all(60 <= later - sooner <= 66 for sooner, later in zip(starts, starts[1:])), starts
    assert driver.stats()["silences"] == 1


def test_a_silent_sensor_that_is_found_counts_again():
    sensor = Sensor()
    driver = _started(sensor)
    sensor.dead = True

    def repaired(second):
        sensor.dead = second < 60

    changes = _watched(driver, sensor, 80, repaired)
    assert [state for _second, state in changes] == [QUIET, SILENT, QUIET], changes
    assert all(command in sensor.heard for command in SET)


def test_a_sensor_that_speaks_again_gets_its_settings_at_once():
    sensor = Sensor()
    driver = _started(sensor)
    run(driver, sensor.clock, sensor.clock.ticks_ms() + 9000)
    sensor.dead = True
    run(driver, sensor.clock, sensor.clock.ticks_ms() + 10_000)
    assert driver.state == SILENT
    sensor.dead, sensor.heard = False, b""
    assert _read(driver, sensor, b"0\r\n", b"0\r\n", after_ms=3000) == QUIET
    assert all(command in sensor.heard for command in SET)


def test_a_technician_sees_when_the_sensor_was_heard_last():
    sensor = Sensor()
    driver = _started(sensor)
    assert driver.probe() == 0
    _read(driver, sensor, b"0\r\n", after_ms=700)
    assert 650 <= driver.probe() <= 700


def test_the_live_view_gets_speeds_with_a_strength_and_statistics_count_all_lines():
    sensor = Sensor()
    driver = _started(sensor)
    before, shown = driver.stats(), []
    driver.watch = lambda lines: shown.append((lines.first, lines.last))
    lines = (b"500,20", b"0", b"1,2,3", b"{what}", b'{"Clock":7}')
    _read(driver, sensor, *[line + b"\r\n" for line in lines])
    assert shown == [(50_000, 2000)]
    after = driver.stats()
    grown = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert grown == {"frames_ok": 4, "bad_lines": 1, "other_lines": 1, "ghosts": 1}
    _read(driver, sensor, b'{"speed":"3.0"}\r\n')
    assert driver.stats()["other_lines"] == after["other_lines"] + 1


def test_speeds_below_the_least_are_no_road_user():
    for kmh, state in ((b"-1.94", QUIET), (b"-2.05", OK)):
        sensor = Sensor()
        assert _read(_started(sensor), sensor, b"500," + kmh + b"\r\n") == state, kmh


def test_reports_that_waited_in_a_stall_are_dated_one_by_one():
    sensor = Sensor()
    driver = _started(sensor)
    passed_ms = sensor.clock.ticks_ms() + 10_000
    inbound = b"".join(b"%d.0,36.00\r\n" % (60 + 9 * i) for i in range(20))
    sensor.at(passed_ms, inbound + b"0\r\n" * 10)
    sensor.clock.us = passed_ms * 1000
    (passage,) = run(driver, sensor.clock, passed_ms + 3000)
    assert passage[:3] == (0, 2, 360)
    assert abs(passed_ms - 10 * 160 - passage[3]) <= 200, passed_ms - passage[3]


def test_two_seconds_without_a_road_user_are_quiet():
    for after_ms, state in ((1700, OK), (3200, QUIET)):
        sensor = Sensor()
        driver = _started(sensor)
        second_ms = 1000 - sensor.clock.ticks_ms() % 1000
        sensor.at(sensor.clock.ticks_ms() + second_ms, b"500,20\r\n")
        run(driver, sensor.clock, sensor.clock.ticks_ms() + second_ms + after_ms)
        assert driver.state == state, after_ms
