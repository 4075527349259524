"""Bursts of a radar without distances: the angle, outliers, ghosts. Traffic: `../radar`."""

from passage.speed_bursts import SpeedBurstTracker


def test_the_mounting_angle_is_corrected():
    bursts = SpeedBurstTracker(correction=int(1024 / 0.866))
    for i in range(12):
        bursts.detect(433, 100 + 40 * i, 156 * i)
    bursts.expire(10_000)
    assert abs(bursts.queue.pop()[2] - 500) <= 3


def test_two_outliers_do_not_raise_the_speed():
    bursts = SpeedBurstTracker()
    for i in range(20):
        bursts.detect(900 if i in (7, 13) else 400, 100 + 20 * i, 156 * i)
    bursts.expire(10_000)
    assert bursts.queue.pop()[2] == 400


def test_a_short_burst_is_a_ghost():
    bursts = SpeedBurstTracker()
    bursts.detect(300, 50, 0)
    bursts.detect(300, 50, 156)
    bursts.expire(5000)
    assert bursts.ghosts == 1 and len(bursts.queue) == 0
