"""Resets, power cuts, damaged RTC memory: counting continues, and the record says why."""

import random

from counting_node import CAR, UTC, WALKER, Node, counted, no_overlap
from board_parts import FakeRtc
from nor import Nor
from ring import RingError
from wire.record import WHY_BOOT, WHY_RESTORED


def test_a_reset_that_keeps_rtc_memory_loses_no_passage():
    node = Node(UTC)
    node.seconds(100)
    for _ in range(5):
        node.counter.add(CAR)
    node.reset(away_s=3)
    node.counter.add(CAR)
    node.seconds(797)
    (rec,) = node.closed()
    assert rec.start == UTC and rec.length == 900
    assert rec.counts[2] == 6 and rec.totals[2] == 6
    assert rec.why == WHY_BOOT and rec.coverage == 897
    assert rec.boot == 2


def test_many_resets_in_one_interval_lose_no_passage():
    node = Node(UTC)
    for _ in range(20):
        node.seconds(10)
        node.counter.add(CAR)
        node.reset(away_s=2)
    node.seconds(900)
    assert node.closed()[0].counts[2] == 20
    assert node.closed()[0].coverage <= 900 - 20 * 2
    no_overlap(node)


def test_an_interval_that_ended_during_the_reset_is_closed_with_its_coverage():
    node = Node(UTC)
    node.seconds(400)
    node.counter.add(CAR)
    node.reset(away_s=700)
    node.seconds(700)
    first, second = node.closed()
    assert (first.start, first.length, first.coverage, first.counts[2]) == (UTC, 400, 400, 1)
    assert second.start == UTC + 900 and second.counts[2] == 0 and second.totals[2] == 1
    assert second.why & WHY_BOOT and second.coverage == 700
    no_overlap(node)


def test_a_reset_before_the_time_was_known_keeps_the_counts():
    node = Node(0)
    node.seconds(50)
    node.counter.add(CAR)
    node.reset()
    node.seconds(50)
    node.set_clock(UTC + 400)
    node.seconds(500)
    first, second = node.closed()
    assert (first.start, first.boot, first.length, first.counts[2]) == (0, 1, 50, 1)
    assert second.start == UTC + 350 and second.counts[2] == 0 and second.totals[2] == 1
    assert second.coverage == second.length == 550


def test_a_power_cut_costs_the_passages_after_the_checkpoint_and_is_marked():
    node = Node(UTC)
    node.counter.add(CAR)
    node.seconds(185)  # checkpoints after 1, 61, 121 and 181 s
    node.counter.add(CAR)
    node.reset(keep_rtc=False, known=False)
    assert node.closed()[0].counts[2] == 1
    node.seconds(15)
    node.set_clock(UTC + 400)
    node.seconds(500)
    first, second = node.closed()
    assert first.why & WHY_RESTORED and first.start == UTC
    assert first.coverage == first.length == 181
    assert second.start == UTC + 181 and second.length == 900 - 181
    assert second.coverage == 515 and second.why == WHY_BOOT
    assert second.totals[2] == 1
    no_overlap(node)


def test_totals_continue_through_power_cuts():
    node = Node(UTC)
    for i in range(4):
        node.counter.add(CAR)
        node.counter.add(WALKER)
        node.seconds(900)
        node.reset(keep_rtc=False)
        assert node.counter.rec.totals[2] == node.counter.rec.totals[5] == i + 1
    no_overlap(node)


def test_totals_are_found_behind_events_and_unplaced_intervals():
    node = Node(UTC)
    node.counter.add(CAR)
    node.seconds(900)
    node.reset(keep_rtc=False, known=False)
    node.counter.add(CAR)
    node.seconds(2000)
    node.ring.append(2, b"{}")
    node.reset(keep_rtc=False, known=False)
    assert node.counter.rec.totals[2] == 2
    node.set_clock(UTC + 300)  # before the end of the first interval
    node.seconds(1500)
    no_overlap(node)


def test_damaged_rtc_memory_is_ignored():
    reference = Node(UTC)
    reference.seconds(70)
    reference.counter.add(CAR)
    good = reference.rtc.data
    random.seed(8)
    for i in range(len(good)):
        hurt = bytearray(good)
        hurt[i] ^= 1 << random.randrange(8)
        node = Node(UTC)
        node.seconds(70)
        node.rtc.data = bytes(hurt)
        node.reset(away_s=2)
        assert node.closed()[0].why & WHY_RESTORED, i  # the checkpoint is taken instead
        assert counted(node) == 0


def test_rtc_memory_of_any_length_is_survived():
    node = Node(UTC)
    node.seconds(70)
    node.counter.add(CAR)
    good = node.rtc.data
    for data in (b"", b"T", b"\0" * 2048, b"\xff" * 2048, good[:17], good[:18], good[:-1]):
        node = Node(UTC)
        node.rtc.data = data
        node.reset()
        assert counted(node) == 0


def test_rtc_memory_longer_than_what_was_written_is_accepted():
    node = Node(UTC)
    node.seconds(70)
    node.counter.add(CAR)
    node.rtc.data += b"\xff" * 100
    node.reset()
    assert node.counter.rec.counts[2] == 1


def test_rtc_memory_of_another_log_is_ignored():
    node, other = Node(UTC), Node(UTC)
    other.flash = Nor(24)
    other.boot = 77
    other.rtc = FakeRtc()
    other.start(UTC)
    other.counter.add(CAR)
    assert other.ring.log_id != node.ring.log_id
    node.rtc.data = other.rtc.data
    node.reset()
    assert counted(node) == 0


def test_rtc_memory_from_before_the_last_record_is_ignored():
    node = Node(UTC)
    node.counter.add(CAR)
    node.seconds(890)
    old = node.rtc.data
    node.seconds(20)
    node.rtc.data = old
    node.reset()
    assert counted(node) == 1 and len(node.closed()) >= 1
    no_overlap(node)


def test_resets_cuts_and_steps_in_any_order_never_overlap_nor_double():
    for seed in range(6):
        random.seed(seed)
        moves = [random.randrange(6) for _ in range(40)]
        lengths = [random.randrange(1, 130) for _ in range(40)]
        node, most = Node(UTC, 1), 0
        for move, length in zip(moves, lengths):
            node.seconds(length)
            node.counter.add(CAR)
            most += 1
            if move < 2:
                node.reset(away_s=length, keep_rtc=move == 0, known=length % 3 > 0)
            elif move == 2:
                node.seconds(1)
                node.set_clock(UTC + most * 60 + length - 65)
            no_overlap(node)
        assert counted(node) <= most
        totals = [rec.totals[2] for rec in node.closed()]
        assert totals == sorted(totals), "cumulative totals never go back"


def test_an_error_of_the_flash_is_raised_and_the_passages_stay_in_rtc_memory():
    node = Node(UTC)
    node.counter.add(CAR)
    append, node.ring.append = node.ring.append, _broken
    node.seconds(899)
    node.counter.add(CAR)
    try:
        node.seconds(1)
        raise AssertionError("not raised")
    except RingError:
        node.ring.append = append
    node.reset(away_s=2)
    node.seconds(900)
    first = node.closed()[0]
    assert first.start == UTC and first.counts[2] == 2
    assert counted(node) == 2
    no_overlap(node)


def _broken(*_args):
    raise RingError("ring: flash does not hold what is written to it")


def test_the_error_of_a_refused_checkpoint_is_raised():
    node = Node(UTC)
    node.ring.checkpoint = _broken
    try:
        node.seconds(61)
        raise AssertionError("not raised")
    except RingError as error:
        assert "ring" in str(error)
