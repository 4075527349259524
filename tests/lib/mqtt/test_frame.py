"""The frame of outgoing messages, byte for byte, its limits, and the waiting times."""

import json
import struct
from binascii import crc32

from fake_broker import length
from mqtt.backoff import Backoff
from mqtt.frame import Frame, FrameFull


def _frame(size, topic=b"t", qos=0, payload=b""):
    frame = Frame(size)
    frame.start(topic, qos)
    frame.write(payload)
    return frame


def _full(write, data):
    try:
        write(data)
    except FrameFull as error:
        return str(error)
    raise AssertionError("written")


def test_a_small_packet_is_byte_exact():
    assert bytes(_frame(64, b"a/b", 0, b"hi").packet(0, 0)) == b"\x30\x07\x00\x03a/bhi"
    packet = _frame(64, b"a/b", 1, b"hi").packet(2, 0x1234)
    assert bytes(packet) == b"\x32\x09\x00\x03a/b\x12\x34hi"
    assert bytes(_frame(64, b"t", 1).packet(2 | 8 | 1, 65535)) == b"\x3b\x05\x00\x01t\xff\xff"


def test_the_remaining_length_has_one_two_or_three_bytes():
    for qos in (0, 1):
        head = struct.pack("!H", 1) + b"t" + (b"\0\x07" if qos else b"")
        for size in (len(head), 0x7F, 0x80, 0x3FFF, 0x4000, 0x4321):
            payload = bytes((i * 31 & 0xFF) for i in range(size - len(head)))
            packet = bytes(_frame(0x4400, b"t", qos, payload).packet(qos << 1, 7))
            want = bytes((0x30 | qos << 1,)) + length(size) + head + payload
            assert packet == want, (qos, size)


def test_a_packet_can_be_built_again_with_other_flags_and_id():
    frame = _frame(64, b"t", 1, b"x")
    assert bytes(frame.packet(2, 1)) == b"\x32\x06\0\x01t\0\x01x"
    assert bytes(frame.packet(10, 1)) == b"\x3a\x06\0\x01t\0\x01x"
    assert bytes(frame.packet(2, 0x0200)) == b"\x32\x06\0\x01t\x02\0x"


def test_nothing_of_an_earlier_longer_message_is_left():
    frame = _frame(400, b"long/topic", 1, b"y" * 300)
    frame.packet(2, 9)
    frame.start(b"t", 0)
    frame.write(b"z")
    assert bytes(frame.packet(0, 77)) == b"\x30\x04\0\x01tz"


def test_text_is_written_as_utf8_and_its_bytes_are_counted():
    frame = _frame(64)
    assert frame.write("gr\u00fcn") == 5
    assert bytes(frame.packet(0, 0)) == b"\x30\x08\0\x01tgr\xc3\xbcn"


def test_a_frame_accepts_its_very_last_byte_and_no_more():
    frame = _frame(20)  # 5 + 2 + 1: 12 left
    frame.write(b"x" * 12)
    assert "20 bytes" in _full(frame.write, b"y")
    assert frame.write(b"") == 0
    assert bytes(frame.packet(0, 0)) == b"\x30\x0f\0\x01t" + b"x" * 12


def test_a_write_that_does_not_fit_changes_nothing():
    frame = _frame(20, payload=b"before")
    mark = frame.mark()
    _full(frame.write, b"z" * 7)
    _full(frame.write, "\u20ac\u20ac\u20ac")
    assert frame.mark() == mark
    frame.write(b"after")
    assert bytes(frame.packet(0, 0)) == b"\x30\x0e\0\x01tbeforeafter"


def test_a_topic_that_does_not_fit_is_refused():
    _full(lambda topic: Frame(12).start(topic, 0), b"longer")
    _full(lambda topic: Frame(12).start(topic, 1), b"four")
    Frame(12).start(b"five5", 0)


def test_setting_the_position_back_drops_the_bytes_behind_it():
    frame = _frame(64, payload=b"one")
    at = frame.pos
    frame.write(b",two")
    frame.pos = at
    frame.write(b"!")
    assert bytes(frame.packet(0, 0)) == b"\x30\x07\0\x01tone!"


def test_json_is_dumped_into_a_frame():
    body = {"v": 1, "list": [1, None, True, -2], "text": 'a"b\u00fc'}
    frame = _frame(200, b"t", 1)
    json.dump(body, frame)
    packet = bytes(frame.packet(2, 1))
    assert json.loads(packet[2 + 2 + 1 + 2 :]) == body


def test_json_too_long_for_a_frame_is_refused_and_the_frame_serves_on():
    frame = _frame(40)
    _full(lambda body: json.dump(body, frame), {"long": "x" * 60})
    frame.start(b"t", 0)
    json.dump([1], frame)
    assert bytes(frame.packet(0, 0)) == b"\x30\x06\0\x01t[1]"


def test_a_mark_tells_topics_and_payloads_apart_whatever_the_id():
    assert _frame(64, b"t", 1, b"abc").mark()[1] == crc32(b"\0\x01tabc")
    assert _frame(64, b"t", 1, b"abc").mark() != _frame(64, b"u", 1, b"abc").mark()
    assert _frame(64, b"t", 1).mark() != _frame(64, b"t", 1, b"\0").mark()
    frame = _frame(64, b"t", 1, b"abc")
    before = frame.mark()
    frame.packet(10, 513)
    assert frame.mark() == before != _frame(64, b"t", 1, b"abd").mark()


def _limits(backoff, count):
    """The waits of so many attempts."""
    return [backoff.next_ms() for _ in range(count)]


class Draw:
    """A generator whose draw makes `value % limit` as small or as large as possible."""

    def __init__(self, is_max):
        self._is_max = is_max

    def __call__(self, bits):
        assert bits == 24
        return self

    def __mod__(self, limit):
        return limit - 1 if self._is_max else 0


def test_the_limit_of_the_backoff_doubles_up_to_its_maximum():
    got = _limits(Backoff(Draw(True), 1000, 10_000), 7)
    assert got == [250 + n - 1 for n in (1000, 2000, 4000, 8000, 10_000, 10_000, 10_000)]


def test_no_wait_is_shorter_than_a_quarter_second():
    assert _limits(Backoff(Draw(False)), 12) == [250] * 12


def test_the_backoff_starts_over_after_a_reset():
    backoff = Backoff(Draw(True), 1000, 120_000)
    _limits(backoff, 9)
    assert backoff.next_ms() == 250 + 119_999
    backoff.reset()
    assert _limits(backoff, 2) == [1249, 2249]


def test_the_limit_is_within_what_the_generator_can_draw():
    assert 300_000 < 1 << 24  # the longest wait the firmware asks for
    assert _limits(Backoff(lambda bits: (1 << bits) - 1, 4000, 300_000), 9)[-1] <= 300_250
