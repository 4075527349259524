"""Passages from made distances in two zones."""

from beam.zones import FAR_MM, Zones

WALL_MM, BODY_MM, STEP_MS = 3000, 1200, 35


def _walk(zones, cover, start_ms=0):
    """cover(k) -> (A covered, B covered) at step k. Returns (direction, time, ms on the line)."""
    for k in range(60):
        for i, is_covered in enumerate(cover(k)):
            zones.measure(i, BODY_MM if is_covered else WALL_MM, start_ms + k * STEP_MS + 17 * i)
    found = []
    while (passage := zones.queue.pop()) is not None:
        found.append((passage[0], passage[3], passage[4]))
    return found


def _forward(k):
    return 20 <= k < 32, 26 <= k < 38


def _backward(k):
    return 26 <= k < 38, 20 <= k < 32


def test_the_zone_reached_first_gives_the_direction_and_the_time():
    zones = Zones()
    assert _walk(zones, _forward) == [(0, 700, 647)]
    assert _walk(zones, _backward, 5000) == [(1, 5717, 613)]
    assert zones.turned_back == 0


def test_a_walker_that_goes_back_is_not_counted():
    zones = Zones()
    assert _walk(zones, lambda k: (20 <= k < 44, 26 <= k < 38)) == []
    assert _walk(zones, lambda k: (20 <= k < 30, False), 5000) == []
    assert zones.turned_back == 2


def test_a_person_present_at_the_start_is_not_the_background_for_ever():
    zones = Zones()
    for k in range(20):
        zones.measure(0, BODY_MM, k * STEP_MS)
        zones.measure(1, BODY_MM, k * STEP_MS)
    _walk(zones, lambda k: (False, False), 1000)
    _walk(zones, lambda k: (False, False), 1000 + 60 * STEP_MS)
    assert len(_walk(zones, _forward, 10_000)) == 1


def test_the_background_follows_slowly_and_nothing_in_reach_is_far():
    zones = Zones()
    for k in range(2000):
        zones.measure(0, 3000 - k // 10, k * STEP_MS)
        zones.measure(1, FAR_MM, k * STEP_MS)
    assert 2795 < zones.pair[0].background < 2860 and zones.pair[0].changes == 0
    assert zones.pair[1].background == FAR_MM
    zones.measure(1, 3300, 99_000)
    assert zones.pair[1].occupied
