"""Frames: building, parsing, and every fault of a received one (TS001-1.0.4, 4)."""

import struct
from binascii import unhexlify

from lorawan_node import ADDR, APP_SKEY, NWK_KEY, REGION, downlink, refused

from lorawan.crypto import UP, Key
from lorawan.frames import ACK, ADR, PENDING, REASONS, Downlink, full_counter, build_data_up
from lorawan.session import Session


def _session(fcnt_down=0):
    session = Session(REGION, ADDR, NWK_KEY, APP_SKEY)
    session.fcnt_down = fcnt_down
    return session


def _up(**more):
    buf = bytearray(255)
    fields = {"head": (0x40, 0), "options": b"", "port": 1, "payload": b"test"}
    fields.update(more)
    size = build_data_up(buf, fields.pop("session", _session()), fields.pop("fcnt", 2), **fields)
    return bytes(buf[:size])


def test_an_uplink_has_the_published_bytes():
    session = Session(
        REGION, 0x49BE7DF1, unhexlify("44024241ed4ce9a68c6a8bc055233fd3"),
        unhexlify("ec925802ae430ca77fd3dd73cb2cc588"),
    )  # fmt: skip
    assert _up(session=session) == unhexlify("40F17DBE4900020001954378762B11FF0D")


def test_an_uplink_carries_options_and_all_flags():
    frame = _up(head=(0x80, ADR | ACK), options=b"\2\x0d", fcnt=0x1FFFE)
    assert frame[0] == 0x80 and struct.unpack_from("<I", frame, 1)[0] == ADDR
    assert frame[5] == ADR | ACK | 2
    assert frame[6:8] == b"\xfe\xff"  # the lower half of the counter
    assert frame[8:10] == b"\2\x0d" and frame[10] == 1
    text = bytearray(frame[11:-4])
    Key(APP_SKEY).crypt(text, ADDR, 0x1FFFE, UP)
    assert text == b"test"
    code = Key(NWK_KEY).mic(frame[:-4], ADDR, 0x1FFFE, UP)
    assert frame[-4:] == struct.pack("<I", code)


def test_port_zero_is_encrypted_with_the_network_key():
    text = bytearray(_up(port=0, payload=b"\x06\xff\0")[9:-4])
    Key(NWK_KEY).crypt(text, ADDR, 2, UP)
    assert text == b"\x06\xff\0"


def test_a_frame_without_a_port_ends_after_its_header():
    assert len(_up(port=None, payload=b"")) == 12
    assert len(_up(port=3, payload=b"")) == 13  # an empty payload may have a port


def test_a_downlink_is_parsed_into_its_fields():
    data = downlink(7, port=9, payload=b"hello", options=b"\6", control=ACK | PENDING, mhdr=0xA0)
    down = Downlink(data, _session(5))
    assert down.confirmed and down.ack and down.pending
    assert (down.fcnt, down.port, down.payload, down.commands) == (7, 9, b"hello", b"\6")
    assert not Downlink(downlink(7), _session()).confirmed


def test_commands_are_found_in_the_options_and_on_port_zero():
    assert Downlink(downlink(0, options=b"\6\6"), _session()).commands == b"\6\6"
    down = Downlink(downlink(0, port=0, payload=b"\6"), _session())
    assert down.commands == b"\6" and down.port == 0


def test_downlinks_of_every_length_are_parsed():
    assert Downlink(downlink(0), _session()).port is None
    down = Downlink(downlink(0, port=1), _session())
    assert (down.port, down.payload) == (1, b"")
    longest = downlink(0, port=1, payload=bytes(range(242)))
    assert len(longest) == 255
    assert Downlink(longest, _session()).payload == bytes(range(242))


def test_a_refused_frame_names_its_fault():
    good = downlink(3, port=1, payload=b"12")
    cases = (
        (good[:11], "length"), (b"", "length"), (good + b"\0" * 250, "length"),
        (b"\x40" + good[1:], "type"), (b"\x80" + good[1:], "type"), (b"\x20" + good[1:], "type"),
        (b"\xe0" + good[1:], "type"), (b"\x61" + good[1:], "major"),
        (downlink(3, addr=ADDR ^ 1), "address"), (good[:-1] + b"\0", "mic"),
        (downlink(3, port=0, payload=b"\6", options=b"\6"), "options"),
        (good[:5] + b"\x0f" + good[6:], "options"),
    )  # fmt: skip
    for data, reason in cases:
        assert refused(Downlink, data, _session()) == reason, reason
        assert reason in REASONS


def test_every_single_wrong_bit_is_noticed():
    good = downlink(3, port=1, payload=b"12")
    for bit in range(8 * len(good)):
        wrong = bytearray(good)
        wrong[bit // 8] ^= 1 << bit % 8
        assert refused(Downlink, bytes(wrong), _session()) in REASONS


def test_an_old_frame_is_a_replay():
    for fcnt in (0, 9):
        assert refused(Downlink, downlink(fcnt), _session(10)) == "replay"
    assert Downlink(downlink(10), _session(10)).fcnt == 10


def test_the_counter_goes_on_beyond_sixteen_bits():
    assert full_counter(0, 0) == 0
    assert full_counter(0xFFFF, 0xFFFF) == 0xFFFF
    assert full_counter(0xFFFF, 0) == 0x10000
    assert full_counter(0x10000, 0) == 0x10000
    assert full_counter(0x10001, 0) == 0x20000
    assert full_counter(0x2FFFF, 5) == 0x30005
    assert full_counter(5, 0x8000) == 0x8000  # no limit to the gap since 1.0.4
    for lowest, fcnt in ((0xFFF0, 0x10002), (0x1FFFF, 0x2000A), (0, 0xFFFF)):
        assert Downlink(downlink(fcnt), _session(lowest)).fcnt == fcnt


def test_a_counter_at_its_end_is_refused():
    assert Downlink(downlink(0xFFFFFFFE), _session(0xFFFFFFF0)).fcnt == 0xFFFFFFFE
    assert refused(Downlink, downlink(0xFFFFFFFF), _session(0xFFFFFFF0)) == "counter"
    assert refused(Downlink, downlink(3), _session(0xFFFFFFF0)) == "counter"
