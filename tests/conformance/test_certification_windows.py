"""Scenarios with the numbers of the LoRaWAN 1.0.4 certification tests, Class A: 012A to 022.

There is one test each. Its docstring is the row in `lib/lorawan/CONFORMANCE.md`. The scenarios
were written from TS001-1.0.4. They share only numbers and titles with the Alliance's own
procedures.
"""

from __future__ import annotations

import struct

import pytest

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan import plan
from simulator.world.lorawan.server import GPS_AT_ZERO, Message
from tests.conformance.support.rig import SECOND, Refused, Rig
from tests.conformance.support.steps import ask, down, replace


def test_012A_link_adr_one_request(rig: Rig) -> None:
    """Data rate, power, mask and NbTrans are set together or not at all. 15 keeps the old value.
    RFU values of ChMaskCntl, empty and undefined masks are refused.
    """
    session = rig.join()
    for rate in range(6):
        for power in (0, 7):
            assert ask(rig, mac.link_adr(rate, power, 7)) == [(3, b"\7")]
            assert plan.rate_of(rig.sent[-1].sf, rig.sent[-1].bw_hz) == rate
            assert rig.sent[-1].dbm == 14 - 2 * power
    refused = (
        (mac.link_adr(7, 0, 7), 5), (mac.link_adr(5, 9, 7), 3), (mac.link_adr(5, 0, 0), 6),
        (mac.link_adr(5, 0, 0x0F), 6), (mac.link_adr(5, 0, 7, 1), 6), (mac.link_adr(9, 9, 0), 0),
    )  # fmt: skip
    for request, status in refused:
        assert ask(rig, request) == [(3, bytes([status]))]
        assert (rig.sent[-1].sf, rig.sent[-1].dbm) == (7, 0)
    assert ask(rig, mac.link_adr(15, 15, 0b101)) == [(3, b"\7")]
    del rig.sent[:]
    for _ in range(8):
        rig.send()
    assert {frame.freq_hz for frame in rig.sent} == {868_100_000, 868_500_000}
    assert {(frame.sf, frame.dbm) for frame in rig.sent} == {(7, 0)}
    assert ask(rig, mac.link_adr(15, 15, 0, control=6)) == [(3, b"\7")]
    assert ask(rig, mac.link_adr(5, 0, 7, nb_trans=2)) == [(3, b"\7")]
    frames = len(session.frames)
    rig.send()
    assert len(session.frames) == frames + 2


def test_012B_link_adr_in_blocks_and_back_off(rig: Rig) -> None:
    """Contiguous requests are one change with an answer each. A device without downlinks asks from
    64 frames on. Then it goes back to full power, DR0, one transmission and the default channels.
    """
    session = rig.join()
    block = (mac.link_adr(9, 9, 0xFF), mac.link_adr(3, 4, 7))
    assert ask(rig, *block) == [(3, b"\6")] * 2
    parted = (mac.link_adr(9, 9, 3), mac.dev_status(), mac.link_adr(3, 4, 3, nb_trans=2))
    assert [status for _number, status in ask(rig, *parted)] == [b"\1", b"\xff\7", b"\7"]
    rig.network.silent = True
    session.messages.append(Message(1, b"x"))  # resets the count once more
    rig.network.silent = False
    rig.send()
    rig.network.silent = True
    start = len(session.frames)
    for _ in range(230):
        rig.send(b"x")
    frames = [frame for _fcnt, frame in session.frames[start:]]
    firsts = [frame for i, frame in enumerate(frames) if i == 0 or frame != frames[i - 1]]
    asks = [frame.adr_ack_req for frame in firsts]
    assert asks.index(True) == 64 and all(asks[64:])
    air = {frame.raw: frame for frame in rig.sent}
    look = [(plan.rate_of(air[f.raw].sf, 125_000), air[f.raw].dbm) for f in firsts]
    assert look[95] == (3, 6) and look[96] == (3, 14)
    assert [look[i][0] for i in (127, 128, 159, 160, 191, 192, 223, 229)] == [
        3, 2, 2, 1, 1, 0, 0, 0,
    ]  # fmt: skip
    assert frames[-1] != frames[-2] and frames[0] == frames[1]  # NbTrans is 1 again at the end
    late = {firsts[i].raw for i in range(224, 230)}
    assert len({frame.freq_hz for frame in rig.sent if frame.raw in late}) == 3
    early = {firsts[i].raw for i in range(220)}
    assert len({frame.freq_hz for frame in rig.sent if frame.raw in early}) == 2


def test_013_duty_cycle(rig: Rig) -> None:
    """After DutyCycleReq n the device is silent for (2^n - 1) times the airtime of each frame."""
    rig.join()
    for limit in (0, 4, 7, 10, 0):
        assert ask(rig, mac.duty_cycle(limit)) == [(4, b"")]
        for _ in range(3):
            rig.send()
        for first, second in zip(rig.sent[-4:], rig.sent[-3:]):
            toa = first.end_us - first.begin_us
            pause = second.begin_us - first.end_us + rig.error_us  # of the time stamp
            assert ((1 << limit) - 1) * toa <= pause <= ((1 << limit) - 1) * toa + 4 * SECOND


def test_014_device_time(rig: Rig) -> None:
    """The application gets DeviceTimeAns with the end of its uplink, to 4 ms."""
    session = rig.join()
    for window in (1, 2):
        rig.network.window = window
        rig.call("queue_request", "time")
        rig.send()
        assert session.answers == [(13, b"")]
        [[_name, seconds, fraction, at]] = rig.pop_events("time")
        told = (seconds - GPS_AT_ZERO) * SECOND + fraction * SECOND // 256
        end = rig.sent[-1].end_us
        assert abs(told - end) <= SECOND // 256
        assert abs(at - end) <= rig.error_us


def test_015A_first_window_at_every_data_rate(rig: Rig) -> None:
    """RX1 hears a frame at the nominal time at DR0 to DR5, even with the largest permitted clock
    error.
    """
    rig.join()
    for rate in range(6):
        ask(rig, mac.link_adr(rate, 0, 7))
        for _ in range(10):
            rig.send(confirmed=True)
            assert rig.pop_events("sent")[-1] == ["sent", True, 1]
            assert rig.heard[-1].window == 1
    assert rig.facts()["health"]["late"] == 0


def test_015B_first_window_with_wrong_frames(rig: Rig) -> None:
    """RX2 opens after a frame in RX1 that is not for this device."""
    session = rig.join()
    good = down(session, 0)
    wrong = (good[:-1] + bytes([good[-1] ^ 1]), b"\x60" + bytes(11), b"\x20" + bytes(16), b"")
    for raw in wrong:
        replace(rig, raw)
        rig.send()
        assert len(rig.windows[-2:]) == 2 and rig.windows[-1].freq_hz == plan.RX2_HZ
        assert rig.pop_events("down") == []


def test_016_second_window(rig: Rig) -> None:
    """RX2 hears frames at each of its data rates, a second after RX1."""
    session = rig.join()
    rig.network.window = 2
    for rate in range(6):
        assert ask(rig, mac.rx_param(0, rate, plan.RX2_HZ)) == [(5, b"\7")]
        for _ in range(10):
            session.messages.append(Message(9, b"two"))
            rig.send()
            assert [event[1:3] for event in rig.pop_events("down")] == [[9, b"two".hex()]]
            assert rig.heard[-1].window == 2


def test_017_both_windows(rig: Rig) -> None:
    """RX2 is not opened after a frame in RX1, and is opened after none."""
    session = rig.join()
    for heard in (True, False, True, True, False):
        del rig.windows[:]
        if heard:
            session.messages.append(Message(1, b"x"))
        rig.send()
        assert len(rig.windows) == (1 if heard else 2)


def test_018_oversized_frames(rig: Rig) -> None:
    """A downlink that is longer than its data rate allows is dropped, even with a correct code.
    The longest permitted one is accepted.
    """
    session = rig.join()
    fcnt = 0
    for rate in (0, 3, 5):
        ask(rig, mac.link_adr(rate, 0, 7))
        fcnt = session.fcnt_down
        for extra in (0, 1):
            size = min(plan.PAYLOAD_MAX[rate] + extra, 242)
            replace(rig, down(session, fcnt, port=2, payload=bytes(size)))
            rig.send()
            taken = bool(rig.pop_events("down"))
            assert taken == (extra == 0 or size == 242 and fcnt > session.fcnt_down)
            fcnt += 1
        session.fcnt_down = fcnt


def test_019A_longest_uplinks(rig: Rig) -> None:
    """The longest payload of every data rate goes out. One byte more is refused with a reason."""
    session = rig.join()
    for rate in range(6):
        ask(rig, mac.link_adr(rate, 0, 7))
        size_max = plan.PAYLOAD_MAX[rate]
        assert rig.facts()["max_payload"] == size_max
        rig.send(bytes(size_max), 5)
        assert session.received[-1][1:] == (5, bytes(size_max))
        with pytest.raises(Refused, match=f"{size_max + 1} of {size_max} bytes"):
            rig.send(bytes(size_max + 1), 5)


def test_019B_longest_uplinks_beside_commands(rig: Rig) -> None:
    """Answers that leave too little space for the payload go first, in a frame of their own. The
    payload follows unchanged.
    """
    session = rig.join()
    ask(rig, mac.link_adr(0, 0, 7))
    session.requests.append(mac.dev_status())
    rig.send()
    received = len(session.received)
    before = len(rig.sent)
    rig.send(bytes(51), 5)
    assert len(rig.sent) == before + 2
    assert [port for _fcnt, port, _text in session.received[received:]] == [5]
    assert session.frames[-2][1].options == b"\6\xff\7"


def test_020_commands_in_payload_and_options(rig: Rig) -> None:
    """Commands are read from FOpts and from port 0, but not from both. An unknown command ends the
    list. More than 15 bytes of answers leave on port 0.
    """
    session = rig.join()
    for in_payload in (False, True):
        rig.network.on_port_zero = in_payload
        assert ask(rig, mac.dev_status(), mac.rx_timing(1)) == [(6, b"\xff\7"), (8, b"")]
        rig.send(confirmed=True)
    rig.network.on_port_zero = False
    rig.send()
    fcnt = session.fcnt_down
    both = down(session, fcnt, port=0, payload=b"\6", options=b"\6")
    unknown = down(session, fcnt, options=b"\6\x8f\6")
    for raw, expected in ((both, []), (unknown, [(6, b"\xff\7")])):
        replace(rig, raw)
        rig.send()
        rig.send()
        assert session.answers == expected
    session.fcnt_down = fcnt + 1
    assert ask(rig, *[mac.dev_status()] * 8) == []  # that was the payload's frame
    ports = [frame.port for _fcnt, frame in session.frames[-2:]]
    assert ports == [0, 1]
    assert len(session.frames[-2][1].payload) == 24


def test_021_priority_of_commands(rig: Rig) -> None:
    """Answers come before requests of the device, and these before the payload."""
    session = rig.join()
    session.requests += [mac.dev_status()] * 4
    rig.send()
    rig.call("queue_request", "link_check")
    rig.send(b"pay", 3)
    assert session.answers == [(6, b"\xff\7")] * 4 + [(2, b"")]
    assert session.received[-1][2] == b"pay"
    ask(rig, mac.link_adr(0, 0, 7))
    session.requests += [mac.dev_status()] * 5
    rig.send()
    rig.call("queue_request", "time")
    rig.send(bytes(45), 3)
    answers, payload = (frame for _fcnt, frame in session.frames[-2:])
    assert (answers.port, answers.options) == (None, b"\6\xff\7" * 5)
    assert (payload.port, payload.options) == (3, b"\x0d")


def test_022_port_224_is_shut(rig: Rig) -> None:
    """Port 224 is closed unless certification is on, and closed again when it is switched off.
    Other ports of the application's range always work.
    """
    session = rig.join()
    for on in (False, True, False):
        rig.call("certify", on)
        for port, accepted in ((224, on), (1, True), (223, True), (225, False), (255, False)):
            session.messages.append(Message(port, b"\0"))
            rig.send()
            assert bool(rig.pop_events("down")) == accepted, port
        if on:
            rig.send(b"\0\6\1", 224)
        else:
            with pytest.raises(Refused, match="port"):
                rig.send(b"\0\6\1", 224)
    assert struct.pack("B", 224) in session.frames[-6][1].raw
