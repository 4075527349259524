"""LD2451: the maker's and live vectors, damaged streams, a stubborn radar's configuration."""

import asyncio
import random
import time
from binascii import unhexlify

import radar.ld24xx as module
from board_parts import FakeUart, radar_settings
from feeding import fed
from radar.ld2451 import LD2451, Reports
from radar.frames import ANSWER, REPORT

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
        a, d, way, v, snr = frames.buf[frames.at + 5 * i : frames.at + 5 * i + 5]
        found.append((a - 128, d, way, v, snr))
    return (frames.alarm, found)


def test_every_report_vector():
    for text, alarm, targets in VECTORS:
        assert _give(Reports(), unhexlify(text)) == [(REPORT, (alarm, targets))]


def test_every_answer_vector_and_the_misprinted_length():
    for text, command, data in ANSWERS:
        frames = Reports()
        assert _give(frames, unhexlify(text)) == [(ANSWER, command)], text
        assert frames.status == 0
        got = bytes(frames.buf[frames.at : frames.at + frames.length])
        assert got == unhexlify(data), (text, got)


def test_split_at_every_byte_and_glued():
    for text, alarm, targets in VECTORS:
        data = unhexlify(text)
        want = [(REPORT, (alarm, targets))]
        for cut in range(1, len(data)):
            frames = Reports()
            assert _give(frames, data[:cut]) == []
            assert _give(frames, data[cut:]) == want
            assert frames.resync_bytes == 0
        assert _give(Reports(), data * 3) == want * 3


def test_garbage_before_and_between_frames_is_stepped_over():
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


def _started(radar):
    uart = FakeUart(radar.answer)
    driver = LD2451(uart, radar_settings())
    asyncio.run(driver.start())
    return driver, uart


def test_configuration_is_written_only_when_it_differs():
    radar = Radar()
    driver, uart = _started(radar)
    assert driver.state == 2 and radar.detection == b"\x3c\x02\x02\x00"
    writes = [w for w in uart.written if w[6] in (2, 3)]
    assert len(writes) == 2
    uart.written.clear()
    asyncio.run(driver.start())
    assert [w for w in uart.written if w[6] in (2, 3)] == []


def test_a_stubborn_radar_is_misconfigured_and_a_deaf_one_silent():
    driver, _ = _started(Radar(stubborn=True))
    assert driver.state == 6
    driver, _ = _started(Radar(deaf=True))
    assert driver.state == 3 and driver.stats()["answer_timeouts"] == 8


def test_a_silent_radar_is_asked_before_it_is_called_dead():
    radar = Radar()
    driver, uart = _started(radar)
    later = time.ticks_add(time.ticks_ms(), 61_000)
    assert driver.tick(later)
    asyncio.run(driver.wait())
    assert driver.state == 2
    radar.deaf = True
    assert driver.tick(time.ticks_add(later, 61_000))
    asyncio.run(driver.wait())
    assert driver.state == 3 and driver.stats()["silences"] == 1


class Ticks:
    """Stands for the driver's module `time`: only the test lets time pass."""

    ticks_add, ticks_diff = time.ticks_add, time.ticks_diff
    now_ms = 1000

    @classmethod
    def ticks_ms(cls):
        return cls.now_ms


def _approaches(first_ms, kmh, until_ms):
    """Reports of a car that comes from 40 m, ten a second, until it is past: (ms, targets)."""
    seen = []
    for ms in range(first_ms, until_ms, 100):
        metres = 40 - kmh * (ms - first_ms) // 3600
        if metres < 2:
            break
        seen.append((ms, bytes((128, metres, 1, kmh, 60))))
    return seen


def _after_a_stall(cars, stall_ms):
    """What is counted when nobody reads for so long: (direction, class, km/h, ms before now)."""
    driver, uart = _started(Radar())
    module.time = Ticks
    driver._heard_ms = Ticks.ticks_ms()
    reports = {}
    for car in cars:
        for ms, target in car:
            reports[ms] = reports.get(ms, b"") + target
    for ms in sorted(reports):
        body = bytes((len(reports[ms]) // 5, 1)) + reports[ms]
        uart.inject(b"\xf4\xf3\xf2\xf1" + bytes((len(body), 0)) + body + b"\xf8\xf7\xf6\xf5")
    Ticks.now_ms += stall_ms
    end_ms = Ticks.ticks_ms()
    counted = []

    def take():
        driver.tick(Ticks.ticks_ms())
        while passage := driver.pop():
            ago_ms = time.ticks_diff(end_ms, passage[3])
            counted.append((passage[0], passage[1], passage[2] // 10, ago_ms))

    async def read():
        while uart.any():
            try:
                await asyncio.wait_for_ms(driver.wait(), 50)
            except TimeoutError:
                pass
            take()

    asyncio.run(read())
    Ticks.now_ms += 2000
    take()
    return counted


def test_what_passes_in_a_stall_is_counted_when_it_is_over():
    cars = [_approaches(first, 36, 30_000) for first in range(0, 26_000, 5000)]
    counted = _after_a_stall(cars, 30_000)
    assert [what[:3] for what in counted] == [(0, 2, 36)] * 6
    for i, (_way, _class, _speed, ago_ms) in enumerate(counted):
        line_ms = 5000 * i + 3200  # 32 m at 10 m/s
        # They came at the end of the stall for all that is known: the street was empty in between.
        assert 0 <= ago_ms <= 30_000 - line_ms, (i, ago_ms)


def test_two_at_a_time_are_told_apart_after_a_stall():
    cars = [_approaches(first, kmh, 9000) for first, kmh in ((0, 36), (1500, 36), (4000, 54))]
    assert sorted(what[2] for what in _after_a_stall(cars, 9000)) == [36, 36, 54]


def _minute_of(driver, uart, metres, seconds):
    """Something moves at that distance, five times a second, for so long."""
    for i in range(seconds):
        for _ in range(5):
            Ticks.now_ms += 200
            target = bytes((128, metres, i & 1, 4, 200))
            uart.inject(b"\xf4\xf3\xf2\xf1\x07\x00\x01\x01" + target + b"\xf8\xf7\xf6\xf5")
            frames = driver._frames
            frames.added(uart.readinto(frames.space()))
            driver._take(Ticks.now_ms)
        driver.tick(Ticks.now_ms)


def test_what_moves_right_in_front_of_it_for_a_minute_blocks_it():
    driver, uart = _started(Radar())
    module.time = Ticks
    driver._clear_ms = driver._heard_ms = driver._busy_ms = Ticks.now_ms
    _minute_of(driver, uart, 12, 90)
    assert driver.state == 1
    _minute_of(driver, uart, 1, 59)
    assert driver.state == 1
    _minute_of(driver, uart, 1, 3)
    assert driver.state == 4
    Ticks.now_ms += 3000
    driver.tick(Ticks.now_ms)
    assert driver.state == 2, "it is gone"


def test_a_radar_that_looks_elsewhere_is_misaligned_until_it_is_turned_back():
    driver, _ = _started(Radar())
    module.time = Ticks
    driver._clear_ms = driver._heard_ms = driver._busy_ms = Ticks.now_ms
    driver._tracker.misaligned = lambda: True
    driver.tick(Ticks.now_ms)
    assert driver.state == 5
    driver._tracker.misaligned = lambda: False
    driver.tick(Ticks.now_ms)
    assert driver.state == 1
