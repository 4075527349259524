"""The tracker of a radar on a lamp post: noisy angles, second echoes, wrong direction bytes."""

import math
import random
import time

from passage.tracker import Tracker


class Street:
    """Vehicles that a radar on a lamp post sees ten times a second: [(s on the line, km/h, away,
    m aside)]. Line at 20 m, lobe of 20 degrees. `seed` draws whole metres and angles."""

    def __init__(self, line_m=20, seed=5):
        random.seed(seed)
        self.tracker = Tracker(line_m)
        self.line_m = line_m
        self.passages = []

    def drive(self, cars, seconds, see=None):
        """see: function(tracker, t, target, ms) that reports a target (m, away, km/h, degrees)."""
        tracker = self.tracker
        for frame in range(int(seconds * 10)):
            t = frame / 10
            now = time.ticks_add(1000, frame * 100)
            for cross, kmh, away, aside in cars:
                moved = (t - cross) * kmh / 3.6
                along = self.line_m + moved if away else self.line_m - moved
                degrees = math.degrees(math.atan2(aside, along))
                if along < 3 or along > 58 or degrees > 20:
                    continue
                m = math.sqrt(along * along + aside * aside)
                radial = kmh * along / m
                (see or _see)(tracker, t, (m, away, radial, degrees), now)
            if frame % 10 == 9:
                tracker.expire(now)
            while len(tracker.queue):
                self.passages.append(tracker.queue.pop())
        tracker.expire(time.ticks_add(now, 9000))
        while len(tracker.queue):
            self.passages.append(tracker.queue.pop())
        return self.passages


def _see(tracker, _t, target, now):
    m, away, kmh, degrees = target
    degrees += (random.random() + random.random() + random.random() - 1.5) * 8
    tracker.detect(int(m + random.random()), away, int(kmh + random.random()), int(degrees), now)


def test_both_lanes_have_the_speed_along_the_road_and_their_moment_on_the_line():
    for away, aside in ((0, 3.25), (1, 6.75), (0, 6.75)):
        for line_m in (20, 24):
            got = Street(line_m).drive([(10, 30, away, aside)], 20)
            assert len(got) == 1 and got[0][0] == away, (away, aside, got)
            assert abs(got[0][2] - 300) <= 12, got
            assert abs(time.ticks_diff(got[0][3], 11_000)) < 250, got


def test_a_second_echo_from_the_rear_is_no_second_vehicle():
    def rear(tracker, t, target, now):
        _see(tracker, t, target, now)
        if random.random() < 0.25:
            m = target[0] - 4.5 if target[1] else target[0] + 4.5
            _see(tracker, t, (m,) + target[1:], now)

    for seed in range(6):
        got = Street(seed=seed).drive([(10, 30, 0, 3.25), (30, 45, 1, 6.75)], 45, rear)
        assert len(got) == 2, (seed, got)


def test_two_vehicles_within_a_body_are_two_if_both_are_seen_all_the_time():
    got = Street().drive([(10, 30, 0, 3.25), (10.6, 30, 0, 6.5)], 20)
    assert len(got) == 2, got


def test_wrong_direction_bytes_split_no_track():
    def flip(tracker, t, target, now):
        m, away, kmh, degrees = target
        _see(tracker, t, (m, away ^ (random.random() < 0.1), kmh, degrees), now)

    for seed in range(8):
        got = Street(seed=seed).drive([(10, 30, 0, 3.25), (30, 40, 1, 6.75)], 45, flip)
        assert [g[0] for g in got] == [0, 1], (seed, got)


def test_a_road_user_that_turns_round_is_a_new_track():
    tracker = Tracker(20)
    for i in range(100):  # from 30 m to 10 m and back again
        back = i > 40
        m = 10 + 0.5 * abs(i - 40)
        tracker.detect(int(m + 0.5), int(back), 18, 3, 1000 + i * 100)
    tracker.expire(50_000)
    passages = [tracker.queue.pop() for _ in range(len(tracker.queue))]
    assert [p[0] for p in passages] == [0, 1], passages


def test_a_target_in_few_reports_is_no_road_user():
    def one_in_five(tracker, t, target, now):
        if round(t * 10) % 5 == 0:
            _see(tracker, t, target, now)

    street = Street()
    street.drive([(10, 30, 0, 3.25)], 20)  # it learns how often reports come
    assert len(street.passages) == 1
    street.drive([(10, 30, 0, 3.25)], 20, one_in_five)
    assert len(street.passages) == 1


def test_reports_in_pairs_are_enough():
    def pairs(tracker, t, target, now):
        if round(t * 10) % 6 < 2:
            _see(tracker, t, target, now)

    got = Street().drive([(10 + 8 * i, 40, i & 1, 3.25) for i in range(6)], 70, pairs)
    assert len(got) == 6, got


def test_a_steady_track_is_extended_over_the_line_and_a_braking_one_is_not():
    for brake, count in ((0.0, 1), (1.2, 0)):
        tracker = Tracker(20)
        kmh, m, now = 36.0, 58.0, 1000
        while m > 32:  # lost 1.2 s before the line at 36 km/h
            if m < 46:
                kmh -= brake  # km/h in 0.1 s
            tracker.detect(int(m + 0.5), 0, int(kmh), 3, now)
            m -= kmh / 36
            now += 100
        tracker.expire(now + 9000)
        assert len(tracker.queue) == count, (brake, kmh)


def test_a_parked_car_that_starts_behind_the_line_has_not_crossed_it():
    tracker = Tracker(20)
    kmh, m, now = 2.0, 24.0, 1000
    while m < 55:
        tracker.detect(int(m + 0.5), 1, int(kmh), 6, now)
        kmh = min(30, kmh + 0.7)
        m += kmh / 36
        now += 100
    tracker.expire(now + 9000)
    assert len(tracker.queue) == 0


def test_the_tracker_tells_by_direction_what_never_came_to_the_line():
    street = Street(line_m=7)
    tracker = street.tracker
    for _ in range(5):  # the far lane: the lobe ends at 19 m, so it is first seen 12 m behind
        street.drive([(10, 12, 1, 6.75), (20, 30, 0, 1.0)], 40)
    assert list(tracker.sight[:2]) == [0, 5] and tracker.sight[2] >= 4, tracker.sight
