"""An end device in virtual time: its port, its task, the events of the MAC. Nodes: conformance."""

import asyncio
import struct
import time

from board_parts import FakeLog, FakeNvs, FakeRtc
from lorawan_node import (
    ADDR, APP_SKEY, HOUR, NWK_KEY, REGION, SECOND, Store, downlink, generator, identity,
    join_accept,
)  # fmt: skip

from lorawan.device import end_device, radio_io, storage
from lorawan.device.end_device import EndDevice
from lorawan.device.storage import DailyAirtime, Micros, NvsStore
from lorawan.frames import ACK
from lorawan.regions.region import airtime_us
from lorawan.session import Session

GPS_TO_UNIX = 315_964_800 - 18
TIME_ANS = b"\x0d" + (1_400_000_000).to_bytes(4, "little") + b"\x80"  # half a second later
JOIN_REQUEST_BYTES = 23


class VirtualTime:
    """Stands in for `time` and for `asyncio` below the device: a wait moves the clock at once."""

    TimeoutError = asyncio.TimeoutError

    def __init__(self):
        self.us = 0

    def ticks_us(self):
        return self.us

    def ticks_ms(self):
        return self.us // 1000

    def ticks_add(self, ticks, delta):
        return ticks + delta

    def ticks_diff(self, later, earlier):
        return later - earlier

    def sleep_us(self, us):
        self.us += us

    async def wait_for_ms(self, awaitable, ms):
        try:
            return await asyncio.wait_for_ms(awaitable, 1)
        except self.TimeoutError:
            self.us += 1000 * ms
            raise


class Radio:
    """A driver. answer(frame): the downlink in RX1, or None. broken: the chip does not start.

    mute: the chip does not report the end of a transmission.
    """

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED = range(5)

    def __init__(self, clock):
        self.clock = clock
        self.flag = asyncio.ThreadSafeFlag()
        self.irq_us = None
        self.rssi, self.snr = -80, 7
        self.sent = []  # (time, bytes)
        self.broken = self.mute = False
        self.answer = lambda frame: None
        self._frame = None
        self._outcome = self.NOTHING
        self._end_us = 0

    def start(self):
        if self.broken:
            raise OSError("radio: no SX126x answers")

    def transmit(self, request):
        frame = bytes(request.data)
        self.sent.append((self.clock.us, frame))
        self._frame = self.answer(frame)
        if not self.mute:
            self._report(self.SENT, airtime_us(request.sf, request.bw_hz, len(frame)))

    def prepare(self, request):
        pass

    def listen(self):
        self._report(self.RECEIVED if self._frame else self.TIMED_OUT, 50_000)

    def _report(self, outcome, after_us):
        self._outcome, self._end_us = outcome, self.clock.us + after_us
        self.flag.set()

    def outcome(self):
        outcome, self._outcome = self._outcome, self.NOTHING
        if outcome != self.NOTHING:
            self.irq_us = self._end_us
            self.clock.us = max(self.clock.us, self._end_us)
        return outcome

    def has_header(self):
        return False

    def standby(self):
        pass

    def data(self):
        frame, self._frame = self._frame, None
        return frame


class Life:
    """A device on a scripted radio. session: fields of its stored session, None = it has none."""

    def __init__(self, session=(), fcnt_up=0, dev_nonce=0):
        self.clock = VirtualTime()
        storage.time = radio_io.time = radio_io.asyncio = end_device.time = self.clock
        self.radio, self.log, self.recent = Radio(self.clock), FakeLog(), FakeRtc()
        self.store = Store()
        if session is not None:
            stored = Session(REGION, ADDR, NWK_KEY, APP_SKEY)
            for name, value in session:
                setattr(stored, name, value)
            self.store.write("session", stored.pack(fcnt_up, ()))
        self.store.write("nonces", struct.pack("<BIB", 1, dev_nonce, 0))
        self.device = self.build()
        self.downs, self.times = [], []
        self.device.on_down = lambda port, payload: self.downs.append((port, payload))
        self.device.on_time = lambda utc_s, ms: self.times.append((utc_s, ms))

    def build(self):
        return EndDevice(
            self.radio, identity(), REGION, self.store, rng=generator(1), log=self.log,
            recent=self.recent, join_within_s=0,
        )  # fmt: skip

    def run(self, work):
        """Run the device until the coroutine `work` is done; returns its result."""

        async def both():
            task = asyncio.create_task(self.device.run())
            await asyncio.sleep_ms(0)
            try:
                return await asyncio.wait_for(work, 10)
            finally:
                assert not task.done(), "the task of the device has ended"
                while not task.done():  # MicroPython may lose a cancellation inside `wait_for`
                    task.cancel()
                    await asyncio.sleep_ms(1)

        return asyncio.run(both())

    def send(self, *arguments):
        """Start the device and send one payload; returns the result, or the error's text."""
        return self.run(self.sent(*arguments))

    async def sent(self, *arguments):
        try:
            return await self.device.send(*arguments)
        except (ValueError, OSError) as error:
            return str(error)

    async def until(self, condition):
        while not condition():
            await asyncio.sleep_ms(1)

    def logged(self, text):
        return any([text in line for _level, line in self.log.lines])

    def requests(self):
        """How many Join-Requests were sent."""
        return len([frame for _us, frame in self.radio.sent if len(frame) == JOIN_REQUEST_BYTES])


def replies(*frames):
    """A network that answers the next frames with these downlinks, and then is silent."""
    queue = list(frames)
    return lambda frame: queue.pop(0) if queue else None


# --- the port


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
    assert life.device.state()["errors"]["radio"] == 1 and life.log.lines[-1][0] == "warn"


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
        assert life.device.state()["f_cnt_up"] == 1 and life.device.state()["airtime_s"] >= 1


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
        assert life.clock.us < 10 * 60 * SECOND

    life.run(work())


# --- the task, idle and busy


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
        await asyncio.sleep_ms(20)
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
        await asyncio.sleep_ms(20)

    life.run(work())
    (first_us, first), (second_us, second) = life.radio.sent
    assert not first[5] & ACK and second[5] & ACK and second[8:-4] == b""
    assert 5 * SECOND < second_us - first_us < 20 * SECOND


def test_a_frame_of_the_application_takes_the_place_of_the_devices_own():
    life = Life()
    life.radio.answer = replies(downlink(0, port=9, payload=b"do", mhdr=0xA0))

    async def work():
        assert await life.device.send(1, b"x") is True
        assert await life.device.send(1, b"y") is True
        await asyncio.sleep_ms(20)

    life.run(work())
    assert len(life.radio.sent) == 2 and life.radio.sent[1][1][5] & ACK


def test_a_frame_of_the_device_without_airtime_does_not_stop_the_application():
    life = Life()
    order = downlink(0, port=9, payload=b"do", mhdr=0xA0)

    async def work():
        while await life.device.send(1, bytes(51)):
            life.radio.answer = replies(order) if len(life.radio.sent) == 11 else replies()
        spent = len(life.radio.sent)
        await asyncio.sleep_ms(5)
        assert await life.device.send(1, bytes(51)) is False
        return spent

    assert life.run(work()) >= 12 and life.downs == [(9, b"do")]


def test_a_session_goes_on_where_rtc_memory_left_it():
    life = Life()

    async def work():
        for _ in range(3):
            assert await life.device.send(1, b"x") is True

    life.run(work())
    life.device = life.build()
    life.run(life.until(lambda: life.logged("session restored, FCntUp 3")))


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


# --- clock, airtime of a day, store


def test_a_tick_of_the_past_has_its_time():
    clock = Micros()
    ticks = time.ticks_us()
    time.sleep_ms(2)
    passed = time.ticks_diff(time.ticks_us(), ticks)
    assert clock.now() - clock.at(ticks) >= passed > 0
    assert clock.at(time.ticks_add(ticks, 500)) - clock.at(ticks) == 500


def test_the_airtime_of_a_day_forgets_the_hours_before_it():
    airtime = DailyAirtime()
    for hour in range(30):
        airtime.add(1_000_000, hour * HOUR)
    assert airtime.seconds(29 * HOUR) == 24
    assert airtime.seconds(40 * HOUR) == 13
    assert airtime.seconds(500 * HOUR) == 0


def test_the_store_reads_and_commits_blobs_in_nvs():
    nvs = FakeNvs()
    store = NvsStore(nvs)
    assert store.read("session") is None
    store.write("session", b"abc")
    assert store.read("session") == b"abc" and nvs.commits == 1
