"""Merging of intervals: sums stay exact, and the limits of a merge."""

import random

from wire.merge import can_merge, merge
from wire.record import BINS, Interval

HOUR = 3600
UTC = 1_790_784_000  # a full hour


def record(seq, start, length=900):
    rec = Interval()
    rec.reset(start, 77)
    rec.seq, rec.length, rec.coverage, rec.boot = seq, length, length, 5
    return rec


def pair(**changed):
    older, rec = record(9, UTC), record(10, UTC + 900)
    for name, value in changed.items():
        setattr(older, name, value)
    return rec, older


def test_only_the_interval_directly_before_can_be_merged():
    assert can_merge(*pair(), 1, HOUR) is True
    assert not can_merge(*pair(seq=8), 1, HOUR)
    assert can_merge(*pair(seq=8), 2, HOUR)
    assert not can_merge(*pair(start=UTC - 1), 1, HOUR)
    assert not can_merge(*pair(length=899), 1, HOUR)
    rec, older = pair(start=0)
    rec.start = 900  # an unknown time is never directly before
    assert not can_merge(rec, older, 1, HOUR)


def test_intervals_of_two_periods_are_not_merged():
    rec, older = record(10, UTC), record(9, UTC - 900)
    assert not can_merge(rec, older, 1, HOUR) and not can_merge(rec, older, 1, 1800)
    rec, older = record(10, UTC + 1800), record(9, UTC + 900)
    assert can_merge(rec, older, 1, HOUR) and not can_merge(rec, older, 1, 1800)


def test_no_more_numbers_are_merged_than_a_frame_can_name():
    rec, older = record(100, UTC + 900), record(36, UTC)
    assert not can_merge(rec, older, 64, HOUR)
    older.seq = 37
    assert can_merge(rec, older, 63, HOUR)


def test_intervals_whose_sum_would_not_fit_are_not_merged():
    rec, older = pair()
    rec.counts[3], older.counts[3] = 65000, 535
    assert can_merge(rec, older, 1, HOUR)
    older.counts[3] = 536
    assert not can_merge(rec, older, 1, HOUR)
    older.counts[3], rec.speed_n[1], older.speed_n[1] = 0, 65535, 1
    assert not can_merge(rec, older, 1, HOUR)


def test_a_merged_record_has_the_later_state_and_the_sums():
    rec, older = pair(coverage=800, why=3, detector=4, uptime=100, boot=4)
    rec.why, rec.detector, rec.time_source = 8, 1, 3
    rec.totals[0], older.totals[0] = 50, 40
    merge(rec, older)
    assert (rec.seq, rec.start, rec.length, rec.coverage) == (10, UTC, 1800, 1700)
    assert (rec.why, rec.detector, rec.time_source, rec.totals[0]) == (11, 1, 3, 50)
    assert (rec.uptime, rec.boot) == (100, 4)


def test_an_hour_is_the_sum_of_its_quarters():
    random.seed(4)
    for _ in range(20):
        quarters = [record(20 + i, UTC + 900 * i) for i in range(4)]
        whole = Interval()
        whole.reset(0, 0)
        for quarter in quarters:
            for _ in range(random.randrange(60)):
                passage = random.randrange(2), random.randrange(5), random.randrange(-1, 1400)
                quarter.add(*passage)
                whole.add(*passage)
        rec, span = quarters[3], 1
        for older in (quarters[2], quarters[1], quarters[0]):
            assert can_merge(rec, older, span, HOUR)
            merge(rec, older)
            span += 1
        assert list(rec.counts) == list(whole.counts) and list(rec.hist) == list(whole.hist)
        assert list(rec.speed_sum) == list(whole.speed_sum)
        assert list(rec.speed_n) == list(whole.speed_n)
        assert sum(rec.hist[:BINS]) == rec.speed_n[0]
        assert (rec.start, rec.length, rec.coverage) == (UTC, 3600, 3600)
