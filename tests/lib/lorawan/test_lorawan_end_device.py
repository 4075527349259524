"""The port of a station, without waiting for a radio; whole lives are in tests/conformance."""

import asyncio
import time

from board_parts import FakeLog, FakeNvs, FakeRtc
from lorawan_node import ADDR, APP_SKEY, NWK_KEY, REGION, Store, generator, identity

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from lorawan.device.storage import Airtime, Micros, NvsStore
from lorawan.mac import DOWNLINK, OVER, SENT, TIME, TOO_LONG
from lorawan.device.end_device import Station

GPS_TO_UNIX = 315_964_800 - 18
HOUR = 3_600_000_000


class Radio:
    """Is asked to send, and never says anything; `broken`: does not start."""

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED = range(5)

    def __init__(self, broken=False):
        self.broken = broken
        self.flag = asyncio.ThreadSafeFlag()
        self.irq_us = None
        self.sent = []

    def start(self):
        if self.broken:
            raise OSError("radio: no SX126x answers")

    def transmit(self, request):
        self.sent.append(bytes(request.data))

    def outcome(self):
        return self.NOTHING


def station(radio=None, session=True, **rest):
    log = FakeLog()
    made = Station(
        radio or Radio(), identity(), REGION, Store(), rng=generator(1), log=log,
        recent=FakeRtc(), join_within_s=0, **rest
    )  # fmt: skip
    if session:
        made.mac.personalise(ADDR, NWK_KEY, APP_SKEY)
    return made, log


def raised(made, *arguments):
    async def attempt():
        try:
            return await made.send(*arguments)
        except (ValueError, OSError) as error:
            return str(error)

    return asyncio.run(attempt())


def tell(made, *event):
    made._handlers[event[0]](*event[1:])


def test_before_it_has_joined_nothing_is_sent():
    made, _log = station(session=False)
    assert made.room() == 0 and made.data_rate() is None
    assert raised(made, 1, b"x") is False
    assert made.state()["joined"] is False and made.state()["f_cnt_up"] is None


def test_ports_and_lengths_that_are_not_possible():
    made, _log = station()
    assert made.room() == 51 and made.data_rate() == 0
    for port in (0, 224, 255, 256, -1, None):
        assert "port" in raised(made, port, b"x")
    assert "52 of 51" in raised(made, 1, bytes(52))


def test_a_dead_radio_is_an_oserror_for_whoever_sends():
    made, log = station(Radio(broken=True))

    async def live():
        task = asyncio.create_task(made.run())
        await asyncio.sleep_ms(20)
        try:
            await made.send(1, b"x")
        except OSError as error:
            return str(error)
        finally:
            assert not task.done(), "the station itself goes on"
            task.cancel()

    assert "no SX126x answers" in asyncio.run(live())
    assert made.state()["errors"]["radio"] == 1 and log.lines[-1][0] == "warn"


def test_a_transmission_without_an_end_is_a_dead_radio():
    radio = Radio()
    made, _log = station(radio)
    made.mac.set_adr(False, 5)

    async def live():
        task = asyncio.create_task(made.run())
        made.mac.personalise(ADDR, NWK_KEY, APP_SKEY)
        made.mac.stop(0)
        try:
            return await made.send(1, b"x")
        except OSError as error:
            return str(error)
        finally:
            assert not task.done(), "the station itself goes on"
            task.cancel()

    assert asyncio.run(live()) == "radio: no end of a transmission"
    assert len(radio.sent) == 1 and made._recent.data != b""


def test_the_end_of_a_frame_is_its_answer():
    for event, expected in (
        ((SENT, None, 1), True), ((SENT, True, 2), True), ((SENT, False, 3), False),
        ((OVER, "DevNonce"), False),
    ):  # fmt: skip
        made, _log = station()
        tell(made, *event)
        assert asyncio.run(made._wait_result()) is expected
    made, _log = station()
    tell(made, TOO_LONG, 11)
    try:
        asyncio.run(made._wait_result())
    except ValueError as error:
        assert "11" in str(error)
    else:
        raise AssertionError("accepted")


def test_downlinks_go_to_the_application():
    made, _log = station()
    tell(made, DOWNLINK, 2, b"nobody listens", -80, 5)
    got = []
    made.on_down = lambda port, payload: got.append((port, payload))
    tell(made, DOWNLINK, 2, b"abc", -80, 5)
    assert got == [(2, b"abc")]


def test_network_time_is_a_whole_second_and_its_tick():
    made, _log = station()
    got = []
    made.on_time = lambda utc, ms: got.append((utc, ms))
    end_us = made._clock.now()
    tell(made, TIME, 1_400_000_000, 128, end_us)
    utc, ms = got[0]
    assert utc == 1_400_000_000 + GPS_TO_UNIX
    ago_ms = time.ticks_diff(time.ticks_ms(), ms)
    assert 500 <= ago_ms < 1000  # half a second before the end of the uplink


def test_a_silent_network_is_asked_and_then_given_up():
    made, _log = station()
    made._ask_us = 10 * HOUR
    for silent in (0, 8, 31, 33):
        made.mac.session.silent_count = silent
        made._want()
        assert made.mac._wanted == b""
    made.mac.session.silent_count = 32
    made._want()
    assert made.mac._wanted == bytes((LINK_CHECK,))
    made._supervise(0)
    assert made.room() > 0
    made.mac.session.silent_count = 352
    made._supervise(0)
    assert made.room() == 0 and made.mac.joining() and made.mac.session is not None


def test_the_time_is_asked_for_until_it_is_known():
    made, _log = station()
    made._want()
    assert made.mac._wanted == bytes((DEVICE_TIME,))
    made.mac._wanted = b""
    made._want()
    assert made.mac._wanted == b""  # not again so soon


def test_a_network_that_is_heard_and_tells_no_time_is_asked_by_the_package():
    made, _log = station()
    asked = []
    made._posts.ask_time = asked.append
    for number in range(1, 25):
        made._ask_us = 0
        if number == 20:
            made.mac.session.fcnt_down += 1  # of something else
        made._want()
        assert len(asked) == (number >= 12) + max(0, number - 19), number
    tell(made, TIME, 1_400_000_000, 0, 0)
    made._ask_us = 0
    made._want()
    assert len(asked) == 6


def test_a_tick_of_the_past_has_its_time():
    clock = Micros()
    ticks = time.ticks_us()
    time.sleep_ms(2)
    passed = time.ticks_diff(time.ticks_us(), ticks)
    assert clock.now() - clock.at(ticks) >= passed > 0
    assert clock.at(time.ticks_add(ticks, 500)) - clock.at(ticks) == 500


def test_airtime_of_the_last_day():
    airtime = Airtime()
    for hour in range(30):
        airtime.add(1_000_000, hour * HOUR)
    assert airtime.seconds(29 * HOUR) == 24
    assert airtime.seconds(40 * HOUR) == 13
    assert airtime.seconds(500 * HOUR) == 0


def test_the_store_in_nvs():
    nvs = FakeNvs()
    store = NvsStore(nvs)
    assert store.read("session") is None
    store.write("session", b"abc")
    assert store.read("session") == b"abc" and nvs.commits == 1
