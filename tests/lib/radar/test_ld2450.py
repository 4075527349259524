"""LD2450: vectors of the maker, damaged streams, stale slots, configuration, crossings."""

import asyncio
import random
from binascii import unhexlify

import radar.ld24xx
import radar.ld24xx_commands
import radar.ld2450
from passage.planar_tracker import PlanarTracker
from radar.frames import ANSWER, REPORT
from radar.ld24xx import BLOCKED, MISCONFIGURED, OK, QUIET, SILENT
from radar.ld2450 import LD2450, Reports
from sensor_line import ScriptedUart, VirtualTime, fed, run

M1 = unhexlify("AAFF03000E03B186100040010000000000000000000000000000000055CC")
EMPTY = unhexlify("AAFF0300" + "00" * 24 + "55CC")
ANSWERS = (
    ("FDFCFBFA0800FF01000001004000 04030201", 0x01FF, "01004000"),
    ("FDFCFBFA0400FE01000004030201", 0x01FE, ""),
    ("FDFCFBFA0600910100000200 04030201", 0x0191, "0200"),
    ("FDFCFBFA0C00A00100000000020116240622 04030201", 0x01A0, "0000020116240622"),
)
SETTINGS = {
    "ld2450_flip": 0, "ld2450_max_mm": 6000, "class_ped_max_kmh": 8, "class_bike_max_kmh": 28,
}  # fmt: skip


def _signed(value):
    return value | 0x8000 if value >= 0 else -value


def _target(x, y, speed):
    out = bytearray()
    for number in (_signed(x), _signed(y), _signed(speed), 360):
        out.append(number & 255)
        out.append(number >> 8)
    return bytes(out)


def _frame(*targets):
    body = b"".join(_target(*t) for t in targets)
    return b"\xaa\xff\x03\x00" + body + bytes(24 - len(body)) + b"\x55\xcc"


def _give(frames, data):
    return [
        (kind, frames.count if kind == REPORT else frames.command) for kind in fed(frames, data)
    ]


class Seen(PlanarTracker):
    """A tracker that only keeps the places of the detections."""

    places = []

    def detect(self, x, y, _ms):
        self.places.append((x, y))


def _started(device, **changes):
    """A started driver on a virtual clock: (driver, UART, clock)."""
    clock = VirtualTime(radar.ld24xx, radar.ld24xx_commands)
    uart = ScriptedUart(clock, device)
    settings = dict(SETTINGS)
    settings.update(changes)
    driver = LD2450(uart, settings)
    asyncio.run(driver.start())
    return driver, uart, clock


def _read(driver, uart, clock, frames, count):
    """Let the driver read so many frames, again and again the same, ten a second."""
    first_ms = clock.ticks_ms() + 100
    for i in range(count):
        uart.at(first_ms + 100 * i, frames[i % len(frames)])
    run(driver, clock, first_ms + 100 * count + 500)


def _places(frame, count=1, **changes):
    radar.ld2450.PlanarTracker = Seen
    Seen.places.clear()
    _read(*_started(Radar(2), **changes), [frame], count)
    return Seen.places


def test_the_vector_of_the_maker_is_a_target_at_its_place():
    assert _give(Reports(), M1) == [(REPORT, 3)]
    assert _places(M1) == [(-782, 1713)]
    assert _places(M1, ld2450_flip=1) == [(782, 1713)]
    assert _places(M1, ld2450_max_mm=1700) == []


def test_an_empty_report_has_no_targets():
    assert _give(Reports(), EMPTY) == [(REPORT, 0)]


def test_every_answer_of_the_protocol_paper_is_parsed():
    for text, command, data in ANSWERS:
        frames = Reports()
        assert _give(frames, unhexlify(text.replace(" ", ""))) == [(ANSWER, command)], text
        got = bytes(frames.buf[frames.at : frames.at + frames.length])
        assert got == unhexlify(data) and frames.status == 0


def test_frames_split_at_every_byte_glued_or_in_garbage_are_parsed():
    for cut in range(1, len(M1)):
        frames = Reports()
        assert _give(frames, M1[:cut]) == []
        assert _give(frames, M1[cut:]) == [(REPORT, 3)]
        assert frames.resync_bytes == 0
    frames = Reports()
    assert _give(frames, b"\x00\x00\xff" + M1 + M1) == [(REPORT, 3)] * 2
    assert frames.resync_bytes == 3


def test_a_header_that_begins_twice_costs_two_bytes():
    frames = Reports()
    assert _give(frames, M1[:2] + M1) == [(REPORT, 3)]
    assert frames.resync_bytes == 2


def test_after_a_frame_that_is_cut_off_the_next_one_is_found():
    for cut in range(1, len(M1)):
        frames = Reports()
        found = _give(frames, M1[:cut] + EMPTY + M1)
        assert found[-1] == (REPORT, 3), cut
        assert len(found) == 2, cut


def test_a_stale_slot_is_ignored_after_ten_reports():
    stale = _frame((900, 2000, 0), (100, 1500, 20))
    places = _places(stale, 40)
    assert places.count((900, 2000)) == 11
    assert places.count((100, 1500)) == 40


def _drive(tracker, crossings, noise=60):
    """crossings: (second on the line, km/h, direction). The radar sees x from -3 to 3 m."""
    random.seed(4)
    for t in range(0, 60_000, 100):
        for cross_s, kmh, direction in crossings:
            x = int((t / 1000 - cross_s) * kmh / 3.6 * 1000) * (-1 if direction else 1)
            if abs(x) < 3000 and random.random() < 0.94:
                y = 2000 + 400 * direction
                tracker.detect(
                    x + random.randrange(-noise, noise), y + random.randrange(-noise, noise), t
                )
        if t % 1000 == 0:
            tracker.expire(t)
    out = []
    while len(tracker.queue):
        out.append(tracker.queue.pop())
    return out


def test_walkers_and_cyclists_have_direction_class_speed_and_moment():
    for direction in (0, 1):
        for kmh, cls in ((4.5, 0), (17, 1), (26, 1), (40, 4)):
            got = _drive(PlanarTracker(), [(20, kmh, direction)])
            assert len(got) == 1, (kmh, got)
            _direction, found, speed, when, _on_line, _raw = got[0]
            assert (_direction, found) == (direction, cls), (kmh, got)
            assert abs(speed - kmh * 10) < kmh + 3, (kmh, speed)
            assert abs(when - 20_000) < 250, when


def test_two_walkers_that_meet_on_the_line_are_two():
    got = _drive(PlanarTracker(), [(20, 5, 0), (20.3, 5, 1)])
    assert sorted(g[0] for g in got) == [0, 1], got


def test_a_walker_that_turns_back_before_the_line_is_not_counted():
    tracker = PlanarTracker()
    for t in range(0, 6000, 100):
        x = -2500 + t * 8 // 10 if t < 3000 else -100 - (t - 3000) * 8 // 10
        tracker.detect(x, 2000, t)
    tracker.expire(9000)
    assert len(tracker.queue) == 0


def test_a_walker_that_comes_back_over_the_line_counts_in_both_directions():
    tracker = PlanarTracker()
    for t in range(0, 8000, 100):
        tracker.detect(-2000 + t if t < 4000 else 2000 - (t - 4000), 2000, t)
    assert [tracker.queue.pop()[0], tracker.queue.pop()[0]] == [0, 1]
    assert tracker.queue.pop() is None


def test_a_person_that_sways_on_the_line_counts_once():
    random.seed(8)
    tracker = PlanarTracker()
    for t in range(0, 60_000, 100):
        x = -2000 + t if t < 2100 else 100 + random.randrange(-120, 120)
        tracker.detect(x, 2000, t)
    assert len(tracker.queue) <= 1


def test_short_tracks_are_counted_as_ghosts():
    tracker = PlanarTracker()
    tracker.detect(500, 2000, 100)
    tracker.detect(-900, 4500, 200)
    tracker.expire(3000)
    assert tracker.ghosts == 2 and len(tracker.queue) == 0


class Radar:
    """Answers commands; `mode` 1 = one target, 2 = three."""

    def __init__(self, mode, stubborn=False):
        self.mode = mode
        self._stubborn = stubborn
        self.commands = []

    def __call__(self, data):
        command = data[6]
        self.commands.append(command)
        body = bytes((command, 1, 0, 0))
        if command == 0xFF:
            body += b"\x01\x00\x40\x00"
        if command == 0x90 and not self._stubborn:
            self.mode = 2
        if command == 0x91:
            body += bytes((self.mode, 0))
        return b"\xfd\xfc\xfb\xfa" + bytes((len(body), 0)) + body + b"\x04\x03\x02\x01"


def test_the_radar_is_set_to_three_targets_only_if_it_is_not():
    device = Radar(1)
    assert _started(device)[0].state == QUIET and 0x90 in device.commands and device.mode == 2
    device = Radar(2)
    assert _started(device)[0].state == QUIET and 0x90 not in device.commands


def test_a_radar_that_keeps_its_setting_is_misconfigured_and_a_dead_one_silent():
    assert _started(Radar(1, stubborn=True))[0].state == MISCONFIGURED
    assert _started(lambda _data: b"")[0].state == SILENT


def _walk(tracker, number, first_mm, last_mm):
    """Walkers go from one x to another, one after the other."""
    for i in range(number):
        for step in range((last_mm - first_mm) // 140):
            tracker.detect(first_mm + 140 * step, 2000, i * 20_000 + step * 100)
        tracker.expire(i * 20_000 + 19_000)


def test_a_radar_that_looks_beside_the_path_is_misaligned():
    tracker = PlanarTracker()
    _walk(tracker, 70, -4000, -1500)
    assert tracker.misaligned() and len(tracker.queue) == 0
    _walk(tracker, 32, -2500, 1500)
    assert tracker.misaligned(), "two of three still miss the line: too many to change the state"
    _walk(tracker, 20, -2500, 1500)
    assert not tracker.misaligned()
    tracker = PlanarTracker()
    _walk(tracker, 70, -2500, 1500)
    assert not tracker.misaligned()
    _walk(tracker, 200, -4000, -1500)
    assert tracker.misaligned(), "somebody has turned it"


def test_a_person_right_in_front_of_the_radar_for_a_minute_blocks_it():
    for y, state in ((2000, OK), (300, BLOCKED)):
        driver, uart, clock = _started(Radar(2))
        _read(driver, uart, clock, [_frame((200 + i, y, 5)) for i in range(7)], 700)
        assert driver.state == state, (y, driver.state)


def test_statistics_count_slots_that_went_stale_and_the_live_view_gets_each_report():
    driver, uart, clock = _started(Radar(2))
    shown = []
    driver.watch = lambda frames: shown.append(frames.count)
    assert driver.stats()["stale_slots"] == 0
    stale = _frame((900, 2000, 0), (100, 1500, 20))
    _read(driver, uart, clock, [stale], 10)
    assert driver.stats()["stale_slots"] == 0 and shown == [3] * 10
    _read(driver, uart, clock, [stale], 10)
    assert driver.stats()["stale_slots"] == 1, "once for each slot"
    _read(driver, uart, clock, [_frame((901, 2000, 0)), EMPTY], 2)
    assert len(shown) == 21, "an empty report is not shown"


def test_a_radar_that_was_away_is_configured_anew_when_it_answers():
    device = Radar(2)
    driver, _uart, clock = _started(device)
    begin_ms, answers, away = clock.ticks_ms(), device.__call__, []
    driver._uart._answer = lambda data: b"" if away else answers(data)
    away.append(1)
    run(driver, clock, begin_ms + 130_000)
    assert driver.state == SILENT and driver.stats()["silences"] == 1
    away.clear()
    device.mode = 1  # as it comes from the maker
    run(driver, clock, begin_ms + 260_000)
    assert driver.state == QUIET and device.mode == 2


def test_noise_without_an_end_is_dropped_and_the_next_frame_found():
    frames = Reports()
    assert _give(frames, b"\xaa\xff\x03\x00" + bytes(range(1, 200)) * 20 + M1) == [(REPORT, 3)]
    assert frames.bad_footer == 1 and frames.resync_bytes == 4 + 199 * 20
    frames.drop()
    assert frames.rest() == 0 and _give(frames, M1) == [(REPORT, 3)]
