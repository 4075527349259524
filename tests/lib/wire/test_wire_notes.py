"""Events, state and answers as small frames. Downlinks parsed, or refused with a reason."""

import struct
from binascii import hexlify

from wire import note
from wire.downlink import (
    BAD_VALUE, MALFORMED, UNKNOWN, Refusal, parse_ack, parse_command, parse_config,
)  # fmt: skip

LOG = 0x5EAD1234


def event(**body):
    buf = bytearray(note.MAX_BYTES)
    return hexlify(buf[: note.write_event(buf, LOG, 258, 7, body)]).decode()


def test_events_are_written_byte_for_byte():
    head = "01" + "1234" + "00000102" + "00000007"
    assert event(event="detector", was=1, state=4) == head + "02" + "0104"
    assert event(event="start", reset="soft", boot=513, dropped=3, version="0.1") == (
        head + "01" + "05" + "0201" + "00000003" + "302e31"
    )
    assert event(event="clock_step", seconds=-2) == head + "03" + "fffffffe"
    assert event(event="brownout", mv=3) == head + "00" + hexlify(b"brownout").decode()


def test_an_event_that_does_not_fit_its_layout_is_sent_by_name():
    head = "01" + "1234" + "00000102" + "00000007" + "00"
    for body in (
        {"event": "detector", "was": 1},
        {"event": "detector", "was": 1, "state": 256},
        {"event": "clock_step", "seconds": 1 << 31},
        {"event": "fault", "code": -1},
        {"event": "start", "reset": "lightning", "boot": 1, "dropped": 0},
        {"event": "gone", "from": None, "to": 1},
    ):
        assert event(**body) == head + hexlify(body["event"].encode()).decode(), body


def test_texts_are_cut_to_the_frame_and_stay_ascii():
    buf = bytearray(note.MAX_BYTES)
    n = note.write_answer(buf, 9, BAD_VALUE, "\u00fc" + 100 * "x")
    assert n == note.MAX_BYTES and buf[:5] == b"\x01\x09\x02?x"
    assert len(event(event="n" * 99)) == 2 * note.MAX_BYTES


def refused(parse, payload):
    try:
        parse(payload)
    except Refusal as error:
        return error.name, error.code
    raise AssertionError("accepted: %r" % payload)


ACK = b"\x01\x12\x34\x00\x00\x01\x00"


def test_acks_are_parsed_and_malformed_ones_refused():
    assert parse_ack(ACK) == (0x1234, 256)
    for wrong in (b"", ACK[:-1], ACK + b"\0", b"\x02" + ACK[1:]):
        assert refused(parse_ack, wrong) == (None, MALFORMED)


def test_commands_are_parsed_and_malformed_ones_refused():
    assert parse_command(b"\x01\x07\x01") == (7, 1, None)
    resend = struct.pack(">BBBHII", 1, 8, 3, 0x1234, 5, 9)
    assert parse_command(resend) == (8, 3, (0x1234, 5, 9))
    assert refused(parse_command, b"\x01") == (None, MALFORMED)
    assert refused(parse_command, b"\x02\x07\x01") == (7, MALFORMED)
    assert refused(parse_command, b"\x01\x07\x01\x00") == (7, MALFORMED)
    assert refused(parse_command, resend[:-1]) == (8, MALFORMED)
    for code in (b"", b"\x00", b"\x05", b"\xff"):
        assert refused(parse_command, b"\x01\x07" + code) == (7, UNKNOWN)


def test_configuration_is_parsed_and_malformed_refused():
    item = struct.pack(">Bh", 8, -45)
    assert parse_config(b"\x01\x03" + item) == (3, {"radar_mount_deg": -45})
    assert refused(parse_config, b"\x01\x03") == (3, MALFORMED)
    assert refused(parse_config, b"\x01\x03" + item[:-1]) == (3, MALFORMED)
    assert refused(parse_config, b"\x01\x03" + item * 9) == (3, MALFORMED)
    assert refused(parse_config, b"\x01\x03" + item * 2) == (3, BAD_VALUE)
    assert refused(parse_config, b"\x01\x03\x63\x00\x01") == (3, UNKNOWN)
