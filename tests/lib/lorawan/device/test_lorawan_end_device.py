"""The port of an end device: sending, results and errors, and the events of the MAC."""

import asyncio
import struct

from lorawan_end_device import Life, f_port, replies
from lorawan_node import HOUR, SECOND, downlink

from lorawan.frames import ACK
from lorawan.regions.region import airtime_us

GPS_TO_UNIX = 315_964_800 - 18
TIME_ANS = b"\x0d" + (1_400_000_000).to_bytes(4, "little") + b"\x80"  # half a second later


def test_a_device_without_a_session_sends_no_payload():
    life = Life(session=None)
    assert life.device.max_payload() == 0 and life.device.data_rate() is None
    assert life.device.modulation() is None
    assert asyncio.run(life.sent(1, b"x")) is False
    state = life.device.state()
    assert state["joined"] is False and state["f_cnt_up"] is None


def test_impossible_ports_and_lengths_are_refused():
    life = Life()

    async def work():
        assert life.device.max_payload() == 51 and life.device.data_rate() == 0
        assert life.device.modulation() == (12, 125_000)
        for port in (0, 224, 255, 256, -1, None):
            assert "port" in await life.sent(port, b"x")
        assert "52 of 51" in await life.sent(1, bytes(52))

    life.run(work())


def test_a_dead_radio_is_an_oserror_for_the_caller():
    life = Life()
    life.radio.broken = True
    assert "no SX126x answers" in life.send(1, b"x")
    assert life.device.state()["errors"]["radio"] >= 1 and life.log.lines[-1][0] == "warn"


def test_a_radio_that_works_again_is_used_a_minute_later():
    life = Life()
    life.radio.broken = True

    async def work():
        assert "no SX126x answers" in await life.sent(1, b"x")
        life.radio.broken = False
        life.clock.us = 0
        while await life.sent(1, b"x") is not True:
            await asyncio.sleep_ms(1)
        assert 60 * SECOND <= life.radio.sent[0][0] < 180 * SECOND

    life.run(work())


def test_a_transmission_without_an_end_is_a_dead_radio():
    life = Life()
    life.radio.mute = True
    assert life.send(1, b"x") == "radio: no end of a transmission"
    assert len(life.radio.sent) == 1 and life.recent.data != b""


def test_an_unconfirmed_frame_is_sent_whether_or_not_a_downlink_follows():
    for answers in ((), (downlink(0),)):
        life = Life()
        life.radio.answer = replies(*answers)
        assert life.send(1, b"x") is True
        state = life.device.state()
        assert state["f_cnt_up"] == 1 and state["airtime_s"] >= 1
        assert state["errors"]["lost"] == state["errors"]["store"] == 0


def test_a_confirmed_frame_is_true_with_an_acknowledgement_only():
    for answers, expected in (
        ((), False),
        ((downlink(0),), False),
        ((downlink(0, control=ACK),), True),
    ):
        life = Life()
        life.radio.answer = replies(*answers)
        assert life.send(1, b"x", True) is expected


def test_a_payload_that_no_longer_fits_is_a_value_error_with_the_length():
    life = Life([("rate", 3), ("answers", bytearray(b"\6\xff\7" * 6))])
    lower = downlink(0, options=b"\3\x20\7\0\1")  # LinkADRReq: DR2
    life.radio.answer = replies(lower)
    assert "51" in life.send(1, bytes(115))  # the answers go first, and bring the lower rate
    assert len(life.radio.sent) == 1


def test_a_frame_without_airtime_for_two_minutes_is_given_back():
    life = Life()

    async def work():
        sent = 0
        while await life.device.send(1, bytes(51)):
            sent += 1
        assert sent == 12  # of 2.8 s each, 36 s in an hour
        assert life.clock.us < HOUR // 6
        life.clock.us += 2 * HOUR
        assert await life.device.send(1, bytes(51)) is True
        assert len(life.radio.sent) == 13, "the frame that was given back is not sent"

    life.run(work())


# --- events of the MAC


def test_downlinks_go_to_the_application():
    life = Life()
    life.radio.answer = replies(downlink(0, port=2, payload=b"abc"), downlink(1, port=2))

    async def work():
        await life.device.send(1, b"x")
        life.device.on_down = None
        await life.device.send(1, b"x")  # without a listener a downlink is dropped

    life.run(work())
    assert life.downs == [(2, b"abc")]
    state = life.device.state()
    assert (state["rssi"], state["snr"], state["late_us"]) == (-80, 7, 0)


def test_a_refused_downlink_is_counted_by_its_reason():
    life = Life()
    life.radio.answer = replies(downlink(0)[:-1] + b"!")
    assert life.send(1, b"x") is True
    assert life.device.state()["errors"]["refused_mic"] == 1


def test_a_device_under_certification_sends_its_periodic_frames():
    life = Life()
    resets = []
    life.device.on_reset = resets.append
    life.radio.answer = replies(
        downlink(0, port=224, payload=b"\6\1"), None, downlink(1, port=224, payload=b"\x7e")
    )
    life.device.certify(b"\0\1\0\0")

    async def work():
        await life.device.send(1, b"x")
        await life.until(lambda: resets)

    life.run(work())
    assert resets == [True] and life.downs == []
    assert [f_port(frame) for _us, frame in life.radio.sent] == [1, 224, 224]


def test_the_clock_package_gives_the_time_where_the_network_does_not():
    life = Life()
    clocks = []

    def answer(frame):
        fcnt = life.device.mac.session.fcnt_down
        if f_port(frame) != 202:
            return downlink(fcnt)
        clocks.append(life.clock.us // SECOND)
        return downlink(fcnt, 202, struct.pack("<BiB", 1, 1_400_000_000, 0))

    life.radio.answer = answer

    async def work():
        while not life.times:
            await life.device.send(1, b"x")
            await life.idle(300)

    life.run(work())
    [(utc_s, _ms)] = life.times
    assert len(clocks) == 1
    assert 0 <= utc_s - GPS_TO_UNIX - 1_400_000_000 - clocks[0] <= 5


def test_network_time_is_a_whole_second_and_its_tick():
    life = Life()
    life.radio.answer = replies(downlink(0, options=TIME_ANS))
    assert life.send(1, b"x") is True
    [(utc_s, ms)] = life.times
    assert utc_s == 1_400_000_000 + GPS_TO_UNIX
    begin_us, frame = life.radio.sent[0]
    end_us = begin_us + airtime_us(12, 125_000, len(frame))
    assert abs(end_us - 500_000 - 1000 * ms) <= 2000  # half a second before the uplink's end


def test_the_time_is_asked_for_until_it_is_known_and_again_after_six_hours():
    life = Life()
    asks = lambda: [us for us, frame in life.radio.sent if frame[8:9] == b"\x0d"]  # noqa: E731

    async def work():
        await life.device.send(1, b"x")
        await life.device.send(1, b"x")
        assert len(asks()) == 1, "not again so soon"
        life.clock.us += 300 * SECOND
        life.radio.answer = replies(downlink(0, options=TIME_ANS))
        await life.device.send(1, b"x")
        assert len(asks()) == 2
        known_us = life.clock.us
        while len(asks()) == 2:
            life.clock.us += HOUR // 2
            await life.device.send(1, b"x")
        assert 6 * HOUR <= life.clock.us - known_us < 7 * HOUR

    life.run(work())


def test_the_margin_of_a_link_check_is_in_the_state():
    life = Life([("adr_ack_count", 32)])
    life.radio.answer = replies(downlink(0, options=b"\2\x12\1"))
    assert life.send(1, b"x") is True
    assert life.radio.sent[0][1][8:10] == b"\2\x0d"  # LinkCheckReq, DeviceTimeReq
    assert life.device.state()["margin"] == 18
