"""The clock becomes known or steps. No interval overlaps and no passage is lost."""

import random

from counting_node import CAR, UTC, Node, counted, no_overlap
from ring import ANCHOR, INTERVAL
from wire.record import WHY_BOOT, WHY_CLOCK


def test_without_a_clock_intervals_are_keyed_by_the_uptime():
    node = Node(0)
    node.counter.add(CAR)
    node.seconds(2000)
    closed = node.closed()
    assert [(rec.start, rec.uptime, rec.length) for rec in closed] == [(0, 0, 900), (0, 900, 900)]
    assert all(rec.time_source == 0 and rec.coverage == 900 for rec in closed)


def test_the_first_synchronisation_places_the_open_interval():
    node = Node(0)
    node.counter.add(CAR)
    node.seconds(30)
    node.set_clock(UTC + 300)
    node.seconds(600)
    (rec,) = node.closed()
    assert rec.start == UTC and rec.length == 900 and rec.coverage == 630
    assert rec.counts[2] == 1 and rec.why & WHY_BOOT
    assert all(kind != ANCHOR for _seq, kind, _rec in node.records())


def test_an_interval_that_began_before_the_last_boundary_ends_when_the_time_is_known():
    node = Node(0)
    node.counter.add(CAR)
    node.seconds(200)
    node.set_clock(UTC + 50)
    node.seconds(850)
    first, second = node.closed()
    assert (first.start, first.length, first.coverage) == (UTC - 150, 200, 200)
    assert (second.start, second.length, second.coverage) == (UTC + 50, 850, 850)
    assert first.counts[2] == 1 and second.counts[2] == 0
    no_overlap(node)


def test_an_anchor_follows_intervals_that_were_closed_without_a_time():
    node = Node(0)
    node.seconds(1000)
    node.set_clock(UTC + 500)
    kinds = [kind for _seq, kind, _rec in node.records()]
    assert kinds == [INTERVAL, ANCHOR] and node.counter.anchor == (1000, UTC + 500)
    node.set_clock(UTC + 5000)
    assert [kind for _seq, kind, _rec in node.records()].count(ANCHOR) == 1
    assert node.counter.anchor == (1000, UTC + 500), "the same as in the log"


def test_the_open_interval_begins_where_the_last_one_without_a_time_ended():
    for uptime in (900, 901, 1000, 1700, 1801):
        for offset in (0, 1, 50, 500, 899):
            node = Node(0)
            node.seconds(uptime)
            node.set_clock(UTC + offset)
            node.seconds(2000)
            end = 0
            for rec in node.closed():
                start = rec.start or UTC + offset - uptime + rec.uptime
                assert start >= end, (uptime, offset, start, end)
                end = start + rec.length


def test_two_steps_in_one_second_lose_no_passage():
    node = Node(UTC)
    node.seconds(300)
    node.set_clock(UTC - 5000)
    node.counter.add(CAR)
    node.set_clock(UTC - 4000)
    assert counted(node) == 1


def test_a_clock_step_closes_the_interval_and_never_overlaps():
    for step in (86_400, -86_400, 5, -5, 900, -900, 3, -1000, 400_000):
        node = Node(UTC)
        node.counter.add(CAR)
        node.seconds(300)
        node.set_clock(node.clock.utc() + step)
        node.counter.add(CAR)
        node.seconds(2000)
        closed = node.closed()
        assert closed[0].start == UTC and closed[0].length == 300 and closed[0].coverage == 300
        assert closed[0].why & WHY_CLOCK and closed[1].why & WHY_CLOCK
        assert counted(node) == 2, step
        numbers = [seq for seq, _kind, _rec in node.records()]
        assert numbers == list(range(1, len(numbers) + 1))
        no_overlap(node)


def test_after_a_step_forward_the_interval_is_shorter_not_longer():
    node = Node(UTC)
    node.seconds(300)
    node.set_clock(UTC + 86_400 + 600)
    node.seconds(300)
    second = node.closed()[1]
    assert second.start == UTC + 86_400 and second.coverage == 300 and second.length == 900


def test_a_clock_set_back_by_up_to_a_minute_begins_at_the_end_of_the_last_record():
    node = Node(UTC, 1)
    node.seconds(120)
    node.set_clock(UTC + 70)
    node.seconds(300)
    starts = [rec.start for rec in node.closed() if rec.length]
    assert starts[:4] == [UTC, UTC + 60, UTC + 120, UTC + 180], starts
    no_overlap(node)


def test_a_step_forward_and_back_costs_the_time_of_the_intervals_between_alone():
    """An answer of a time server that is wrong by 20 years, by a day, by minutes."""
    for step in (631_152_000, 86_400, 3600, 660, 61):
        for count in (1, 4, 12):
            node = Node(UTC)
            node.seconds(1000)
            node.set_clock(node.clock.utc() + step)
            node.seconds(900 * count)
            before = len(node.closed())
            node.set_clock(node.clock.utc() - step)
            right = node.clock.utc()
            node.seconds(3600)
            later = node.closed()[before + 1 :]
            assert len(later) >= 4 and later[0].start == right, (step, count)
            assert all(rec.start % 900 == 0 for rec in later[1:]), (step, count)
            assert later[-1].start + later[-1].length <= node.clock.utc()


def _go(node, seconds, cut):
    node.seconds(seconds)
    if cut:
        node.reset(keep_rtc=False, known=False)
        node.seconds(20)


def test_power_cuts_around_a_step_forward_and_back_leave_no_interval_without_a_time():
    """Once the clock is right again, every interval has its time, wherever the power failed."""
    for cuts in range(16):
        node, truth = Node(UTC), UTC + 4100
        _go(node, 1000, cuts & 1)
        node.set_clock(UTC + 631_152_000)
        _go(node, 2000, cuts & 2)
        if cuts & 2:
            node.set_clock(UTC + 631_155_000)
        _go(node, 950, cuts & 4)
        node.set_clock(truth)
        node.seconds(1800)
        before = len(node.closed())
        if cuts & 8:
            node.reset(keep_rtc=False, known=False)
            node.seconds(5)
            node.set_clock(truth + 1810)
        node.seconds(4000)
        later = node.closed()[before:]
        assert len(later) >= 4 and all(rec.start > truth for rec in later), cuts


def test_a_real_time_clock_that_a_reset_set_back_gives_no_time():
    node = Node(UTC)
    node.seconds(1800)
    node.start(UTC - 7200, source=1)
    node.seconds(1800)
    assert [rec.start for rec in node.closed()][2:] == [0, 0]
    no_overlap(node)


def test_many_steps_lose_no_passage_and_never_overlap():
    random.seed(21)
    node = Node(0, 1)
    count = 0
    for _ in range(40):
        node.seconds(random.randrange(1, 100))
        node.counter.add(CAR)
        count += 1
        node.seconds(1)
        node.set_clock(UTC + random.randrange(-3000, 3000))
        no_overlap(node)
    assert counted(node) == count == node.counter.rec.totals[2]
