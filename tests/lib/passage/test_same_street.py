"""The same street gives the same passages with every version: years of counts stay comparable.

Streets are made of seeded noise: gaps in the detections, outliers, platoons, users that turn back.
A change of the method changes these lists. Then they are made anew, with the reason in the
CHANGELOG: `micropython tests/runner.py <this file> test_...` prints what it has got.
"""

import math
import random

from passage.planar_tracker import PlanarTracker
from passage.speed_bursts import SpeedBurstTracker
from passage.tracker import Tracker


def _popped(queue):
    """Passages as "direction class speed ticks measured", each a text."""
    found = []
    while (passage := queue.pop()) is not None:
        direction, cls, speed, when, _on_line, raw = passage
        found.append("%d%d %d %d %d" % (direction, cls, speed, when, raw))
    return found


def _same(got, wanted, counters, counts):
    wanted = [text.strip() for text in wanted.strip().replace("\n", ",").split(",")]
    for i, text in enumerate(got):
        assert i < len(wanted) and text == wanted[i], "%d: %s, all: %s" % (i, text, ", ".join(got))
    assert len(got) == len(wanted) and counters == counts, counters


def _vehicle(i):
    """Start in ms, km/h, direction, echo at one metre, of the i-th vehicle."""
    kmh = (5, 14, 23, 36, 48, 61, 97)[random.randrange(7)]
    return i * 1900 + random.randrange(3000), kmh, random.randrange(2), 900 * kmh


def _road(tracker, seconds, seed):
    """Vehicles on two lanes, seen from 60 m on, ten times a second."""
    random.seed(seed)
    cars = [_vehicle(i) for i in range(seconds * 10 // 19)]
    stops = [random.randrange(12) for _ in cars]  # some stop or turn back on their way
    found = []
    for ms in range(0, seconds * 1000, 100):
        for (start, kmh, away, echo), stop in zip(cars, stops):
            moved = (ms - start) * kmh // 360  # dm
            if stop == 0 and moved > 450:
                moved = 900 - moved
            dm = moved if away else 600 - moved
            if not 10 <= dm <= 600 or random.randrange(8) == 0:
                continue
            metres = (dm + random.randrange(10)) // 10
            angle = int(math.degrees(math.atan2(3 if away else -3, metres)))
            if random.randrange(25) == 0:
                angle = random.randrange(-60, 60)
            tracker.detect(
                metres, away, kmh + random.randrange(2), angle, 5000 + ms,
                snr=min(255, echo // (metres * metres)),
            )  # fmt: skip
        if ms % 1000 == 0:
            tracker.expire(5000 + ms)
        found += _popped(tracker.queue)
    return found


def _path(tracker, seconds, seed):
    """People on a path: some cross, some turn back or stop, it rains a little."""
    random.seed(seed)
    users = []
    for i in range(seconds * 10 // 25):
        speed = (700, 1200, 1500, 3900, 6500, 9000)[random.randrange(6)] * (1 - 2 * (i & 1))
        users.append((2500 * i + random.randrange(2000), speed, 1000 + random.randrange(3000)))
    turns = [random.randrange(7) for _ in users]
    found = []
    for ms in range(0, seconds * 1000, 100):
        for (start, speed, y), turn in zip(users, turns):
            moved = (ms - start) * abs(speed) // 1000
            if turn == 0:
                moved = min(moved, 6200 - moved)
            x = moved - 3000 if speed > 0 else 3000 - moved
            if ms >= start and abs(x) <= 3000 and random.randrange(9):
                tracker.detect(
                    x + random.randrange(-80, 80), y + random.randrange(-80, 80), 5000 + ms
                )
        if random.randrange(30) == 0:
            tracker.detect(random.randrange(-3000, 3000), random.randrange(500, 4000), 5000 + ms)
        if ms % 1000 == 0:
            tracker.expire(5000 + ms)
        found += _popped(tracker.queue)
    return found


def _bursts(tracker, seconds, seed, has_strength):
    """Vehicles before a radar that knows no distance, five or six reports a second."""
    random.seed(seed)
    cars = [_vehicle(i * 3) for i in range(seconds * 10 // 57)]
    found = []
    for ms in range(0, seconds * 1000, 160):
        best = None
        for start, kmh, away, _echo in cars:
            moved = (ms - start) * kmh // 36  # cm
            cm = moved if away else 5000 - moved
            if 0 <= cm <= 5000 and random.randrange(7):
                strength = 20_000_000 // (cm + 1300) * (80 + random.randrange(40)) // (cm + 1300)
                if best is None or strength > best[1]:
                    speed = kmh * 10 + random.randrange(-6, 6)
                    best = (-speed if away else speed), strength
        if best:
            tracker.detect(best[0] if has_strength else abs(best[0]),
                           best[1] if has_strength else 0, 5000 + ms)  # fmt: skip
        if ms % 960 == 0:
            tracker.expire(5000 + ms)
        found += _popped(tracker.queue)
    return found


ROAD = """
02 500 9348 484, 02 993 12345 976, 02 507 12949 486, 12 391 13900 364, 14 246 15878 236
02 381 21600 364, 12 529 24020 489, 10 57 24872 56, 12 526 29493 486, 02 632 30671 616
12 661 31230 615, 04 249 32285 236, 02 641 35836 617, 10 56 45635 55, 01 155 48552 147
04 252 49235 239, 01 151 50300 145, 04 245 51284 233, 00 60 52600 57, 12 619 52076 617
02 630 53983 614, 12 975 54420 973, 14 249 56000 234, 00 56 57900 52, 01 152 59700 145
01 159 59798 146, 02 630 63954 616, 02 380 70022 365, 12 517 70611 485, 01 154 71802 146
12 621 71313 613, 14 251 74617 235, 01 155 75976 145, 11 154 76200 147, 12 674 78842 613
02 376 81651 362, 01 146 82675 144, 02 643 86624 615, 10 58 87737 57, 11 130 87841 122
01 152 100525 144, 04 248 100723 233, 01 148 102100 139, 00 58 103267 54, 12 1044 108671 979
04 244 109108 234, 12 1073 111401 975, 02 367 110997 362, 12 390 113800 366, 04 244 114523 233
02 638 118295 617, 02 998 121505 976, 12 525 122349 485, 02 373 122581 367
"""
ECHOES = """
12 484 7196 484, 12 970 9689 970, 12 486 10086 486, 02 398 15981 362, 02 529 16997 489
12 365 18443 365, 02 406 19763 366, 11 146 22351 146, 14 363 23731 363, 02 259 26985 235
02 532 31586 485, 02 671 31571 616, 02 260 32755 236, 12 483 35448 483, 02 403 35941 365
02 659 39900 616, 12 979 39691 979, 02 675 43800 615, 11 146 44902 146, 12 973 46160 972
02 1058 48686 976, 14 617 50007 617, 12 616 52707 616, 12 486 55856 486, 10 56 58536 56
12 615 59213 615, 11 143 59400 143, 11 145 62301 145, 00 59 63400 55, 02 261 67355 238
14 366 67361 366, 14 235 69009 235, 12 978 71853 978, 02 403 72151 367, 12 970 76875 970
12 613 78271 613, 02 674 78383 616, 12 485 86019 485, 02 540 87819 486, 14 235 91755 235
10 56 92700 56, 14 236 94600 236, 10 52 94831 52, 00 62 94874 57, 12 620 95342 616
02 259 97939 236, 12 369 96311 365, 12 614 99783 614, 11 148 104900 148, 02 673 106648 616
14 239 112455 239, 01 153 113175 142, 10 52 114631 52, 02 392 116291 365, 01 155 117628 146
02 522 119119 487, 12 618 121100 618, 14 235 121909 235
"""
PATH = """
01 229 7079 229, 01 245 11104 245, 10 44 11623 44, 14 327 13525 327, 00 43 17917 43
01 246 21338 246, 10 25 22097 25, 01 252 23337 252, 11 237 23267 237, 04 312 27157 312
10 79 29499 79, 00 54 33203 54, 10 25 37485 25, 14 335 38472 335, 01 231 46217 231
10 34 50908 34, 11 249 53659 249, 00 53 53839 53, 11 138 59250 138, 00 25 59613 25
11 145 61115 145, 01 124 61151 124, 14 327 63043 327, 01 229 67117 229, 11 138 68799 138
11 232 73050 232, 00 43 73196 43, 00 53 77088 53, 14 335 78758 335, 14 324 84360 324
00 25 84657 25, 00 43 88965 43, 10 53 90165 53, 01 250 90956 250, 00 43 98075 43
10 33 100093 33, 10 42 100439 42, 01 236 105939 236, 14 320 107973 320, 10 24 108582 24
00 24 115867 24, 10 54 116062 54, 00 45 117601 45, 10 54 121069 54, 04 324 122277 324
14 341 123776 341
"""
BURSTS = """
12 517 7240 482, 12 1043 12200 971, 02 658 19400 613, 11 249 23720 232, 02 660 33800 615
02 1040 35240 969, 11 153 40040 143, 11 148 50760 138, 02 389 51080 363, 11 249 52680 232
10 58 58440 54, 02 652 65320 607, 02 655 70760 610, 10 52 70920 49, 00 50 76520 47
12 518 81480 483, 10 54 84040 51, 02 385 87880 359, 02 391 90760 364, 00 58 93160 54
12 391 93320 364, 01 244 104520 228, 00 50 105480 47, 00 59 110920 55, 00 59 113160 55
10 51 114120 48, 01 153 113960 143, 01 146 118920 136, 01 151 121960 141, 10 59 122120 55
11 250 125320 233, 10 52 130280 49, 00 59 131240 55, 12 650 131560 606, 12 513 138920 478
00 59 138760 55, 10 58 141800 54, 11 150 143080 140, 11 152 145480 142, 10 52 147080 49
11 151 147720 141, 11 145 151720 135, 02 656 152520 611, 12 658 156040 613, 11 247 161160 230
12 1035 171880 964, 01 252 174120 235, 10 55 176680 52, 12 657 187880 612, 02 384 189000 358
10 54 189160 51, 10 53 193960 50, 02 1040 195720 969, 10 56 195880 53, 00 56 206920 53
10 55 207080 52, 11 248 212680 231, 10 54 214440 51, 12 1040 217800 969, 10 59 218440 55
00 59 227720 55, 00 59 229000 55, 01 151 232840 141, 00 54 234120 51, 00 49 235080 46
10 52 234760 49, 00 56 236360 53, 02 656 238120 611, 01 152 244680 142
"""
BARE = """
02 484 7720 484, 02 972 14920 972, 00 50 20520 50, 00 52 23720 52, 00 55 30760 55
02 609 43560 609, 00 52 54280 52, 00 53 59720 53, 00 55 62600 55, 01 234 64840 234
02 363 95880 363, 00 53 101480 53, 02 971 135080 971, 01 235 141000 235, 02 477 161320 477
02 609 167240 609, 02 614 174760 614, 02 970 180200 970, 01 143 184360 143, 01 145 190280 145
00 48 202600 48, 02 611 209320 611, 02 606 219240 606, 00 51 224200 51, 02 359 231080 359
02 612 242600 612
"""


def test_a_road_without_the_echo():
    tracker = Tracker(8)
    _same(_road(tracker, 120, 1), ROAD, (tracker.ghosts, tracker.full), (23, 418))


def test_a_road_with_the_echo_and_a_turned_radar():
    tracker = Tracker(15, mount_deg=12, ped_max_kmh=7, bike_max_kmh=25, car_echo=20_000)
    _same(_road(tracker, 120, 2), ECHOES, (tracker.ghosts, tracker.full), (20, 131))


def test_a_path():
    tracker = PlanarTracker()
    _same(_path(tracker, 120, 3), PATH, (tracker.ghosts, tracker.full), (39, 0))


def test_speeds_with_their_strength():
    tracker = SpeedBurstTracker(correction=1100)
    _same(_bursts(tracker, 240, 4, True), BURSTS, (tracker.ghosts, 0), (42, 0))


def test_speeds_alone():
    tracker = SpeedBurstTracker(lost_ms=450)
    _same(_bursts(tracker, 240, 5, False), BARE, (tracker.ghosts, 0), (4, 0))
