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


def test_a_clock_set_back_gives_no_time_until_it_has_passed_the_last_record():
    node = Node(UTC, 1)
    node.seconds(120)
    node.set_clock(UTC - 200)
    node.seconds(900)
    starts = [rec.start for rec in node.closed()]
    assert starts[:2] == [UTC, UTC + 60]
    placed = [start for start in starts[2:] if start]
    assert 0 in starts[2:] and placed and placed[0] >= UTC + 120
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
