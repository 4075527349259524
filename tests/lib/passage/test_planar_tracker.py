"""Walkers that others hide at the line, and walkers side by side."""

from passage.planar_tracker import PlanarTracker

STEP_MS, STEP_MM = 100, 130  # a walk of 1.3 m/s


def _walk(tracker, seen, y=2000):
    """A walker from -2 m to 2 m, seen where `seen(x)` is true. Its passages."""
    for i in range(31):
        x = -1950 + i * STEP_MM
        if seen(x):
            tracker.detect(x, y, i * STEP_MS)
    tracker.expire(31 * STEP_MS)
    tracker.expire(31 * STEP_MS + 1000)
    return _popped(tracker)


def _popped(tracker):
    found = []
    while (passage := tracker.queue.pop()) is not None:
        found.append(passage)
    return found


def test_a_walker_first_seen_behind_the_line_is_counted_at_its_time():
    [(direction, cls, speed, when_ms, _, _)] = _walk(PlanarTracker(), lambda x: x > 600)
    assert (direction, cls) == (0, 0) and 43 <= speed <= 50
    assert abs(when_ms - 1500) <= 150


def test_a_walker_lost_before_the_line_is_counted_at_its_time():
    [(direction, _, _, when_ms, _, _)] = _walk(PlanarTracker(), lambda x: x < -600)
    assert direction == 0 and abs(when_ms - 1500) <= 150


def test_a_walker_seen_on_one_side_alone_and_far_away_is_not_counted():
    assert _walk(PlanarTracker(), lambda x: x > 1300) == []
    assert _walk(PlanarTracker(), lambda x: x < -1300) == []


def test_a_walker_hidden_at_the_line_for_a_moment_is_counted_once():
    assert len(_walk(PlanarTracker(), lambda x: abs(x) > 400)) == 1


def test_walkers_abreast_keep_their_tracks():
    tracker = PlanarTracker()
    for i in range(31):
        x = -1950 + i * STEP_MM
        for place, y in enumerate((1300, 2100, 2900)):
            if (i + place) % 3:  # each one is missed now and then
                tracker.detect(x, y, i * STEP_MS)
    assert len(_popped(tracker)) == 3
