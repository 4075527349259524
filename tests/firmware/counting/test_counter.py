"""Intervals in step with UTC, their coverage, and the reasons for missing coverage."""

from counting_node import (
    BLOCKED, CAR, MISALIGNED, MISCONFIGURED, OK, QUIET, SILENT, UTC, WALKER, Node, no_overlap,
)  # fmt: skip
from wire.record import WHY_BLOCKED, WHY_BOOT, WHY_MISCONFIGURED, WHY_OVERFLOW, WHY_SILENT


def test_intervals_end_at_multiples_of_their_length():
    for minutes in (1, 5, 15, 60):
        length = minutes * 60
        node = Node(UTC - UTC % 3600 + 1234, minutes)
        node.seconds(2 * length)
        closed = node.closed()
        assert len(closed) == 2
        for rec in closed:
            assert rec.start % length == 0 and rec.length == length
        assert closed[1].coverage == length and closed[1].why == 0
        assert closed[0].coverage == length - 1234 % length
        assert closed[0].why == WHY_BOOT
        no_overlap(node)


def test_a_record_names_boot_reset_cause_and_configuration():
    node = Node(UTC + 100)
    node.seconds(801, QUIET)
    rec = node.closed()[0]
    assert (rec.boot, rec.reset_cause, rec.config_hash) == (1, 3, 0xC0FFEE)
    assert rec.detector == QUIET and rec.time_source == 2 and rec.sync_age == 0
    assert rec.start == UTC and rec.coverage == 800


def test_a_passage_counts_in_the_interval_it_happened_in():
    node = Node(UTC)
    node.counter.add(CAR)
    node.counter.add(WALKER)
    node.seconds(899)
    node.counter.add(CAR)
    node.seconds(1)
    node.counter.add(CAR)
    node.seconds(900)
    first, second = node.closed()
    assert first.counts[2] == 2 and first.counts[5] == 1 and first.speed_n[0] == 2
    assert second.counts[2] == 1 and second.counts[5] == 0
    assert second.totals[2] == 3 and second.totals[5] == 1
    assert node.counter.passages == 4


def test_headways_and_gaps_are_counted_until_the_detector_is_blind():
    node = Node(UTC)

    def cars(*fronts_ms):
        for front_ms in fronts_ms:
            node.counter.add((0, 2, 500, front_ms, 400, 500))

    cars(1000, 3000, 8000)
    node.seconds(1, SILENT)
    cars(9000, 9500)  # the first of them has no headway: others may have passed unseen
    node.seconds(899)
    (rec,) = node.closed()
    assert rec.counts[2] == 5
    number, headways, gaps, on_line = [rec.spacing[kind * 2] for kind in range(4)]
    assert (number, headways, gaps) == (3, 75, 63), "in 0.1 s"
    assert on_line == 200, "in 0.01 s"


def test_a_record_is_announced_after_it_can_be_read():
    node, seen = Node(UTC), []
    node.counter.on_record = lambda: seen.append(len(node.closed()))
    node.seconds(1800)
    assert seen == [1, 2]


def test_time_in_which_the_detector_did_not_see_is_not_covered():
    for state, why in (
        (SILENT, WHY_SILENT), (BLOCKED, WHY_BLOCKED), (MISCONFIGURED, WHY_MISCONFIGURED),
        (MISALIGNED, WHY_SILENT), (0, WHY_SILENT),
    ):  # fmt: skip
        node = Node(UTC)
        node.seconds(200)
        node.seconds(300, state)
        node.seconds(400)
        node.seconds(900)
        first, second = node.closed()
        assert first.coverage == 600 and first.length == 900
        assert first.why == WHY_BOOT | why and first.detector == OK
        assert second.coverage == 900 and second.why == 0


def test_two_troubles_are_two_reasons():
    node = Node(UTC)
    node.seconds(10, SILENT)
    node.seconds(10, BLOCKED)
    node.seconds(880)
    assert node.closed()[0].why == WHY_BOOT | WHY_SILENT | WHY_BLOCKED
    assert node.closed()[0].coverage == 880


def test_lost_bytes_mark_the_interval_in_which_the_count_moved():
    node = Node(UTC)
    node.seconds(900)
    node.lost = 5
    node.seconds(900)
    node.seconds(900)
    assert [rec.why & WHY_OVERFLOW for rec in node.closed()] == [0, WHY_OVERFLOW, 0]


def test_coverage_never_exceeds_the_interval():
    node = Node(UTC)
    node.seconds(890)
    node.now_ms += 60_000  # the loop stood still across the end
    node.clock.go(59)
    node.seconds(1)
    rec = node.closed()[0]
    assert rec.length == 900 and rec.coverage == 900
    assert node.counter.rec.start == UTC + 900
