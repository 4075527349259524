"""LD2451: vectors of the maker and live ones, damaged streams, configuration, stalls, states."""

import asyncio
import random
from binascii import unhexlify

import radar.ld24xx
import radar.ld24xx_commands
import radar.ld2451
from board_parts import radar_settings
from radar.frames import ANSWER, REPORT
from radar.ld2451 import LD2451, Reports
from sensor_line import ScriptedUart, VirtualTime, fed, run

VECTORS = (
    ("F4F3F2F1110003018A28003C158A1E013C0F765F003C0FF8F7F6F5", 1,
     [(10, 40, 0, 60, 21), (10, 30, 1, 60, 15), (-10, 95, 0, 60, 15)]),
    ("F4F3F2F1070001018F040103FFF8F7F6F5", 1, [(15, 4, 1, 3, 255)]),
    ("F4F3F2F1070001018A10011422F8F7F6F5", 1, [(10, 16, 1, 20, 34)]),
    ("F4F3F2F1070001008A10011422F8F7F6F5", 0, [(10, 16, 1, 20, 34)]),
    ("F4F3F2F10000F8F7F6F5", 0, []),
    ("F4F3F2F102000000F8F7F6F5", 0, []),
)  # fmt: skip
ANSWERS = (
    ("FDFCFBFA0800FF0100000100000004030201", 0x01FF, "01000000"),
    ("FDFCFBFA0400FE01000004030201", 0x01FE, ""),
    ("FDFCFBFA04000201000004030201", 0x0102, ""),
    ("FDFCFBFA0800120100006401050204030201", 0x0112, "64010502"),
    ("FDFCFBFA0800130100000100000004030201", 0x0113, "01000000"),
    ("FDFCFBFA0C00A0010000512401011015052404030201", 0x01A0, "5124010110150524"),
    ("FDFCFBFA0B00A0010000512401011015052404030201", 0x01A0, "5124010110150524"),
)


def _give(frames, data):
    return [
        (kind, _targets(frames) if kind == REPORT else frames.command)
        for kind in fed(frames, data)
    ]


def _targets(frames):
    found = []
    for i in range(frames.count):
        a, d, direction, v, snr = frames.buf[frames.at + 5 * i : frames.at + 5 * i + 5]
        found.append((a - 128, d, direction, v, snr))
    return (frames.alarm, found)


def test_every_report_vector_is_parsed():
    for text, alarm, targets in VECTORS:
        assert _give(Reports(), unhexlify(text)) == [(REPORT, (alarm, targets))]


def test_every_answer_vector_is_parsed_the_misprinted_length_too():
    for text, command, data in ANSWERS:
        frames = Reports()
        assert _give(frames, unhexlify(text)) == [(ANSWER, command)], text
        assert frames.status == 0
        got = bytes(frames.buf[frames.at : frames.at + frames.length])
        assert got == unhexlify(data), (text, got)


def test_frames_split_at_every_byte_or_glued_are_parsed():
    for text, alarm, targets in VECTORS:
        data = unhexlify(text)
        want = [(REPORT, (alarm, targets))]
        for cut in range(1, len(data)):
            frames = Reports()
            assert _give(frames, data[:cut]) == []
            assert _give(frames, data[cut:]) == want
            assert frames.resync_bytes == 0
        assert _give(Reports(), data * 3) == want * 3


def test_garbage_before_and_between_frames_is_skipped():
    good = unhexlify(VECTORS[1][0])
    heads = (b"\xf4", b"\xf4\xf3\xf4\xf3\xf2", b"\xfd\xfc", b"\xf4\xf3\xf2\xf1\xff\xff")
    for junk in (b"\x00",) + heads:
        frames = Reports()
        seen = _give(frames, junk + good + junk + good)
        assert len(seen) == 2, junk
        assert frames.resync_bytes >= 2


def test_a_truncated_frame_costs_only_itself():
    data = unhexlify(VECTORS[0][0])
    good = unhexlify(VECTORS[2][0])
    for cut in range(1, len(data) - 1):
        seen = _give(Reports(), data[:cut] + good + good)
        assert len(seen) >= 2 and seen[-1] == (REPORT, (1, [(10, 16, 1, 20, 34)])), cut


def test_every_flipped_bit_is_noticed_or_harmless():
    data = bytearray(unhexlify(VECTORS[2][0]))
    good = unhexlify(VECTORS[1][0])
    for bit in range(len(data) * 8):
        hurt = bytearray(data)
        hurt[bit >> 3] ^= 1 << (bit & 7)
        seen = _give(Reports(), bytes(hurt) + good * 6)
        assert seen[-1] == (REPORT, (1, [(15, 4, 1, 3, 255)])), bit


def test_fuzzed_bytes_never_stall_the_parser():
    random.seed(11)
    good = unhexlify(VECTORS[1][0])
    frames = Reports()
    for _ in range(4000):
        junk = bytearray(random.getrandbits(8) for _ in range(random.randrange(40)))
        if random.randrange(2):
            junk[:0] = b"\xf4\xf3\xf2\xf1"
        seen = _give(frames, bytes(junk) + good * 8)
        assert seen and seen[-1] == (REPORT, (1, [(15, 4, 1, 3, 255)]))


class Radar:
    """Answers like the real one, reports in between, and has settings of its own."""

    def __init__(self, deaf=False, stubborn=False):
        self.deaf, self.stubborn = deaf, stubborn
        self.detection = b"\x64\x01\x05\x02"
        self.sensitivity = b"\x01\x00\x00\x00"

    def answer(self, data):
        if self.deaf:
            return b""
        command, value = data[6], data[8:-4]
        reply = b""
        if command == 0xFF:
            reply = b"\x01\x00\x00\x00"
        elif command == 0x12:
            reply = self.detection
        elif command == 0x13:
            reply = self.sensitivity
        elif command == 0x02 and not self.stubborn:
            self.detection = value
        elif command == 0x03 and not self.stubborn:
            self.sensitivity = value
        elif command == 0xA0:
            reply = b"\x51\x24\x01\x01\x10\x15\x05\x24"
        body = bytes((command, 1, 0, 0)) + reply
        frame = b"\xfd\xfc\xfb\xfa" + bytes((len(body), 0)) + body + b"\x04\x03\x02\x01"
        return unhexlify(VECTORS[4][0]) + frame


def _started(device):
    """A started driver on a virtual clock: (driver, UART, clock)."""
    clock = VirtualTime(radar.ld24xx, radar.ld24xx_commands)
    uart = ScriptedUart(clock, device.answer)
    driver = LD2451(uart, radar_settings())
    asyncio.run(driver.start())
    return driver, uart, clock


def _report(*targets):
    """A report of such targets, 5 bytes each."""
    body = bytes((len(targets), 1)) + b"".join(targets)
    return b"\xf4\xf3\xf2\xf1" + bytes((len(body), 0)) + body + b"\xf8\xf7\xf6\xf5"


def test_configuration_is_written_only_when_it_differs():
    device = Radar()
    driver, uart, _ = _started(device)
    assert driver.state == 2 and device.detection == b"\x3c\x02\x02\x00"
    writes = [w for w in uart.written if w[6] in (2, 3)]
    assert len(writes) == 2 and uart.written[-1][6] == 0xFE, "it may report again"
    uart.written.clear()
    asyncio.run(driver.start())
    assert [w for w in uart.written if w[6] in (2, 3)] == []


def test_a_stubborn_radar_is_misconfigured_and_a_deaf_one_silent():
    driver, _, _ = _started(Radar(stubborn=True))
    assert driver.state == 6
    driver, _, _ = _started(Radar(deaf=True))
    assert driver.state == 3 and driver.stats()["answer_timeouts"] == 8


def test_a_silent_radar_is_asked_before_it_counts_as_dead():
    device = Radar()
    driver, _, clock = _started(device)
    clock.us += 61_000_000
    assert driver.tick(clock.ticks_ms())
    asyncio.run(driver.wait())
    assert driver.state == 2
    device.deaf = True
    clock.us += 61_000_000
    assert driver.tick(clock.ticks_ms())
    asyncio.run(driver.wait())
    assert driver.state == 3 and driver.stats()["silences"] == 1


def test_a_silent_radar_is_asked_again_when_there_was_no_memory_to_ask_it():
    device = Radar()
    driver, _, clock = _started(device)
    device.deaf = True

    def full(*_args):
        raise MemoryError

    kept, radar.ld24xx_commands.Dialogue = radar.ld24xx_commands.Dialogue, full
    clock.us += 61_000_000
    assert driver.tick(clock.ticks_ms())
    asyncio.run(driver.wait())
    assert driver.state == 2, "not known to be dead"
    radar.ld24xx_commands.Dialogue = kept
    clock.us += 61_000_000
    assert driver.tick(clock.ticks_ms())
    asyncio.run(driver.wait())
    assert driver.state == 3


def _approach(first_ms, kmh, until_ms):
    """Targets of a car that comes from 40 m, ten a second, until it is past: (ms, target)."""
    seen = []
    for ms in range(first_ms, until_ms, 100):
        metres = 40 - kmh * (ms - first_ms) // 3600
        if metres < 2:
            break
        seen.append((ms, bytes((128, metres, 1, kmh, 60))))
    return seen


def _counted_after_a_stall(cars, stall_ms):
    """Passages that come in a stall: (direction, class, km/h, ms before the end of the stall)."""
    driver, uart, clock = _started(Radar())
    reports = {}
    for car in cars:
        for ms, target in car:
            reports.setdefault(ms, []).append(target)
    end_ms = clock.ticks_ms() + stall_ms
    for ms in sorted(reports):
        uart.at(end_ms, _report(*reports[ms]))
    clock.us = end_ms * 1000
    return [
        (passage[0], passage[1], passage[2] // 10, clock.ticks_diff(end_ms, passage[3]))
        for passage in run(driver, clock, end_ms + 5000)
    ]


def test_cars_that_pass_in_a_stall_are_counted_after_it():
    cars = [_approach(first, 36, 30_000) for first in range(0, 26_000, 5000)]
    counted = _counted_after_a_stall(cars, 30_000)
    assert [passage[:3] for passage in counted] == [(0, 2, 36)] * 6
    for i, (_direction, _class, _speed, ago_ms) in enumerate(counted):
        line_ms = 5000 * i + 3200  # 32 m at 10 m/s
        # The reports are dated to the end of the stall: how long the street was empty is unknown.
        assert 0 <= ago_ms <= 30_000 - line_ms, (i, ago_ms)


def test_two_at_a_time_are_told_apart_after_a_stall():
    cars = [_approach(first, kmh, 9000) for first, kmh in ((0, 36), (1500, 36), (4000, 54))]
    counted = _counted_after_a_stall(cars, 9000)
    assert sorted(passage[2] for passage in counted) == [36, 36, 54]


def _state_after(driver, uart, clock, metres, seconds):
    """An object moves at that distance for so long, in five reports a second."""
    first_ms = clock.ticks_ms()
    for i in range(seconds * 5):
        uart.at(first_ms + 200 * (i + 1), _report(bytes((128, metres, i // 5 & 1, 4, 200))))
    run(driver, clock, first_ms + seconds * 1000)
    return driver.state


def test_a_movement_right_in_front_of_the_radar_for_a_minute_blocks_it():
    driver, uart, clock = _started(Radar())
    assert _state_after(driver, uart, clock, 12, 90) == 1
    assert _state_after(driver, uart, clock, 1, 58) == 1
    assert _state_after(driver, uart, clock, 1, 4) == 4
    run(driver, clock, clock.ticks_ms() + 4000)
    assert driver.state == 2, "it is gone"


def test_a_radar_that_looks_elsewhere_is_misaligned_until_it_is_turned_back():
    class Tracker(radar.ld2451.Tracker):
        is_turned = True

        def misaligned(self):
            return Tracker.is_turned

    radar.ld2451.Tracker = Tracker
    driver, uart, clock = _started(Radar())
    assert _state_after(driver, uart, clock, 12, 2) == 5
    Tracker.is_turned = False
    assert _state_after(driver, uart, clock, 12, 2) == 1


def test_reports_are_read_three_at_a_time_in_dense_traffic():
    driver, uart, clock = _started(Radar())
    reads, readinto = [], uart.readinto

    def noted(buf):
        reads.append(clock.ticks_ms())
        return readinto(buf)

    uart.readinto = noted
    first_ms = clock.ticks_ms()
    for i in range(300):
        uart.at(first_ms + 100 * (i + 1), _report(bytes((128, 40, 1, 4, 60))))
    run(driver, clock, first_ms + 31_000)
    assert driver.stats()["frames_ok"] >= 300 and len(reads) <= 105, len(reads)


def test_two_metres_are_right_in_front_of_the_radar_and_three_are_not():
    for metres, state in ((2, 4), (3, 1)):
        driver, uart, clock = _started(Radar())
        assert _state_after(driver, uart, clock, metres, 65) == state, metres


def test_a_radar_that_has_answered_is_not_asked_again_for_a_minute():
    device = Radar()
    driver, uart, clock = _started(device)
    clock.us += 61_000_000
    assert driver.tick(clock.ticks_ms())
    asyncio.run(driver.wait())
    assert driver.probe() < 1000, "its answer was heard"
    for second in range(1, 60):
        clock.us += 1_000_000
        assert not driver.tick(clock.ticks_ms()), second
