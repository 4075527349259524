"""Tracks the targets of a radar along the road. Counts a track once, when it crosses the line.

A detection belongs to the nearest track that moves in the same direction. It must lie within
3 m + 0.3 * (movement since last seen) of the position expected, because the distance is quantised
to 1 m, and within 12 degrees. A track ends 1.5 s after its last detection, so a short loss does
not make two passages of one. A track counts once it was seen three times and has crossed the line.
A track lost up to 0.9 s before the line is extrapolated and counts as crossed. So does a track
first seen up to 0.9 s behind it. A road user that turns back before the line does not count.

Class: by speed. If a limit for the echo is configured, the echo decides as well. The echo of a
track is the mean of strength times distance squared. A car sends back five times as much as a
bicycle. A slow track with the echo of a car is a car. If speed and echo contradict each
other, the class is unknown.

Nearly all tracks that were long enough, and still moving at their end, cross the line. If they do
not, the radar looks elsewhere: `misaligned()`.

Units inside: decimetres, milliseconds, 0.1 km/h. Nothing is allocated per frame.
"""

import math
from array import array
from time import ticks_add, ticks_diff

from micropython import const

from passage.outlier_vote import cast, is_majority
from passage.queue import BICYCLE, CAR, PEDESTRIAN, UNKNOWN, PassageQueue

_TRACKS = const(8)
_GATE_DM = const(30)
_YOUNG_DM = const(20)  # the track of an outlier must fit so much better than a proven one
_ANGLE_DEG = const(12)
_LOST_MS = const(1500)
_HITS_MIN = const(3)
_EXTRAPOLATED_MS = const(900)
_ANGLE_MAX_DEG = const(30)  # the lobe is 20 degrees wide: a larger angle is an outlier
_NEAR_DM = const(100)  # nearer than this the angle is wild
_LOBE_DM = const(60)  # nearer than this the lobe is so wide that the radial speed says little
_ECHO_M = const(5)  # nearer than this every echo is at its limit
_SNR_MAX = const(255)  # the true echo is larger by an unknown amount
_LONG_DM = const(50)  # a track that moved so far should have crossed the line
_MOVING = const(80)  # a slower road user may have stopped or turned at the end of its track
_SIGN_VOTES_MIN = const(20)
_LINE_VOTES_MIN = const(60)


class Track:
    """One moving object. The slots are used again and again."""

    def __init__(self):
        self.pos_dm = self.speed = self.angle = self.hits = self.direction = 0
        self.seen_ms = self.first_dm = 0
        self.speed_sum = self.raw_sum = self.speed_n = 0
        self.echo = 0
        self.counted = False


class Tracker:
    """line_m: distance of the counting line from the sensor, m. mount_deg: the angle at which the
    radar shows a road user far away, 0 = it looks along the road.

    ped_max_kmh, bike_max_kmh: upper speed limits of the classes that speed alone can tell.
    car_echo: smallest echo of a car, 0 = the echo is not used.
    """

    def __init__(self, line_m, mount_deg=0, ped_max_kmh=8, bike_max_kmh=28, car_echo=0):
        self.queue = PassageQueue()
        self._line_dm = line_m * 10
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._car_echo = car_echo
        angles = range(-_ANGLE_MAX_DEG - mount_deg, _ANGLE_MAX_DEG - mount_deg + 1)
        self._correction = array("H", [_correction(angle) for angle in angles])
        self._tracks = [Track() for _ in range(_TRACKS)]  # the first `_live` are in use
        self._live = 0
        self.ghosts = 0  # tracks too short to count
        self.full = 0  # detections for which no track was free
        self._expected_dm = 0  # expected position of the present detection
        # Tracks that moved against their direction byte, and with it. Tracks that never came to
        # the line, and that did.
        self._votes = array("H", (0, 0, 0, 0))
        self._misaligned = False

    def detect(self, distance_m, direction, speed_kmh, angle_deg, t_ms, *, snr=0):
        """Process a detection. direction: 0 = approaches, 1 = goes away. t_ms: ticks."""
        dm = distance_m * 10
        track = self._match(dm, direction, angle_deg, t_ms) if self._live else None
        if track is None:
            track = self._start(dm, direction, speed_kmh, t_ms)
            if track is None:
                return
        else:
            if track.hits == 1 and dm != track.first_dm:
                is_against = (dm > track.first_dm) != (direction == 1)
                cast(self._votes, 0, is_against, 10 * _SIGN_VOTES_MIN)
            track.pos_dm = (self._expected_dm * 5 + dm * 3) >> 3
            track.speed = (track.speed * 3 + speed_kmh * 10) >> 2
        track.angle = angle_deg
        track.seen_ms = t_ms
        hits = track.hits = track.hits + 1
        self._sum_speed(track, speed_kmh, angle_deg)
        if distance_m >= _ECHO_M:
            echo = snr * distance_m * distance_m
            if not track.echo:
                track.echo = echo
            elif snr < _SNR_MAX or echo > track.echo:
                track.echo = (track.echo * 7 + echo) >> 3
        if hits >= _HITS_MIN and not track.counted:
            self._cross(track, track.pos_dm)

    def _match(self, dm, direction, angle, t_ms):
        """The track that the detection continues, or None."""
        best, best_off = None, 1 << 20
        tracks = self._tracks
        for i in range(self._live):
            track = tracks[i]
            if track.direction != direction:
                continue
            dt = ticks_diff(t_ms, track.seen_ms)
            if dt <= 0 or dt > _LOST_MS:
                continue
            moved = track.speed * dt // 3600
            expected = track.pos_dm + moved if direction else track.pos_dm - moved
            off = dm - expected if dm > expected else expected - dm
            if off > _GATE_DM + moved * 3 // 10:
                continue
            if track.hits < _HITS_MIN:
                off += _YOUNG_DM
            if off < best_off and _angles_agree(track, angle):
                best, best_off = track, off
                self._expected_dm = expected
        return best

    def _start(self, dm, direction, speed_kmh, t_ms):
        """A new track, or None if none is free."""
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

    def _sum_speed(self, track, speed_kmh, angle):
        """Add a sample of the speed along the road, taken before the lobe gets wide."""
        if track.pos_dm < _LOBE_DM and track.speed_n:
            return
        if -_ANGLE_MAX_DEG <= angle <= _ANGLE_MAX_DEG:
            track.speed_sum += speed_kmh * self._correction[_ANGLE_MAX_DEG + angle]
            track.raw_sum += speed_kmh
            track.speed_n += 1

    def _cross(self, track, pos_dm):
        """Count the track if it is behind the line and can have crossed it."""
        over = pos_dm - self._line_dm if track.direction else self._line_dm - pos_dm
        if over < 0:
            return
        lead = track.speed * _EXTRAPOLATED_MS // 3600
        if track.direction:
            crossed = track.first_dm <= self._line_dm + lead
        else:
            crossed = track.first_dm >= self._line_dm - lead
        if not crossed:
            return
        track.counted = True
        speed = raw = track.speed
        if track.speed_n:
            speed = track.speed_sum // (track.speed_n * 102)
            raw = min(speed, track.raw_sum * 10 // track.speed_n)
        since = over * 3600 // track.speed if track.speed > 0 else 0
        when = ticks_add(track.seen_ms, -min(since, 5000))
        self.queue.push(track.direction, self._class(speed, track.echo), speed, when, raw_dkmh=raw)

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
        """End the lost tracks. Call it once a second."""
        tracks = self._tracks
        for i in range(self._live - 1, -1, -1):
            track = tracks[i]
            if ticks_diff(now_ms, track.seen_ms) > _LOST_MS:
                self._live = last = self._live - 1
                tracks[i], tracks[last] = tracks[last], track
                self._end(track)

    def _end(self, track):
        if track.hits < _HITS_MIN:
            self.ghosts += 1
            return
        if not track.counted:
            moved = track.speed * _EXTRAPOLATED_MS // 3600
            self._cross(track, track.pos_dm + moved if track.direction else track.pos_dm - moved)
        self._vote(track)

    def _vote(self, track):
        moved = abs(track.pos_dm - track.first_dm)
        if track.hits >= 5 and moved >= _LONG_DM and track.speed >= _MOVING:
            cast(self._votes, 2, not track.counted, 10 * _LINE_VOTES_MIN)

    def contradicts(self):
        """True if four of five tracks (of at least 20) begin against their direction byte.

        The first two detections of a track tell. A road user that moves against the byte is soon
        lost, and found anew.
        """
        return is_majority(self._votes, 0, _SIGN_VOTES_MIN, 8)

    def misaligned(self):
        """True once four of five tracks (of at least 60) never came to the line.

        It stays true until fewer than six of ten do so.
        """
        tenths = 6 if self._misaligned else 8
        self._misaligned = is_majority(self._votes, 2, _LINE_VOTES_MIN, tenths)
        return self._misaligned


def _angles_agree(track, angle):
    """True if the angles agree, or one is an outlier, or the track is near and its angle wild."""
    was = track.angle
    if -_ANGLE_DEG <= angle - was <= _ANGLE_DEG or track.pos_dm < _NEAR_DM:
        return True
    return abs(angle) > _ANGLE_MAX_DEG or abs(was) > _ANGLE_MAX_DEG


def _correction(angle_deg):
    """1024 / cos(angle), the angle capped at 60 degrees."""
    return int(1024 / math.cos(math.radians(min(abs(angle_deg), 60))) + 0.5)
