"""The tracker on made tracks: approaching, leaving, platoons, turn-backs, losses, nonsense."""

import math
import random
import time

from passage.tracker import Tracker


def _drive(tracker, cars, seconds, *, hz=10, drop=0.0, seed=1):
    """cars: (t of crossing s, speed km/h, direction); 8 m line, seen up to 60 m. -> passages"""
    random.seed(seed)
    out = []
    for frame in range(int(seconds * hz)):
        t = frame / hz
        now = time.ticks_add(500, int(t * 1000))
        for cross, kmh, away in cars:
            way = (t - cross) * kmh / 3.6
            d = 8 + way if away else 8 - way
            if 1 <= d <= 60 and random.random() >= drop:
                tracker.detect(int(d + 0.5), away, int(kmh + random.random()), 3, now)
        tracker.expire(now)
        while len(tracker.queue):
            out.append(tracker.queue.pop())
    return out


def test_one_car_each_way_with_its_speed_and_moment():
    for away in (0, 1):
        got = _drive(Tracker(8), [(10, 50, away)], 20)
        assert len(got) == 1, (away, got)
        direction, cls, speed, when, _on_line = got[0]
        assert direction == away and cls == 2 and abs(speed - 505) < 15, got
        assert abs(time.ticks_diff(when, 10_500)) < 350, when


def test_classes_by_speed():
    for kmh, cls in ((5, 0), (18, 1), (45, 2)):
        got = _drive(Tracker(8), [(20, kmh, 0)], 40)
        assert [g[1] for g in got] == [cls], (kmh, got)


def test_a_platoon_and_opposing_traffic():
    cars = [(10 + 1.3 * i, 48 + i, 0) for i in range(6)]
    cars += [(10.2 + 1.7 * i, 40, 1) for i in range(5)]
    got = _drive(Tracker(8), cars, 40)
    assert sum(g[0] == 0 for g in got) == 6 and sum(g[0] == 1 for g in got) == 5, got


def test_lost_detections_make_neither_more_nor_fewer():
    for seed in range(6):
        cars = [(8 + 4 * i, 30 + 3 * i, i & 1) for i in range(8)]
        got = _drive(Tracker(8), cars, 60, drop=0.3, seed=seed)
        assert len(got) == 8, (seed, len(got))


def test_who_turns_back_before_the_line_does_not_count():
    tracker = Tracker(8)
    for i in range(60):
        t = i / 10
        d = 12 + 10 * abs(math.cos(t * 0.5))
        tracker.detect(int(d), 0 if t < 3.1 else 1, 8, 0, 1000 + i * 100)
        tracker.expire(1000 + i * 100)
    tracker.expire(100_000)
    assert len(tracker.queue) == 0


def test_a_short_ghost_does_not_count():
    tracker = Tracker(8)
    tracker.detect(9, 0, 30, 0, 1000)
    tracker.detect(8, 0, 30, 0, 1100)
    tracker.expire(9000)
    assert len(tracker.queue) == 0 and tracker.ghosts == 1


def test_a_swapped_direction_byte_is_noticed():
    tracker = Tracker(8)
    _drive(tracker, [(10 + 5 * i, 40, 0) for i in range(10)], 70)
    assert not tracker.contradicts()
    swapped = Tracker(8)
    for car in range(25):
        for i in range(30):
            swapped.detect(50 - i, 1, 36, 0, car * 10_000 + i * 100)
        swapped.expire(car * 10_000 + 9000)
    assert swapped.contradicts() or swapped.with_sign + swapped.against_sign < 20


def test_an_outlier_of_the_angle_makes_no_second_passage():
    for seed in range(110):
        random.seed(seed)
        tracker = Tracker(8)
        outlier = random.randrange(4, 26)
        now = 1000
        for i in range(28):
            now += 100 + random.randrange(-20, 20)
            metres = 40.2 - 47 / 3.6 * (now - 1000) / 1000 + random.random() * 0.6
            kmh = int(47 + random.random())
            angle = random.choice((-27, 27)) if i == outlier else random.randrange(-3, 3)
            tracker.detect(int(metres), 0, kmh, angle, now)
        tracker.expire(9000)
        assert len(tracker.queue) == 1, seed
