"""Edges of a light barrier: the log between interrupt and reader, and the occlusions."""

import time

from beam import edges
from beam.edges import Beam, EdgeLog

MS = 1000
WRAP = time.ticks_add(0, -1)  # the largest value of ticks


def _beam():
    return Beam(5 * MS, 120 * MS)


def _play(beam, times, end=None):
    """Play edges at `times` (us), the first breaks the beam. Return (front, rear) of occlusions.

    end: when the beam settles at last, default: 10 s after the last edge.
    """
    for i, when in enumerate(times):
        beam.edge(i % 2 == 0, when)
    beam.settle(time.ticks_add(times[-1], 10_000 * MS) if end is None else end)
    found = []
    while beam.count:
        found.append((beam.front(), beam.rear()))
        beam.pop()
    return found


class Ticks:
    """Stands for the module `time`: each store happens in the next microsecond."""

    def __init__(self, start=0):
        self.now = start

    def ticks_us(self):
        self.now += 1
        return self.now

    ticks_diff = time.ticks_diff


def _log(start=0):
    edges.time = Ticks(start)
    return EdgeLog()


def test_an_empty_log_has_no_edge():
    log = _log()
    assert not log.next() and not log.next()


def test_edges_come_back_in_order_with_beam_level_and_time():
    log = _log(1000)
    stored = [(beam, level) for beam in (0, 1) for level in (0, 1)]
    for beam, level in stored:
        log.store(beam, level)
    got = []
    while log.next():
        got.append((log.when, log.beam, log.level))
    assert got == [(1001 + i, beam, level) for i, (beam, level) in enumerate(stored)]


def test_a_log_holds_256_edges_and_counts_the_rest():
    log = _log()
    for i in range(260):
        log.store(i & 1, i >> 1 & 1)
    assert log.overflow == 4
    for i in range(256):
        assert log.next() and (log.when, log.beam, log.level) == (i + 1, i & 1, i >> 1 & 1)
    assert not log.next()


def test_a_log_wraps_without_loss():
    log = _log()
    written = read = 0
    for i in range(2000):
        for _ in range(i % 3):
            log.store(written & 1, written >> 1 & 1)
            written += 1
        while written - read > 200 or (i % 5 == 0 and read < written):
            assert log.next() and log.when == read + 1 and log.beam == read & 1
            read += 1
    assert log.overflow == 0 and written > 1500


def test_a_log_that_was_full_stores_edges_again():
    log = _log()
    for _ in range(257):
        log.store(0, 0)
    log.next()
    log.store(1, 1)
    assert log.overflow == 1
    for _ in range(255):
        log.next()
    assert log.next() and log.beam == 1 and log.level == 1 and not log.next()


def test_an_occlusion_is_from_the_first_break_to_the_last_clearing():
    assert _play(_beam(), [100 * MS, 300 * MS]) == [(100 * MS, 300 * MS)]


def test_gaps_up_to_the_merge_time_belong_to_one_occlusion():
    for gap, count in ((1, 1), (119 * MS, 1), (120 * MS, 1), (120 * MS + 1, 2), (900 * MS, 2)):
        got = _play(_beam(), [0, 50 * MS, 50 * MS + gap, 200 * MS + gap])
        assert len(got) == count, gap
        assert got[0][0] == 0 and got[-1][1] == 200 * MS + gap


def test_a_break_shorter_than_the_debounce_time_is_no_occlusion():
    for length, count in ((0, 0), (1, 0), (5 * MS - 1, 0), (5 * MS, 1), (5 * MS + 1, 1)):
        assert len(_play(_beam(), [0, length])) == count, length


def test_chatter_that_goes_on_for_long_enough_is_one_occlusion():
    times = [i * MS for i in range(40)]
    assert _play(_beam(), times) == [(0, 39 * MS)]


def test_an_occlusion_is_finished_only_when_the_beam_was_clear_for_long_enough():
    beam = _beam()
    beam.edge(True, 0)
    beam.settle(10_000 * MS)
    assert beam.open and beam.count == 0, "still broken"
    beam.edge(False, 10_000 * MS)
    beam.settle(10_120 * MS)
    assert beam.open and beam.count == 0
    beam.settle(10_120 * MS + 1)
    assert not beam.open and beam.count == 1
    beam.settle(20_000 * MS)
    assert beam.count == 1


def test_two_equal_levels_are_a_lost_edge():
    beam = _beam()
    beam.edge(False, 0)  # clear already
    assert beam.lost_edges == 1 and not beam.open
    beam.edge(True, 10 * MS)
    beam.edge(True, 20 * MS)
    beam.edge(True, 30 * MS)
    assert beam.lost_edges == 3
    beam.edge(False, 100 * MS)
    beam.edge(False, 110 * MS)
    assert beam.lost_edges == 4
    beam.settle(1000 * MS)
    assert (beam.front(), beam.rear()) == (10 * MS, 100 * MS)


def test_the_queue_holds_eight_and_drops_the_oldest():
    times = []
    for i in range(11):
        times += [i * 1000 * MS, i * 1000 * MS + 50 * MS]
    got = _play(_beam(), times)
    assert got == [(i * 1000 * MS, i * 1000 * MS + 50 * MS) for i in range(3, 11)]


def test_the_queue_works_on_after_it_was_emptied():
    beam = _beam()
    for i in range(30):
        start = i * 1000 * MS
        assert _play(beam, [start, start + 50 * MS], start + 500 * MS) == [
            (start, start + 50 * MS)
        ]


def test_ticks_that_wrap_do_no_harm():
    start = WRAP - 20 * MS
    end = time.ticks_add(start, 50 * MS)
    assert end < start, "the ticks have wrapped"
    beam = _beam()
    beam.edge(True, start)
    beam.edge(False, end)
    beam.settle(time.ticks_add(end, 119 * MS))
    assert beam.count == 0
    beam.settle(time.ticks_add(end, 121 * MS))
    assert beam.count == 1


def test_a_monitor_is_ok_until_a_beam_was_broken_for_a_minute():
    edges.time = time
    monitor = edges.Monitor()
    now_ms = time.ticks_ms()
    for later_ms, is_blocked, state in (
        (0, True, 1), (59_000, True, 1), (61_000, True, 4), (62_000, True, 4), (62_500, False, 1)
    ):  # fmt: skip
        monitor.update(is_blocked, time.ticks_add(now_ms, later_ms))
        assert monitor.state == state, later_ms
