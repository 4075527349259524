"""The task of an end device, idle and busy: joins, its own frames, the end of a session."""

import asyncio

from lorawan_end_device import Life, replies
from lorawan_node import HOUR, SECOND, downlink, join_accept

from lorawan.frames import ACK


def test_an_idle_device_tells_that_its_dev_nonces_are_used_up():
    life = Life(session=None, dev_nonce=0x10000)
    life.run(life.until(lambda: life.logged("DevNonce is used up")))
    assert life.radio.sent == [] and life.log.lines[-1][0] == "warn"


def test_an_idle_device_joins_again_after_352_uplinks_without_a_downlink():
    life = Life([("adr_ack_count", 352)])
    life.run(life.until(life.requests))
    assert life.logged("352 frames without an answer") and life.device.max_payload() == 0
    life = Life([("adr_ack_count", 350)])

    async def work():
        assert await life.device.send(1, b"x") is True
        await life.idle(600)
        assert life.requests() == 0 and life.device.max_payload() > 0
        assert await life.device.send(1, b"x") is True
        await life.until(life.requests)

    life.run(work())


def test_the_end_of_the_frame_counter_is_false_for_the_caller_and_a_new_join():
    life = Life(fcnt_up=0xFFFFFFFF)
    assert life.send(1, b"x") is False
    assert life.logged("counter is used up") and life.device.max_payload() == 0
    life.run(life.until(life.requests))


def test_a_device_that_has_joined_sends_an_empty_frame_that_asks_for_the_time():
    life = Life(session=None)
    life.radio.answer = replies(None, join_accept())
    life.run(life.until(lambda: len(life.radio.sent) == 3))
    assert life.requests() == 2 and life.logged("joined")
    assert life.logged("no answer to Join-Request 1")
    frame = life.radio.sent[2][1]
    assert frame[5] & 15 == 1 and frame[8:9] == b"\x0d" and len(frame) == 13
    assert life.radio.sent[2][0] - life.radio.sent[1][0] < 15 * SECOND


def test_an_idle_device_acknowledges_in_a_frame_of_its_own_after_five_seconds():
    life = Life()
    life.radio.answer = replies(downlink(0, port=9, payload=b"do", mhdr=0xA0))

    async def work():
        assert await life.device.send(1, b"x") is True
        await life.until(lambda: len(life.radio.sent) == 2)
        assert await life.device.send(1, b"y") is True, "after the device's own frame"

    life.run(work())
    (first_us, first), (second_us, second) = life.radio.sent[:2]
    assert not first[5] & ACK and second[5] & ACK and second[8:-4] == b""
    assert 5 * SECOND < second_us - first_us < 20 * SECOND


def test_a_frame_of_the_application_takes_the_place_of_the_devices_own():
    life = Life()
    life.radio.answer = replies(downlink(0, port=9, payload=b"do", mhdr=0xA0))

    async def work():
        assert await life.device.send(1, b"x") is True
        assert await life.device.send(1, b"y") is True
        await life.idle(60)

    life.run(work())
    assert len(life.radio.sent) == 2 and life.radio.sent[1][1][5] & ACK


def test_a_frame_of_the_device_without_airtime_does_not_stop_the_application():
    life = Life()

    async def work():
        for _ in range(12):
            assert await life.device.send(1, bytes(51)) is True
        life.radio.answer = replies(downlink(0, port=9, payload=b"do", mhdr=0xA0))
        assert await life.device.send(1, bytes(10)) is True
        await life.idle(60)  # less airtime is left than an acknowledgement needs
        assert len(life.radio.sent) == 13
        assert await life.device.send(1, bytes(51)) is False
        life.clock.us += 2 * HOUR
        assert await life.device.send(1, bytes(51)) is True

    life.run(work())
    assert len(life.radio.sent) == 14


def test_a_frame_while_another_one_is_on_its_way_is_false_for_the_caller():
    life = Life()

    async def work():
        task = asyncio.create_task(life.device.send(1, b"x"))
        await asyncio.sleep_ms(0)
        task.cancel()  # the MAC has the frame, and no caller waits for it
        await asyncio.sleep_ms(0)
        assert await life.device.send(1, b"y") is False

    life.run(work())


def test_a_session_goes_on_where_rtc_memory_left_it():
    life = Life()

    async def work():
        for _ in range(3):
            assert await life.device.send(1, b"x") is True

    life.run(work())
    life.device = life.build()
    life.run(life.until(lambda: life.logged("session restored, FCntUp 3")))
