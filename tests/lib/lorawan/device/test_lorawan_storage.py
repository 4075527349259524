"""Clock, airtime of a day, and the store of an end device."""

import time

from board_parts import FakeNvs
from lorawan_node import HOUR, REGION, Node

from lorawan.device.storage import DailyAirtime, Micros, NvsStore
from lorawan.session import unpack


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


def test_a_session_with_all_its_channels_and_answers_comes_back_from_nvs():
    node, nvs = Node(), FakeNvs()
    session = node.mac.session
    for i in range(3, 16):
        session.channels.define(i, 867_100_000 + i * 100_000, 0x50)
    session.answers = bytearray(b"\6\xff\7" * 80)  # of 80 commands in one downlink
    NvsStore(nvs).write("session", node.mac.snapshot())
    found, _airtime = unpack(REGION, NvsStore(nvs).read("session"))
    assert found.channels.mask == 0xFFFF and found.answers == session.answers
