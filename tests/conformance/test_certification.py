"""Scenarios with the numbers of the LoRaWAN 1.0.4 certification tests, Class A: 001A to 011.

There is one test each. Its docstring is the row in `lib/lorawan/CONFORMANCE.md`. The scenarios
were written from TS001-1.0.4. They share only numbers and titles with the Alliance's own
procedures.
"""

from __future__ import annotations

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan import plan
from simulator.world.lorawan.codec import parse
from simulator.world.lorawan.join import cf_list
from simulator.world.lorawan.server import Downlink, Message
from tests.conformance.support.rig import SECOND, Rig, Transmission
from tests.conformance.support.steps import ask, down, last_frame, replace

EXTRA_HZ = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)


def test_001A_activation_over_the_air(rig: Rig) -> None:
    """OTAA: DevNonce counts from 0 and never repeats. Channels and data rates vary. Answers arrive
    in RX1 and RX2 at 5 and 6 s. Wrong codes and repeated JoinNonces are refused. The CFList is
    applied.
    """
    rig.enrol(cf_list=cf_list(*EXTRA_HZ), delay=3, rx1_offset=1, rx2_rate=3)
    rig.network.silent = True
    rig.request_join()
    rig.run(until=20 * 60 * SECOND)
    requests = [parse(frame.raw) for frame in rig.sent]
    assert [getattr(r, "dev_nonce", None) for r in requests] == list(range(len(requests)))
    assert {frame.freq_hz for frame in rig.sent} == set(plan.JOIN_HZ)
    assert {frame.sf for frame in rig.sent} == {7, 8, 9, 10, 11, 12}
    rig.network.silent = False
    rig.network.window = 2
    rig.run()
    assert rig.pop_events("joined") == [["joined", rig.session().addr]]
    rig.network.window = 1
    rig.send(b"hello", 7)
    session = rig.session()
    assert session.received == [(0, 7, b"hello")]
    assert session.settings.delay_s == 3
    freqs = set()
    for _ in range(16):
        rig.send()
        freqs.add(rig.sent[-1].freq_hz)
    assert freqs == {*plan.JOIN_HZ, *EXTRA_HZ}
    first, second = rig.windows[-2:]
    assert 0 <= rig.sent[-1].end_us + 3 * SECOND - first.open_us <= 2 * rig.error_us
    assert (first.sf, second.sf) == (rig.sent[-1].sf + 1, 9)
    rig.pop_events("joined")
    granted = rig.heard[0].raw
    wrong = granted[:-1] + bytes([granted[-1] ^ 1])

    def forge(_answer: Downlink | None, sent: Transmission) -> Downlink | None:
        raw = granted if len(rig.sent) % 2 else wrong
        begin = sent.end_us + 5 * SECOND
        return Downlink(begin, sent.freq_hz, sent.sf, sent.bw_hz, raw, 1)

    rig.forge = forge
    rig.request_join()
    rig.run(until=rig.now + 120 * SECOND)
    assert len(rig.pop_events("join_failed")) > 4
    refused = rig.facts()["health"]["refused"]
    assert refused["nonce"] > 1 and refused["mic"] > 1


def test_002_cryptography(rig: Rig) -> None:
    """The network decrypts payloads of every length from 1 to 51 bytes, and the device decrypts
    downlinks of every length.
    """
    session = rig.join()
    for size in range(1, 52):
        payload = bytes((size + i) & 0xFF for i in range(size))
        session.messages.append(Message(size, payload))
        rig.send(payload, size)
        assert session.received[-1][1:] == (size, payload)
        assert rig.pop_events("down")[-1][1:3] == [size, payload.hex()]


def test_003_downlink_sequence_numbers(rig: Rig) -> None:
    """A counter that was seen, or is behind, is dropped. Gaps are accepted. 16 bits roll over. A
    wrong upper half is not accepted.
    """
    session = rig.join()
    cases = (
        (0, True), (0, False), (1, True), (20_000, True), (19_999, False), (20_000, False),
        (0xFFFF, True), (0x10000, True), (0x10000, False), (5, False), (0x1FFFE, True),
        (0x20001, True), (0x50002, False),
    )  # fmt: skip
    for fcnt, accepted in cases:
        replace(rig, down(session, fcnt, port=3, payload=b"n"))
        rig.send()
        assert bool(rig.pop_events("down")) == accepted, hex(fcnt)


def test_004_confirmed_frames(rig: Rig) -> None:
    """Only the next uplink acknowledges a confirmed downlink. A confirmed uplink without an
    acknowledgement goes out NbTrans times, unchanged, until something is heard.
    """
    session = rig.join()
    session.messages.append(Message(4, b"do", confirmed=True))
    rig.send()
    assert rig.facts()["wants_uplink"]
    rig.send()
    assert last_frame(rig).ack
    rig.send()
    assert not last_frame(rig).ack and session.acknowledged == 1
    ask(rig, mac.link_adr(5, 0, 7, nb_trans=3))
    rig.pop_events("sent")
    rig.send(confirmed=True)
    assert rig.pop_events("sent") == [["sent", True, 1]]
    before = len(rig.sent)
    rig.network.silent = True
    rig.send(confirmed=True)
    repeated = rig.sent[before:]
    assert len(repeated) == 3 and len({frame.raw for frame in repeated}) == 1
    assert all(a.freq_hz != b.freq_hz for a, b in zip(repeated, repeated[1:]))
    pauses = [b.begin_us - a.end_us - 2 * SECOND for a, b in zip(repeated, repeated[1:])]
    assert all(0 <= pause - SECOND + rig.error_us <= 2 * SECOND for pause in pauses)
    assert rig.pop_events("sent") == [["sent", False, 3]]


def test_005_device_status(rig: Rig) -> None:
    """DevStatusAns carries the battery and the margin of the request's frame, once."""
    session = rig.join()
    for level, snr in ((255, 7.0), (0, -11.0), (254, 30.0)):
        rig.call("set_battery", level)
        rig.snr = snr
        assert ask(rig, mac.dev_status()) == [(6, bytes([level, round(snr) & 0x3F]))]
        rig.send()
        assert session.answers == []


def test_006_new_channel(rig: Rig) -> None:
    """Channels are defined and used, changed and removed. Changes of default channels, impossible
    frequencies and impossible data rates are refused without effect.
    """
    session = rig.join()
    wanted = (mac.new_channel(3, 867_100_000), mac.new_channel(4, 867_300_000))
    assert ask(rig, *wanted) == [(7, b"\3"), (7, b"\3")]
    for request, status in (
        (mac.new_channel(0, 867_500_000), 0), (mac.new_channel(2, 0), 0),
        (mac.new_channel(5, 915_000_000), 2), (mac.new_channel(5, 867_500_000, 3, 2), 1),
        (mac.new_channel(5, 867_500_000, 8, 11), 1), (mac.new_channel(16, 867_500_000), 0),
    ):  # fmt: skip
        assert ask(rig, request) == [(7, bytes([status]))]
    del rig.sent[:]
    for _ in range(10):
        rig.send()
    assert {frame.freq_hz for frame in rig.sent} == {*plan.JOIN_HZ, 867_100_000, 867_300_000}
    assert ask(rig, mac.new_channel(3, 0), mac.new_channel(4, 868_800_000)) == [(7, b"\3")] * 2
    del rig.sent[:]
    for _ in range(8):
        rig.send()
    assert {frame.freq_hz for frame in rig.sent} == {*plan.JOIN_HZ, 868_800_000}
    assert sorted(session.settings.channels) == [0, 1, 2, 4]


def test_007_downlink_channel(rig: Rig) -> None:
    """RX1 moves to the frequency of DlChannelReq, which is answered until a downlink comes in.
    Unknown channels and impossible frequencies are refused.
    """
    session = rig.join()
    session.requests += [mac.dl_channel(i, 869_450_000 + i * 50_000) for i in range(3)]
    rig.send()
    for _ in range(3):  # no downlink: the answers are repeated
        rig.send()
        assert session.answers == [(10, b"\3")] * 3
    rig.send(confirmed=True)  # the acknowledgement is sent, and heard, at the new frequency
    assert rig.heard[-1].freq_hz in (869_450_000, 869_500_000, 869_550_000)
    rig.send()
    assert session.answers == []
    assert ask(rig, mac.dl_channel(9, 869_525_000)) == [(10, b"\1")]
    assert ask(rig, mac.dl_channel(1, 865_000_000 + 50_000_000)) == [(10, b"\2")]


def test_008_receive_parameters(rig: Rig) -> None:
    """RX1DROffset 0 to 5 and RX2 are set, all or nothing, and answered until a downlink comes in.
    The windows open accordingly.
    """
    session = rig.join()
    rate = 5
    for offset in range(6):
        assert ask(rig, mac.rx_param(offset, 3, 869_500_000)) == [(5, b"\7")]
        rig.network.window = 1 + offset % 2
        rig.send(confirmed=True)
        assert rig.pop_events("sent")[-1] == ["sent", True, 1]
        rig.send()
        assert session.answers == []
        first, second = rig.windows[-2:]
        assert first.sf == plan.modulation_of(max(rate - offset, 0))[0]
        assert (second.freq_hz, second.sf) == (869_500_000, 9)
    rig.network.window = 1
    for request, status in (
        (mac.rx_param(6, 3, 869_500_000), 3), (mac.rx_param(0, 7, 869_500_000), 5),
        (mac.rx_param(0, 3, 868_650_000), 6),
    ):  # fmt: skip
        assert ask(rig, request) == [(5, bytes([status]))]
    assert ask(rig, mac.rx_param(0, 0, plan.RX2_HZ)) == [(5, b"\7")]


def test_009_receive_timing(rig: Rig) -> None:
    """Every delay from 1 to 15 s (0 is 1) holds for both windows. The answer is repeated until a
    downlink comes in.
    """
    session = rig.join()
    for delay in range(16):
        assert ask(rig, mac.rx_timing(delay)) == [(8, b"")]
        rig.send()
        assert session.answers == [(8, b"")]
        for window in (1, 2):
            rig.network.window = window
            rig.send(confirmed=True)
            assert rig.pop_events("sent")[-1] == ["sent", True, 1]
            begin = rig.heard[-1].begin_us - rig.sent[-1].end_us
            assert begin == (max(delay, 1) + window - 1) * SECOND
        rig.network.window = 1
        rig.send()
        assert session.answers == []


def test_010_transmit_parameters(rig: Rig) -> None:
    """EU868 has no TxParamSetupReq. It is dropped without an answer, and the commands after it are
    carried out.
    """
    rig.join()
    assert ask(rig, mac.tx_param(0x25)) == []
    assert ask(rig, mac.tx_param(0x25), mac.duty_cycle(0)) == [(4, b"")]


def test_011_link_check(rig: Rig) -> None:
    """LinkCheckReq is sent once when the application asks for it, and the application gets its
    answer.
    """
    session = rig.join()
    rig.call("queue_request", "link_check")
    rig.send()
    assert session.answers == [(2, b"")]
    margin = round(rig.snr - plan.SNR_MIN_DB[rig.sent[-1].sf])
    assert rig.pop_events("link_check") == [["link_check", margin, 1]]
    rig.send()
    assert session.answers == []
