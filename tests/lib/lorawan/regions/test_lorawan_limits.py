"""Limits of airtime: sub-bands, DutyCycleReq, join back-off (RP002-1.0.4, 2.4)."""

import random

from lorawan_node import HOUR, REGION, SECOND, Node, Store, freq3, generator

from lorawan.regions import eu868
from lorawan.regions.channels import Channels
from lorawan.regions.limits import DutyCycle, HourlyAirtime, JoinBackoff

BAND = 2  # 868.0 to 868.6 MHz, 1 %


def _max_in_an_hour(sent):
    """Largest airtime that begins within any hour. sent: (begin, airtime), in order."""
    largest, first, total = 0, 0, 0
    for begin, toa in sent:
        total += toa
        while sent[first][0] <= begin - HOUR:
            total -= sent[first][1]
            first += 1
        largest = max(largest, total)
    return largest


def test_the_airtime_of_an_hour_may_be_used_at_once_and_comes_back_after_it():
    book = HourlyAirtime(eu868.BANDS, 0)
    for _ in range(18):
        assert book.free_at(BAND, 2 * SECOND, 5) == 5
        book.add(BAND, 2 * SECOND, 5)
    free = book.free_at(BAND, 2000, 6)
    assert HOUR <= free <= HOUR + 240 * SECOND
    assert book.free_at(BAND, 2 * SECOND, free) == free


def test_the_airtime_of_no_hour_exceeds_its_share():
    random.seed(4)
    for band, (_from, _below, factor) in enumerate(eu868.BANDS):
        book, now, sent = HourlyAirtime(eu868.BANDS, 0), 0, []
        for _ in range(150):
            now += random.randrange(400 * SECOND)
            toa = random.randrange(20_000, 3_000_000)
            now = book.free_at(band, toa, now)
            book.add(band, toa, now)
            sent.append((now, toa))
        assert _max_in_an_hour(sent) <= HOUR // factor
        assert _max_in_an_hour(sent) > HOUR // factor * 4 // 5 or factor == 10  # it is used


def test_sub_bands_have_separate_airtime():
    book = HourlyAirtime(eu868.BANDS, 0)
    book.add(BAND, 36 * SECOND, 0)
    assert book.free_at(BAND, 2000, 0) > 0
    for band in (0, 1, 3, 4, 5):
        assert book.free_at(band, 2000, 0) == 0


def test_the_join_back_off_limits_each_period_as_published():
    """Airtimes of 100, 1000 and 1600 ms, as a published test of another stack has them."""
    for toa in (100_000, 1_000_000, 1_600_000):
        backoff, now, marks = JoinBackoff(0), 0, []
        for limit in (36 * SECOND, 36 * SECOND, 8_700_000):
            used = 0
            while used + toa < limit:
                now = backoff.free_at(toa, now)
                backoff.add(toa, now)
                used += toa
            marks.append(backoff.free_at(toa, now))
            now = marks[-1]
        assert marks == [HOUR, 11 * HOUR, 35 * HOUR]


def test_the_pause_after_a_request_keeps_the_share_in_the_mean():
    backoff, rng = JoinBackoff(0), generator(1)
    for now, factor in ((0, 100), (2 * HOUR, 1000), (12 * HOUR, 10_000)):
        backoff.free_at(1, now)
        pauses = [backoff.pause_us(SECOND, rng) for _ in range(500)]
        assert factor * SECOND // 2 <= min(pauses) and max(pauses) <= factor * SECOND * 3 // 2
        assert 0.95 < sum(pauses) / 500 / SECOND / factor < 1.05


def test_frames_wait_for_their_sub_band():
    node = Node()
    begins = []
    for _ in range(30):  # 1.3 s each at DR0: 27 in an hour
        node.mac.send(1, b"x" * 4, node.now)
        sent, _ = node.exchange()
        begins.append((sent.begin, sent.toa))
    assert begins[26][0] < 300 * SECOND and begins[27][0] >= HOUR
    assert _max_in_an_hour(begins) <= 36 * SECOND


def test_a_full_sub_band_makes_way_for_another():
    node = Node()
    node.obey(b"\x07\3" + freq3(867_100_000) + b"\x50")
    freqs = set()
    for _ in range(50):
        node.mac.send(1, b"x" * 4, node.now)
        sent, _ = node.exchange()
        assert sent.begin < HOUR // 2
        freqs.add(sent.freq)
    assert 867_100_000 in freqs


def test_duty_cycle_req_spaces_the_frames():
    node = Node()
    node.obey(b"\x03\x50\7\0\1")
    node.obey(b"\4\6")  # 1/64
    last = node.send()
    for _ in range(5):
        node.mac.send(1, b"x", node.now)
        sent, _ = node.exchange()
        assert sent.begin >= last.begin + 64 * last.toa
        last = sent
    node.mac.send(1, b"x", node.now)
    node.exchange(rx1=node.downlink(options=b"\4\0"))
    end = node.now
    node.mac.send(1, b"x", node.now)
    assert node.transmit().begin <= end + SECOND


def test_the_airtime_of_an_hour_is_counted_across_power_cuts():
    store, sent, now = Store(), [], 0
    random.seed(6)
    channels = Channels(REGION)
    while now < 4 * HOUR:
        air = DutyCycle(REGION, store, generator(now & 0xFF), now)
        for _ in range(random.randrange(1, 40)):
            toa = random.randrange(50_000, 2_000_000)
            if air.choose(now, 0, toa, channels) < 0:
                now = air.free_us
                continue
            air.add(868_100_000, toa, now)
            sent.append((now, toa))
            now += random.randrange(60 * SECOND)
    assert _max_in_an_hour(sent) <= 36 * SECOND
    assert len(store.writes) < len(sent) // 2


def test_old_airtime_does_not_count_after_a_start():
    store = Store()
    air = DutyCycle(REGION, store, generator(1), 0)
    air.add(868_100_000, 35 * SECOND, 0)
    air.choose(3 * HOUR, 5, 50_000, Channels(REGION))
    air.add(868_100_000, 50_000, 3 * HOUR)
    later = DutyCycle(REGION, store, generator(1), 3 * HOUR)
    assert later.spent()[BAND] < 10 * 500  # seconds in steps of 2 ms


def test_a_frame_whose_airtime_cannot_be_stored_is_not_sent():
    node, airtime = Node(), 0
    node.send()
    node.store.broken = True
    try:
        while True:
            node.mac.send(1, bytes(51), node.now)
            airtime += node.exchange()[0].toa
    except AssertionError:  # it neither sends nor waits for an event
        pass
    assert airtime <= 36 * SECOND // 8 + 2000  # what the last write covers
    assert node.mac.health()["store"] > 0


def test_damaged_airtime_in_the_store_is_ignored():
    for data in (b"", b"\1", b"\2" + bytes(12), b"\1" + bytes(11)):
        store = Store()
        store.write("air", data)
        assert DutyCycle(REGION, store, generator(1), 0).spent() == [0] * 6
