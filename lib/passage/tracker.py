"""Tracks what a radar along the road sees, and counts a track once when it crosses a line.

A detection joins the nearest track that moves the same way and was expected within 3 m + 0.3 * way
since last seen (the distance is quantised to 1 m) and 12 degrees. A track lives on for 1.5 s
without detections, so that a short loss does not make two passages of one. It counts when it has
been seen three times and has crossed the line; one that is lost so shortly before the line, or
first seen so shortly behind it, has crossed as well: its way is extended. Who turns back before
the line is not counted.

Class: by speed. Where a limit of the echo is configured (strength times distance squared, mean of
the way; a car sends back five times what a bicycle does), what rides slowly with the echo of a car
is a car, and where speed and echo contradict each other it is unknown.

Of tracks that were long enough and still moving at their end, nearly all cross the line. If they
do not, the radar looks elsewhere: `misaligned()`.

Units inside: decimetres, milliseconds, 0.1 km/h. Nothing is allocated per frame.
"""

import math
from array import array
from time import ticks_add, ticks_diff

from micropython import const

from passage.queue import BICYCLE, CAR, PEDESTRIAN, UNKNOWN, PassageQueue
from passage.outlier_vote import say, vote

_TRACKS = const(8)
_GATE_DM = const(30)
_YOUNG_DM = const(20)  # what may be an outlier's track must fit so much better than a proven one
_ANGLE_DEG = const(12)
_LOST_MS = const(1500)
_MIN_HITS = const(3)
_EDGE_MS = const(900)  # how far a way is extended over the line
_MAX_ANGLE_DEG = const(30)  # the lobe is 20 degrees wide; more is an outlier (facts, LD2451 1.5)
_NEAR_DM = const(100)  # nearer than this the angle is wild
_LOBE_DM = const(60)  # and the lobe so wide that the radial speed says little
_ECHO_M = const(5)  # nearer than this every echo is at its limit
_MOST_SNR = const(255)  # at its limit: the echo is larger, nobody knows by how much
_LONG_DM = const(50)  # so far has somebody come who should have crossed the line
_MOVING = const(80)  # who is slower at the end of a track may have stopped, or turned
_SIGN_VOTES = const(20)
_LINE_VOTES = const(60)


class Track:
    """One moving thing; a slot that is used again and again."""

    def __init__(self):
        self.pos_dm = self.speed = self.angle = self.hits = self.direction = 0
        self.seen_ms = self.first_dm = 0
        self.speed_sum = self.raw_sum = self.speed_n = 0
        self.echo = 0
        self.counted = False


class Tracker:
    """line_m: distance of the counting line from the sensor, m. mount_deg: the angle at which the
    radar sees somebody far down the road, 0 = it looks along the road.

    ped_max_kmh, bike_max_kmh: upper limits of the classes that speed alone can tell apart.
    car_echo: least echo of a car, 0 = echoes say nothing.
    """

    def __init__(self, line_m, mount_deg=0, ped_max_kmh=8, bike_max_kmh=28, car_echo=0):
        self.queue = PassageQueue()
        self._line_dm = line_m * 10
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._car_echo = car_echo
        angles = range(-_MAX_ANGLE_DEG - mount_deg, _MAX_ANGLE_DEG - mount_deg + 1)
        self._stretch = array("H", [_stretch(angle) for angle in angles])
        self._tracks = [Track() for _ in range(_TRACKS)]  # the first `_live` of them are in use
        self._live = 0
        self.ghosts = 0  # tracks too short to count
        self.full = 0  # detections for which there was no track left
        self._expected_dm = 0  # where the detection under consideration should be
        # Tracks that moved against their direction byte, or with it; that never came to the line,
        # or did.
        self._votes = array("H", (0, 0, 0, 0))
        self._astray = False  # misaligned, when last asked

    def detect(self, distance_m, direction, speed_kmh, angle_deg, t_ms, *, snr=0):
        """A detection: direction 0 = comes nearer, 1 = goes away; t_ms in ticks."""
        dm = distance_m * 10
        track = self._match(dm, direction, angle_deg, t_ms) if self._live else None
        if track is None:
            track = self._start(dm, direction, speed_kmh, t_ms)
            if track is None:
                return
        else:
            if track.hits == 1 and dm != track.first_dm:
                is_against = (dm > track.first_dm) != (direction == 1)
                vote(self._votes, 0, is_against, 10 * _SIGN_VOTES)
            track.pos_dm = (self._expected_dm * 5 + dm * 3) >> 3
            track.speed = (track.speed * 3 + speed_kmh * 10) >> 2
        track.angle = angle_deg
        track.seen_ms = t_ms
        hits = track.hits = track.hits + 1
        self._weigh(track, speed_kmh, angle_deg)
        if distance_m >= _ECHO_M:
            echo = snr * distance_m * distance_m
            if not track.echo:
                track.echo = echo
            elif snr < _MOST_SNR or echo > track.echo:
                track.echo = (track.echo * 7 + echo) >> 3
        if hits >= _MIN_HITS and not track.counted:
            self._judge(track, track.pos_dm)

    def _match(self, dm, direction, angle, t_ms):
        """The track that the detection goes on with, or None."""
        best, best_off = None, 1 << 20
        tracks = self._tracks
        for i in range(self._live):
            track = tracks[i]
            if track.direction != direction:
                continue
            dt = ticks_diff(t_ms, track.seen_ms)
            if dt <= 0 or dt > _LOST_MS:
                continue
            way = track.speed * dt // 3600
            expected = track.pos_dm + way if direction else track.pos_dm - way
            off = dm - expected if dm > expected else expected - dm
            if off > _GATE_DM + way * 3 // 10:
                continue
            if track.hits < _MIN_HITS:
                off += _YOUNG_DM
            if off < best_off and _agree(track, angle):
                best, best_off = track, off
                self._expected_dm = expected
        return best

    def _start(self, dm, direction, speed_kmh, t_ms):
        """A new track; None if there is none left."""
        if self._live == _TRACKS:
            self.expire(t_ms)
            if self._live == _TRACKS:
                self.full += 1
                return None
        track = self._tracks[self._live]
        self._live += 1
        track.counted = False
        track.direction = direction
        track.pos_dm = track.first_dm = dm
        track.speed = speed_kmh * 10
        track.hits = track.speed_sum = track.raw_sum = track.speed_n = track.echo = 0
        return track

    def _weigh(self, track, speed_kmh, angle):
        """Collect the speed along the road: samples from before the lobe gets wide."""
        if track.pos_dm < _LOBE_DM and track.speed_n:
            return
        if -_MAX_ANGLE_DEG <= angle <= _MAX_ANGLE_DEG:
            track.speed_sum += speed_kmh * self._stretch[_MAX_ANGLE_DEG + angle]
            track.raw_sum += speed_kmh
            track.speed_n += 1

    def _judge(self, track, pos_dm):
        """Count the track if it is over the line and can have crossed it."""
        over = pos_dm - self._line_dm if track.direction else self._line_dm - pos_dm
        if over < 0:
            return
        lead = track.speed * _EDGE_MS // 3600
        if track.direction:
            came = track.first_dm <= self._line_dm + lead
        else:
            came = track.first_dm >= self._line_dm - lead
        if not came:
            return
        track.counted = True
        speed = raw = track.speed
        if track.speed_n:
            speed = track.speed_sum // (track.speed_n * 102)
            raw = min(speed, track.raw_sum * 10 // track.speed_n)
        since = over * 3600 // track.speed if track.speed > 0 else 0
        when = ticks_add(track.seen_ms, -min(since, 5000))
        self.queue.put(track.direction, self._class(speed, track.echo), speed, when, raw_dkmh=raw)

    def _class(self, speed, echo):
        cls = PEDESTRIAN if speed <= self._ped_max else BICYCLE
        if speed > self._bike_max:
            cls = CAR
        if not self._car_echo:
            return cls
        if echo >= self._car_echo:
            return CAR
        is_unclear = echo * 4 >= self._car_echo * 3
        return UNKNOWN if is_unclear or cls == CAR else cls

    def expire(self, now_ms):
        """End the tracks that were lost; call it once a second."""
        tracks = self._tracks
        for i in range(self._live - 1, -1, -1):
            track = tracks[i]
            if ticks_diff(now_ms, track.seen_ms) > _LOST_MS:
                self._live = last = self._live - 1
                tracks[i], tracks[last] = tracks[last], track
                self._end(track)

    def _end(self, track):
        if track.hits < _MIN_HITS:
            self.ghosts += 1
            return
        if not track.counted:
            way = track.speed * _EDGE_MS // 3600
            self._judge(track, track.pos_dm + way if track.direction else track.pos_dm - way)
        self._vote(track)

    def _vote(self, track):
        way = track.pos_dm - track.first_dm
        if track.hits >= 5 and abs(way) >= _LONG_DM and track.speed >= _MOVING:
            vote(self._votes, 2, not track.counted, 10 * _LINE_VOTES)

    def contradicts(self):
        """True when four of five tracks (of at least 20) begin against their direction byte.

        Their first two detections tell: who moves against it is soon lost, and found anew.
        """
        return say(self._votes, 0, _SIGN_VOTES, 8)

    def misaligned(self):
        """True when four of five tracks (of at least 60) never came to the line, and from then on
        until it is fewer than six of ten."""
        self._astray = say(self._votes, 2, _LINE_VOTES, 6 if self._astray else 8)
        return self._astray


def _agree(track, angle):
    """Angles agree, or one of them is an outlier, or the thing is close and the angle wild."""
    was = track.angle
    if -_ANGLE_DEG <= angle - was <= _ANGLE_DEG or track.pos_dm < _NEAR_DM:
        return True
    return abs(angle) > _MAX_ANGLE_DEG or abs(was) > _MAX_ANGLE_DEG


def _stretch(angle_deg):
    """1024 / cos(angle), the angle capped at 60 degrees (facts, section 7.4)."""
    return int(1024 / math.cos(math.radians(min(abs(angle_deg), 60))) + 0.5)
