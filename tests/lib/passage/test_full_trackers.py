"""More road users than a tracker has room for. Those that it refuses are counted."""

from passage.planar_tracker import PlanarTracker
from passage.queue import PassageQueue
from passage.tracker import Tracker


def _popped(queue):
    found = []
    while (passage := queue.pop()) is not None:
        found.append(passage)
    return found


def test_a_ninth_vehicle_at_once_is_refused_and_the_eight_are_counted():
    tracker = Tracker(8)
    for i in range(60):  # eight at 10 m/s, 10 m apart, the first one 20 m before the line
        for car in range(8):
            if 0 <= 28 + 10 * car - i <= 100:
                tracker.detect(28 + 10 * car - i, 0, 36, 0, 1000 + 100 * i)
        if i == 5:
            tracker.detect(60, 1, 36, 0, 1000 + 100 * i)
            assert tracker.full == 1
    for i in range(60, 100):
        for car in range(8):
            if 0 <= 28 + 10 * car - i <= 100:
                tracker.detect(28 + 10 * car - i, 0, 36, 0, 1000 + 100 * i)
    tracker.expire(20_000)
    assert len(_popped(tracker.queue)) == 8 and tracker.full == 1 and tracker.ghosts == 0


def test_what_was_seen_once_makes_room_when_all_tracks_are_taken():
    tracker = Tracker(8)
    for car in range(8):
        tracker.detect(10 * (car + 1), 0, 36, 0, 1000)
    tracker.detect(60, 1, 36, 0, 1000 + 500)
    assert tracker.full == 1, "so soon it may be seen again"
    tracker.detect(60, 1, 36, 0, 1001 + 500)
    assert tracker.full == 1 and tracker.ghosts == 8


def test_a_seventh_walker_at_once_is_refused_and_the_six_are_counted():
    tracker = PlanarTracker()
    for i in range(50):
        for walker in range(6):
            tracker.detect(-2500 + 100 * i, 1000 + 1400 * walker, 1000 + 100 * i)
        if i == 20:
            tracker.detect(2900, 500, 1000 + 100 * i)
            assert tracker.full == 1
    tracker.expire(20_000)
    assert [passage[0] for passage in _popped(tracker.queue)] == [0] * 6 and tracker.full == 1


def test_rain_on_the_line_counts_as_nobody():
    """Three detections far apart in time are none of a road user."""
    for step_ms, count in ((300, 1), (500, 0)):
        tracker = PlanarTracker()
        for i in range(4):
            tracker.detect(-300 + 200 * i, 2000, 1000 + step_ms * i)
        tracker.expire(20_000)
        assert len(tracker.queue) == count, step_ms


def test_a_step_aside_over_the_line_counts_as_nobody():
    for steps, count in ((3, 0), (6, 1)):
        tracker = PlanarTracker()
        for i in range(12):
            tracker.detect(-140 + 100 * min(i, steps), 2000, 1000 + 100 * i)
        tracker.expire(20_000)
        assert len(tracker.queue) == count, steps


def test_the_queue_of_passages_refuses_the_newest_and_keeps_the_order():
    queue = PassageQueue()
    for turn in range(3):
        for i in range(35):
            queue.push(i & 1, i % 5, i, 1000 * turn + i, i - 1, raw_dkmh=i - 2)
        assert len(queue) == 32 and queue.refused == 3 * (turn + 1)
        raw = [0, 1] + list(range(30))  # without a measured speed it is the same
        assert _popped(queue) == [
            (i & 1, i % 5, i, 1000 * turn + i, i - 1, raw[i]) for i in range(32)
        ]
