"""The tracker on made tracks: approach, departure, platoons, turn-backs, losses, damaged data."""

import math
import random
import time

from passage.tracker import Tracker


def _drive(tracker, cars, seconds, *, hz=10, drop=0.0, seed=1):
    """cars: (s of crossing, speed km/h, direction). Line at 8 m, seen up to 60 m. Passages."""
    random.seed(seed)
    out = []
    for frame in range(int(seconds * hz)):
        t = frame / hz
        now = time.ticks_add(500, int(t * 1000))
        for cross, kmh, away in cars:
            moved = (t - cross) * kmh / 3.6
            d = 8 + moved if away else 8 - moved
            if 1 <= d <= 60 and random.random() >= drop:
                tracker.detect(int(d + 0.5), away, int(kmh + random.random()), 3, now)
        tracker.expire(now)
        while len(tracker.queue):
            out.append(tracker.queue.pop())
    return out


def test_one_car_in_each_direction_has_its_speed_and_moment():
    for away in (0, 1):
        got = _drive(Tracker(8), [(10, 50, away)], 20)
        assert len(got) == 1, (away, got)
        direction, cls, speed, when, _on_line, _raw = got[0]
        assert direction == away and cls == 2 and abs(speed - 505) < 15, got
        assert abs(time.ticks_diff(when, 10_500)) < 350, when


def test_the_class_follows_from_the_speed():
    for kmh, cls in ((5, 0), (16, 1), (24, 4), (45, 2)):
        got = _drive(Tracker(8), [(20, kmh, 0)], 40)
        assert [g[1] for g in got] == [cls], (kmh, got)


def test_a_track_counts_at_its_fourth_detection_not_before_and_not_later():
    tracker = Tracker(8)
    counted = []
    for i in range(5):  # away at 10 m/s, behind the line from the second detection on
        tracker.detect(8 + i, 1, 36, 3, 1000 + 100 * i)
        counted.append(len(tracker.queue))
    assert counted == [0, 0, 0, 1, 1]


def test_a_platoon_against_opposing_traffic_is_counted_car_by_car():
    cars = [(10 + 1.3 * i, 48 + i, 0) for i in range(6)]
    cars += [(10.2 + 1.7 * i, 40, 1) for i in range(5)]
    got = _drive(Tracker(8), cars, 40)
    assert sum(g[0] == 0 for g in got) == 6 and sum(g[0] == 1 for g in got) == 5, got


def test_lost_detections_change_no_count():
    for seed in range(6):
        cars = [(8 + 4 * i, 30 + 3 * i, i & 1) for i in range(8)]
        got = _drive(Tracker(8), cars, 60, drop=0.3, seed=seed)
        assert len(got) == 8, (seed, len(got))


def test_a_car_that_turns_back_before_the_line_does_not_count():
    tracker = Tracker(8)
    for i in range(60):
        t = i / 10
        d = 12 + 1.2 * (t - 3) * (t - 3)  # it brakes, and speeds up, with 2.4 m/s2
        kmh = int(8.64 * abs(t - 3))
        tracker.detect(int(d), 0 if t < 3 else 1, kmh, 0, 1000 + i * 100)
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
    for swapped in (False, True):
        tracker = Tracker(8)
        for car in range(25):
            now = car * 10_000
            # Short tracks: the gate loses a car that moves against its direction byte.
            for i in range(0, 30, 10):
                for metres in range(50 - i, 40 - i, -1):
                    now += 100
                    tracker.detect(metres, int(swapped), 9, 0, now)
            tracker.expire(now + 9000)
        assert tracker.contradicts() == swapped


def _seen_at(tracker, mount_deg, offset_m, kmh=50.0):
    """A car that comes along a lane `offset_m` beside a radar that is turned by mount_deg."""
    for i in range(45):
        along = 60 - kmh / 36 * i
        if along < 3:
            break
        bearing = math.atan2(offset_m, along)
        radial = kmh * math.cos(bearing)
        angle = math.degrees(bearing) + mount_deg
        if abs(angle) <= 30:
            metres = int(math.sqrt(along * along + offset_m * offset_m) + 0.5)
            tracker.detect(metres, 0, int(radial + 0.5), int(angle), 1000 + i * 100)
    tracker.expire(20_000)
    return tracker.queue.pop()


def test_the_speed_is_right_to_whichever_side_the_radar_is_turned():
    for mount in (-15, -8, 0, 8, 15):
        for offset in (-4.0, 4.0):
            passage = _seen_at(Tracker(8, mount), mount, offset)
            assert abs(passage[2] - 500) <= 20, (mount, offset, passage)
            assert passage[5] <= passage[2], "the measured speed is smaller"


def test_an_angle_that_is_not_configured_makes_speeds_slightly_wrong():
    """At 15 degrees up to 13 % off. The measured speed is the radial one."""
    for offset in (-4.0, 4.0):
        passage = _seen_at(Tracker(8), 15, offset)
        assert 455 <= passage[2] <= 565, passage
        assert 450 <= passage[5] <= 505, passage


def test_the_echo_tells_a_slow_car_from_a_bicycle():
    for echo, kmh, cls in (
        (12_000, 20.0, 2), (2500, 20.0, 1), (5000, 20.0, 4), (12_000, 50.0, 2),
        (2500, 40.0, 4), (900, 5.0, 0), (12_000, 6.0, 2),
    ):  # fmt: skip
        snr = lambda metres, echo=echo: min(255, echo // metres**2)  # noqa: E731
        tracker = Tracker(8, car_echo=6000)
        passage = _slow(tracker, kmh, snr)
        assert passage[1] == cls, (echo, kmh, passage)


def _slow(tracker, kmh, snr):
    metres, now = 40.0, 1000
    while metres > 2:
        tracker.detect(int(metres + 0.5), 0, int(kmh), 0, now, snr=snr(int(metres + 0.5)))
        metres -= kmh / 36
        now += 100
    tracker.expire(now + 5000)
    return tracker.queue.pop()


def test_the_echo_is_ignored_without_a_limit():
    assert _slow(Tracker(8), 16.0, lambda _metres: 255)[1] == 1


def test_a_radar_that_looks_elsewhere_is_misaligned():
    """Cars come to 36 m and leave the lobe. Then the radar is turned back."""
    tracker = Tracker(8)
    for car in range(70):
        for i in range(15):
            tracker.detect(50 - i, 0, 36, 0, car * 10_000 + i * 100)
        tracker.expire(car * 10_000 + 9000)
    assert tracker.misaligned() and len(tracker.queue) == 0
    for car in range(70, 120):
        for i in range(45):
            tracker.detect(50 - i, 0, 36, 0, car * 10_000 + i * 100)
        tracker.expire(car * 10_000 + 9000)
    assert not tracker.misaligned()


def test_cars_that_stop_before_the_line_do_not_make_the_radar_misaligned():
    tracker = Tracker(8)
    for car in range(90):
        for i in range(40):
            kmh = 36 - i * 8 // 10
            tracker.detect(50 - i + i * i // 90, 0, kmh, 0, car * 10_000 + i * 100)
        tracker.expire(car * 10_000 + 9000)
    assert not tracker.misaligned()


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


def test_the_echo_of_a_track_is_a_mean_and_one_strong_echo_makes_no_car():
    for strong, cls in ((1, 1), (40, 2)):
        tracker, now = Tracker(8, car_echo=6000), 1000
        for i in range(60):
            metres = 40 - i * 55 // 100
            echo = 30_000 if 10 <= i < 10 + strong else 2500
            tracker.detect(metres, 0, 20, 0, now, snr=min(254, echo // metres**2))
            now += 100
        tracker.expire(now + 5000)
        assert tracker.queue.pop()[1] == cls, strong
