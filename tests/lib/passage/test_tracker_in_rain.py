"""The tracker in the rain: drops near the radar look like the start of a track."""

import time

from passage.tracker import Tracker

LINE_M = 20


def _passages(tracker, now):
    tracker.expire(time.ticks_add(now, 9000))
    return [tracker.queue.pop() for _ in range(len(tracker.queue))]


def _see(tracker, first_m, n, *, step_ms=100, kmh=18, first_ms=1000):
    """So many detections of something that approaches. Returns the time of the last."""
    for i in range(n):
        now = first_ms + i * step_ms
        tracker.detect(int(first_m - kmh * i * step_ms / 3600 + 0.5), 0, kmh, 2, now)
    return now


def test_a_few_drops_behind_the_line_are_no_road_user():
    for n, count in ((4, 0), (7, 0), (10, 1)):
        tracker = Tracker(LINE_M)
        now = _see(tracker, 12, n)
        assert len(_passages(tracker, now)) == count, n


def test_a_few_detections_on_both_sides_of_the_line_are_a_road_user():
    tracker = Tracker(LINE_M)
    now = _see(tracker, 21, 5)
    assert len(_passages(tracker, now)) == 1


def test_drops_before_a_road_user_are_not_its_beginning():
    """Otherwise it is seen in too few reports, and is counted seconds late or not at all."""
    tracker = Tracker(LINE_M)
    _see(tracker, 55, 10, kmh=30)
    tracker.expire(2000)  # it has learned how often reports come
    for ms in range(14_000, 18_000, 1000):
        if ms % 2000 == 0:
            tracker.detect(2 + (ms - 14_000) * 7 // 2000, 1, 14, 2, ms)
        tracker.expire(ms + 990)
    for i in range(60):
        now = 18_000 + i * 100
        tracker.detect(int(16 + i * 0.55), 1, 20, 2, now)
        if i % 10 == 9:
            tracker.expire(now)
        if len(tracker.queue):
            break
    assert 18_600 < now < 19_200, now


def test_reports_of_drops_do_not_lower_the_usual_rate_of_reports():
    """At a low rate, a few drops would be enough."""
    tracker = Tracker(LINE_M)
    _see(tracker, 55, 10, kmh=30)
    tracker.expire(2000)
    for second in range(3, 3000):  # rain: five or six reports a second, anywhere
        for i in range(5 + second % 2):
            tracker.detect(40 + 20 * (i & 1), i & 1, 3 + 16 * (i >> 1), 2, second * 1000 + i * 150)
        tracker.expire(second * 1000 + 990)
    now = _see(tracker, 14, 9, step_ms=350, kmh=15, first_ms=3_100_000)
    assert len(_passages(tracker, now)) == 0
