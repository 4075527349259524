# heap: 12m
"""Uplinks over LoRaWAN: their order, times and sizes, also through losses."""

import struct
from array import array

from lora_net import UTC, Net

DAY = 86_400
STATE, COUNTS, RESENT, EVENT, ANSWER = 4, 1, 2, 3, 5


def test_the_state_leaves_first_then_records_oldest_first():
    net = Net(30)
    net.run(3 * 3600)
    assert net.heard[0][0] == STATE and len(net.heard[0][1]) == 28
    assert sorted(net.held) == list(range(1, 31))
    firsts = [records[0][1] for records in net.on(COUNTS)]
    assert firsts == sorted(firsts)
    assert net.ring.cursor(1) == (30, 0)


def test_a_new_interval_leaves_at_once_and_repeats_the_one_before():
    net = Net()
    net.run(4 * 3600, counting=True)
    frames = net.on(COUNTS)
    assert [records[0][:2] for records in frames] == [(n, n) for n in range(1, 16)]
    for records in frames[1:]:
        assert records[1][1] == records[0][0] - 1
    sizes = [len(payload) for _t, port, payload in net.device.sent if port == COUNTS]
    assert max(sizes) <= 51
    for t, port, _payload in net.device.sent[1:]:
        assert port == COUNTS and t % 900 <= 30


def test_a_small_budget_sends_each_interval_alone_in_24_bytes():
    net = Net(lora_airtime_s=10)
    net.run(DAY, counting=True)
    net.device.sent.clear()
    net.run(DAY, counting=True)
    sizes = [len(payload) for _t, port, payload in net.device.sent if port == COUNTS]
    assert len(sizes) >= 95 and sorted(sizes)[len(sizes) // 2] <= 24
    assert net.device.airtime() <= 10.1


def test_slow_data_rates_merge_and_keep_the_budget():
    for sf, span, space in ((9, 1, 115), (10, 2, 51), (11, 4, 51), (12, 4, 51)):
        net = Net()
        net.device.how, net.device.space = (sf, 125_000), space
        net.run(4 * DAY, counting=True)
        spans = {last - first + 1 for first, last in net.numbers()}
        assert max(spans) == span, sf
        assert max(len(p) for _t, port, p in net.device.sent if port == COUNTS) <= space
        behind = max(net.truth) - max(net.held)
        assert behind <= 3 * span and sorted(net.held) == list(range(1, max(net.held) + 1)), sf
        assert net.device.airtime() <= 4 * 30 + 7.5, sf


def test_an_hour_ends_early_where_the_time_is_not_continuous():
    net = Net(5)  # it is midnight: the first interval is the last quarter before 23:00
    net.device.how, net.device.space = (11, 125_000), 51
    net.run(3600)
    assert sorted(set(net.numbers())) == [(1, 1), (2, 5)]


def test_an_incomplete_hour_waits_for_its_end_or_for_a_newer_record():
    net = Net(4)
    net.device.how, net.device.space = (12, 125_000), 51
    net.close_interval()
    net.run(1800)
    assert net.numbers() == [(1, 4)]
    net.link.event("detector", was=1, state=4)
    net.run(12 * 3600)
    assert (5, 5) in net.numbers() and len(net.on(EVENT)) == 1


def test_a_lost_uplink_is_healed_by_the_next():
    net = Net()
    net.device.lost = lambda n: n % 3 == 0
    net.run(DAY, counting=True)
    assert sorted(net.held)[:-1] == list(range(1, len(net.held)))
    assert net.numbers(RESENT) == []


def test_losses_and_an_outage_of_two_days_leave_no_gap():
    net = Net(blocks=200)
    net.confirming = net.asking = True
    net.device.lost = lambda n: DAY <= net.clock.uptime < 3 * DAY or n * 7919 % 100 < 20
    net.run(5 * DAY, counting=True)
    assert net.device.airtime() <= 5 * 30 + 7.5
    net.device.lost = lambda n: False
    net.run(DAY, counting=True)
    newest = max(net.truth)
    assert newest >= 6 * 96 - 1
    assert [n for n in range(1, newest) if n not in net.held] == []
    assert net.ring.cursor(1)[1] >= newest - 8


def test_requested_records_leave_newest_first_and_unmerged():
    net = Net(200, blocks=100)
    net.run(6 * 3600)
    net.resend(21, 150)
    net.run(12 * 3600)
    asked = net.numbers(RESENT)
    assert asked == [(n, n) for n in range(150, 20, -1)]
    assert net.on(ANSWER) == [b"\x01\x07\x0021..150"]


def test_records_requested_twice_are_sent_once():
    net = Net(60)
    net.run(6 * 3600)
    for first, last in ((21, 40), (30, 45), (46, 50), (1, 10)):
        net.resend(first, last)
    net.run(12 * 3600)
    asked = net.numbers(RESENT)
    assert asked == [(n, n) for n in range(50, 20, -1)] + [(n, n) for n in range(10, 0, -1)]


def test_new_records_go_before_requested_ones():
    net = Net(40, lora_airtime_s=5)
    net.run(DAY)
    net.resend(1, 40)
    for _ in range(4):
        net.close_interval()
    net.heard.clear()
    net.run(900)
    assert [port for port, _ in net.heard][:4] == [ANSWER, STATE, COUNTS, RESENT]
    net.run(4 * DAY)
    assert (1, 1) in net.numbers(RESENT)


def test_events_anchors_and_lost_records_are_reported():
    net = Net(400, blocks=12)
    net.link.event("detector", was=1, state=4)
    net.anchor(3, 50, UTC)
    net.close_interval()
    first = net.ring.first_seq
    assert first > 1
    net.run(DAY)
    events = net.on(EVENT)
    assert [body[11] for body in events] == [6, 2, 5]  # gone, detector, anchor
    assert events[0][11:] == struct.pack(">BII", 6, 1, first - 1)
    assert min(net.held) == first and max(net.held) == net.ring.next_seq - 1
    net.resend(first - 3, first + 1)
    net.run(DAY)
    gone = net.on(EVENT)[-1]
    assert gone[11:] == bytes((6,)) + (first - 3).to_bytes(4, "big") + (first - 1).to_bytes(
        4, "big"
    )
    assert net.numbers(RESENT) == [(first + 1, first + 1), (first, first)]


def test_trouble_on_the_air_loses_nothing_and_is_counted():
    net = Net(3)
    trouble = [False, OSError("dead"), ValueError("no more than 11 bytes now")]
    net.device.outcomes = [True] + trouble * 2
    net.run(3600)
    assert sorted(net.held) == [1, 2, 3]
    stats = net.link.stats()
    assert stats["radio_errors"] == 2 and stats["failures"] == 4 and stats["frames"] == 2


def test_without_a_network_nothing_is_sent_and_nothing_forgotten():
    net = Net(3)
    net.device.space = 0
    assert net.run(DAY) == []
    net.device.how = None
    net.device.space = 242
    assert net.run(3600) == []
    net.device.how = (7, 125_000)
    net.run(3600)
    assert sorted(net.held) == [1, 2, 3]


def test_a_record_waits_for_a_frame_that_is_large_enough():
    net = Net(1)
    net.device.space = 51
    net.run(60)
    net.close_interval()
    net.device.space = 8
    net.run(600)
    assert sorted(net.held) == [1]
    net.device.space = 51
    net.run(600)
    assert sorted(net.held) == [1, 2]


def test_sent_records_are_remembered_across_a_restart():
    net = Net(5)
    net.run(600)
    net.restart()
    net.close_interval()
    net.heard.clear()
    net.run(600)
    assert [port for port, _ in net.heard] == [STATE, COUNTS]
    assert net.on(COUNTS)[0][0][:2] == (6, 6)


def test_a_silent_backend_gets_everything_again_after_a_day():
    net = Net(4)
    net.run(600)
    net.ack(2)
    net.run(DAY - 600)
    assert net.link.retransmissions == 0
    net.heard.clear()
    net.run(1200)
    assert net.link.retransmissions == 1
    assert net.on(COUNTS)[0][0][:2] == (4, 4) and net.on(COUNTS)[0][1][:2] == (3, 3)
    net.run(DAY)
    assert net.link.retransmissions == 1, "the time-out has doubled"


def test_without_a_confirming_backend_each_record_is_sent_once():
    net = Net(4)
    net.run(3 * DAY)
    assert net.link.retransmissions == 0 and len(net.on(COUNTS)) == 1
    assert len(net.on(STATE)) == 3


def test_records_without_a_time_wait_an_hour_for_one():
    net = Net(utc=0)
    net.start = 0
    net.close_interval(start=0)
    net.run(3500)
    assert net.numbers() == [] and len(net.on(STATE)) == 1
    net.run(200)
    assert net.numbers() == [(1, 1)]


def test_a_radio_that_has_spent_the_day_is_left_alone():
    net = Net(1)
    net.device.airtime_s = 30.0
    assert net.run(DAY) == []
    net.device.airtime_s = 3.0
    net.run(600)
    assert sorted(net.held) == [1]


def test_the_networks_time_goes_to_the_node():
    net = Net()
    net.device.on_time(UTC, 17)
    assert net.times == [(UTC, 17)]


def test_each_look_is_progress_although_there_is_no_network():
    net = Net(3)
    net.device.space = 0
    net.run(3600)
    assert len(net.progress.reports) >= 3600 // 30 and set(net.progress.reports) == {"made"}


def test_intervals_whose_sum_no_record_holds_are_not_merged():
    net = Net()
    net.device.how, net.device.space = (11, 125_000), 51
    net.start -= 3600
    for _ in range(4):
        seq = net.ring.next_seq
        net.close_interval(counts=array("H", [0, 0, 30_000] + [0] * 7))
        net.truth[seq] = 30_000
    net.run(3600)
    assert sorted(set(net.numbers())) == [(1, 2), (3, 4)]


def test_intervals_from_before_the_clock_was_known_leave_with_their_time():
    net, payloads = Net(), []
    net.device.how, net.device.space = (11, 125_000), 51
    for i in range(4):
        net.close_interval(start=0, uptime=900 * i)
    net.link.anchor = 3600, UTC
    backend, net.backend = net.backend, lambda port, payload: payloads.append((port, payload))
    net.run(3600)
    (frame,) = [payload for port, payload in payloads if port == COUNTS]
    backend(COUNTS, frame)
    assert net.numbers() == [(1, 4)], "an hour is one record"
    units = frame[5] << 16 | frame[6] << 8 | frame[7]  # behind version, log, and 16 bits of number
    assert 1_735_689_600 + 300 * (units >> 2) == UTC - 3600


def test_a_frame_that_was_not_on_the_air_is_tried_again_a_minute_later():
    net = Net(1)
    net.device.outcomes = [False, OSError("dead"), ValueError("no more than 11 bytes now")]
    net.run(600)
    assert [t for t, _port, _payload in net.device.sent][:1] == [180]
