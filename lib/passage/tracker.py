"""Tracks the targets of a radar along the road. Counts a track once, when it crosses the line.

The line is a place along the road. Each track knows how far beside the radar it drives, from its
own angles. So the line lies a little farther away for a far lane, and the speed along the road is
known from the radial one, which the angle makes smaller.

A track is a filter with constant velocity. The Doppler speed moves it on, a distance corrects it.
A detection belongs to the track of its direction that fits best in place, speed and side. A
detection that fits a track but for its direction byte founds none. If four of these follow each
other, the road user has turned. Nor does a detection found a track within a vehicle's length of
one that was not seen in this report yet.

A track counts if it was seen four times, in half of the reports, and has crossed the line. Within
a vehicle's length of another track of the same direction and speed it must have been seen in five
of eight reports. Two vehicles are both in nearly every report, the second echo of one vehicle
is in few. A track lost before the line, or first seen behind it, has crossed it if its place is
still known there within 3 m and it was seen eight times: drops of rain that fit each other are
fewer. A track of three detections ends after a second, so drops do not begin a road user's track.
A road user that turns back does not count.

Class: by speed. Between 18 and 35 km/h that alone says nothing, and the class is unknown. If a
limit for the echo is configured, the echo decides as well. The echo of a track is the mean of
strength times distance squared. A car sends back five times as much as a bicycle. If speed and
echo contradict each other, the class is unknown.

Nearly all tracks that were long enough, and moving at both ends, cross the line. `sight` counts by
direction those that did not, and those that did. If most do not, the radar looks elsewhere:
`misaligned()`.

Units inside: decimetres, milliseconds, 0.1 km/h. Nothing is allocated per frame.
"""

from array import array
from time import ticks_add, ticks_diff

from micropython import const

from passage.outlier_vote import cast, is_majority
from passage.queue import BICYCLE, CAR, PEDESTRIAN, UNKNOWN, PassageQueue
from passage.track import Track

_TRACKS = const(8)
_GATE_DM = const(30)
_YOUNG_DM = const(20)  # the track of an outlier must fit so much better than a proven one
_BODY_DM = const(60)  # nearer than this, two tracks of one direction and speed are one vehicle
_ALIKE = const(60)  # 0.1 km/h
_FASTER = const(80)  # 0.1 km/h, a detection differs by no more, and by 1 km/h more each 0.1 s
_WILD_DM = const(100)  # nearer than this the radial speed changes quickly
_NEAR_DM = const(60)  # nearer than this it says little
_LOST_MS = const(2500)
_YOUNG_MS = const(1000)  # unseen so long, a track of a few detections is lost
_IDLE_MS = const(500)  # a track that matters no more may then be dropped for a new one
_HITS_MIN = const(4)
_HITS_BESIDE_MIN = const(6)
_PROVEN = const(3)
# A new detection moves the track by 1/2, 1/3, 1/4: the steady gain of a filter for distances with
# a deviation of 0.7 m and a Doppler speed that is right to 1 km/h. The side goes on to 1/8.
_SETTLED = const(8)
_LONG_DM = const(50)  # a track that moved so far should have crossed the line
_MOVING = const(80)  # a slower road user may have started, stopped or turned
# Between these a bicycle cannot be told from a car by its speed, 0.1 km/h.
_UNCLEAR_MIN = const(180)
_UNCLEAR_MAX = const(350)
_RATE_MIN = const(48)  # reports in 16 s: ten a second, or fewer
_RATE_MAX = const(160)
_SIGN_VOTES_MIN = const(20)
_LINE_VOTES_MIN = const(60)


class Tracker:
    """line_m: place of the counting line along the road, m. mount_deg: the angle at which the
    radar shows a road user far away, 0 = it looks along the road.

    ped_max_kmh, bike_max_kmh: upper speed limits of the classes that speed alone can tell.
    car_echo: smallest echo of a car, 0 = the echo is not used.
    """

    def __init__(self, line_m, mount_deg=0, ped_max_kmh=8, bike_max_kmh=28, *, car_echo=0):
        self.queue = PassageQueue()
        self._line_dm = line_m * 10
        self._mount_deg = mount_deg
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._car_echo = car_echo
        self._tracks = [Track() for _ in range(_TRACKS)]  # the first `_live` are in use
        self._live = 0
        self.ghosts = 0  # tracks too short to count
        self.full = 0  # detections for which no track was free
        self._expected_dm = 0  # expected position of the present detection
        self._against = None  # track that it fits but for its direction byte
        self._report_ms = self._reports = 0
        self._rate = _RATE_MIN
        # Tracks that moved against their direction byte, and with it. Tracks that never came to
        # the line, and that did.
        self._votes = array("H", (0, 0, 0, 0))
        # Tracks that never came to the line, and that did, forward, then backward. They wrap.
        self.sight = array("H", (0, 0, 0, 0))
        self._misaligned = False

    def detect(self, distance_m, direction, speed_kmh, angle_deg, t_ms, *, snr=0):
        """Process a detection. direction: 0 = approaches, 1 = goes away. t_ms: ticks."""
        if t_ms != self._report_ms:
            self._report_ms = t_ms
            self._reports += 1
        dm, speed = distance_m * 10, speed_kmh * 10
        angle = angle_deg - self._mount_deg
        # The sine of the angle, in thousandths, as a polynomial: right to 0.4 % up to 45 degrees.
        side = dm * (angle * (17873 - (angle * angle * 29 >> 5)) >> 10) // 1000
        track = self._match(dm, direction, speed, side, t_ms)
        track = track or self._found(dm, direction, speed, side, t_ms)
        if not track:
            return
        hits = track.hits
        if hits:
            expected, beside = self._expected_dm, track.side
            if hits < _SETTLED:
                self._settle(track, dm, side)
            else:
                track.pos_dm = expected + (dm - expected >> 2)
                track.side = beside + (side - beside >> 3)
            # Going away from near, the radial speed grows quickly: no mean yet.
            if dm >= _NEAR_DM or not direction:
                speed = track.speed * 3 + speed + 2 >> 2
            track.speed = speed
        track.seen_ms = t_ms
        track.hits = hits + 1
        if track.echo >= 0:
            if self._car_echo:
                track.add_echo(dm, snr)
            if hits + 1 >= _HITS_MIN:
                self._cross(track, False)

    def _settle(self, track, dm, side):
        """Correct a young track. Its second detection tells if the direction byte is right."""
        hits, expected = track.hits, self._expected_dm
        if hits == 1 and dm != track.first_dm:
            is_against = (dm > track.first_dm) != (track.direction == 1)
            cast(self._votes, 0, is_against, 10 * _SIGN_VOTES_MIN)
        track.pos_dm = expected + (dm - expected) // (hits + 1 if hits < 4 else 4)
        track.side += (side - track.side) // (hits + 1)

    def _match(self, dm, direction, speed, side, t_ms):
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
            was = track.speed
            moved = was * dt // 3600
            expected = track.pos_dm + (moved if direction else -moved)
            off = dm - expected if dm > expected else expected - dm
            if off > _GATE_DM and off > _GATE_DM + moved * 3 // 10:
                continue
            if (speed > was + _FASTER or was > speed + _FASTER) and not _agree(dm, speed, was, dt):
                continue
            off += abs(side - track.side) >> 2
            if track.hits < _PROVEN:
                off += _YOUNG_DM
            if off < best_off:
                best, best_off = track, off
                self._expected_dm = expected
        return best

    def _is_taken(self, dm, direction, speed, t_ms):
        """True if the detection founds no track: it fits one but for its direction byte, or lies
        within a vehicle's length of one. `_against` is the first of these."""
        self._against = None
        is_crowded = False
        tracks = self._tracks
        for i in range(self._live):
            track = tracks[i]
            dt = ticks_diff(t_ms, track.seen_ms)
            if dt <= 0 or dt > _LOST_MS or track.hits < _PROVEN:
                continue
            was = track.speed
            moved = was * dt // 3600
            off = abs(dm - track.pos_dm - (moved if track.direction else -moved))
            if track.direction == direction:
                is_crowded |= off < _BODY_DM and abs(speed - was) <= _ALIKE
            elif off <= _GATE_DM and _agree(dm, speed, was, dt):
                self._against = track
        return is_crowded or self._against

    def _found(self, dm, direction, speed, side, t_ms):
        """A new track, or None if the detection founds none, or none is free."""
        if self._is_taken(dm, direction, speed, t_ms):
            track = self._against
            if track and track.turns():
                track.begin(dm, direction, speed, side, t_ms)
            return None
        if self._live == _TRACKS:
            self._free(t_ms, _IDLE_MS)
            if self._live == _TRACKS:
                self.full += 1
                return None
        track = self._tracks[self._live]
        self._live += 1
        track.begin(dm, direction, speed, side, t_ms)
        return track

    def _cross(self, track, is_lost):
        """Count the track if it has crossed the line."""
        line, away, speed = self._line_dm, track.direction, track.speed
        line += track.side * track.side // (2 * line)  # as seen from the radar
        over = track.pos_dm - line if away else line - track.pos_dm
        first = track.first_speed
        if over < 0 and not (is_lost and track.reaches(track.pos_dm, -over, speed, first)):
            return
        unseen = track.first_dm - line if away else line - track.first_dm
        if unseen > 0 and not track.reaches(track.first_dm, unseen, first, speed):
            return
        if not self._is_real(track):
            return
        # The squared sine of the angle, a little before: the speed is a mean. Then 1 / cosine.
        place = max(track.pos_dm + (-speed if away else speed) // 12, _NEAR_DM)
        bend = min((track.side * track.side << 10) // (place * place), 512)
        along = speed * (1024 + (bend >> 1) + (bend * bend >> 11)) >> 10
        since_ms = over * 3600 // speed if speed > 0 else 0
        when = ticks_add(track.seen_ms, -min(since_ms, 5000))
        self.queue.push(away, self._class(along, track.echo), along, when, raw_dkmh=speed)
        track.echo = -1

    def _is_real(self, track):
        """Seen in half of the reports, and no second echo of another track's vehicle."""
        seen = track.hits * 32_000
        due = ticks_diff(track.seen_ms, track.first_ms) * self._rate
        if seen < due:
            return False
        if track.hits >= _HITS_BESIDE_MIN and seen * 4 >= due * 5:
            return True
        for i in range(self._live):
            other = self._tracks[i]
            if other is track or other.direction != track.direction:
                continue
            if other.echo < 0 or other.hits > track.hits:
                moved = other.speed * ticks_diff(track.seen_ms, other.seen_ms) // 3600
                apart = other.pos_dm - track.pos_dm + (moved if other.direction else -moved)
                if abs(apart) < _BODY_DM and abs(other.speed - track.speed) < _ALIKE:
                    return False
        return True

    def _class(self, speed, echo):
        cls = PEDESTRIAN if speed <= self._ped_max else BICYCLE
        if speed > self._bike_max:
            cls = CAR
        if not self._car_echo:
            return UNKNOWN if _UNCLEAR_MIN < speed < _UNCLEAR_MAX else cls
        if echo >= self._car_echo:
            return CAR
        is_unclear = echo * 4 >= self._car_echo * 3
        return UNKNOWN if is_unclear or cls == CAR else cls

    def expire(self, now_ms):
        """End the lost tracks, learn how often reports come. Call it once a second."""
        reports = min(self._reports * 16, _RATE_MAX)
        self._reports = 0
        if reports > self._rate:
            self._rate = reports
        elif reports * 4 > self._rate * 3:  # in other seconds the road is empty
            self._rate += (reports - self._rate) >> 5
        self._free(now_ms, _LOST_MS)

    def _free(self, now_ms, idle_ms):
        """End the lost tracks, and those unseen for `idle_ms` that matter no more."""
        tracks = self._tracks
        for i in range(self._live - 1, -1, -1):
            track = tracks[i]
            unseen_ms = ticks_diff(now_ms, track.seen_ms)
            limit_ms = idle_ms if track.echo < 0 else _LOST_MS
            if track.hits < _HITS_MIN:
                limit_ms = min(idle_ms, _YOUNG_MS)
            if unseen_ms > limit_ms:
                self._live = last = self._live - 1
                tracks[i], tracks[last] = tracks[last], track
                self._end(track)

    def _end(self, track):
        if track.hits < _HITS_MIN:
            self.ghosts += 1
            return
        if track.echo >= 0:
            self._cross(track, True)
        is_long = abs(track.pos_dm - track.first_dm) >= _LONG_DM
        if is_long and min(track.speed, track.first_speed) >= _MOVING and self._is_real(track):
            crossed = track.echo < 0
            cast(self._votes, 2, not crossed, 10 * _LINE_VOTES_MIN)
            i = 2 * track.direction + crossed
            self.sight[i] = (self.sight[i] + 1) & 0xFFFF

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


def _agree(dm, speed, was, dt):
    """True if a speed can have changed so much in dt ms, or is so near that it says little."""
    faster = abs(speed - was)
    return faster <= _FASTER + dt // 10 or (dm <= _WILD_DM and faster <= was >> 1)
