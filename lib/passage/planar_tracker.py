"""Tracks the targets of a radar beside a path. Counts a track each time it crosses the line.

The path runs along x, and the line is x = 0. A detection belongs to the nearest track if it lies
within 0.5 m of the position expected. The gate is wider for a young track, and for a track that
was not seen for a while. A track ends 0.9 s after its last detection.

A track counts if all of this holds: it was seen three times, and at least every 0.3 s on average.
It has moved at least 0.4 m, and it is 0.15 m beyond the line. A road user that turns back before
that does not count. One that comes back over the line counts again, in the other direction.

In a crowd others hide a road user at the line. A track that is lost up to 0.9 s before the line is
extrapolated and counts as crossed. So does one that is first seen up to 0.9 s behind it.

Nearly all tracks of 0.6 m and more cross the line. If they do not, the radar looks elsewhere:
`misaligned()`.

Units: mm, ms, mm/s. Speeds of passages are in 0.1 km/h. Nothing is allocated per frame.
"""

from array import array
from time import ticks_add, ticks_diff

from micropython import const

from passage.outlier_vote import cast, is_majority
from passage.queue import BACKWARD, BICYCLE, FORWARD, PEDESTRIAN, UNKNOWN, PassageQueue

_TRACKS = const(6)
_GATE_MM = const(500)
_YOUNG_GATE_MM = const(1200)  # a cyclist's movement between two reports, before its speed is known
_LOST_MS = const(900)
_HITS_MIN = const(3)
_REPORT_GAP_MAX_MS = const(300)  # mean of a track: rain is seen less often
_BEYOND_MIN_MM = const(150)
_MOVED_MIN_MM = const(400)
_EXTRAPOLATED_MS = const(900)
_AGO_MAX_MS = const(5000)  # from the line to the end of the sight, walking slowly
_UNSEEN = const(2)  # of `crossed`: somewhere between two detections
_SPEED_MAX = const(15_000)  # mm/s
_LONG_MM = const(600)
_MOVING = const(500)  # mm/s, a slower track has stopped
_VOTES_MIN = const(60)


class PlanarTrack:
    """One moving object. The slots are used again and again."""

    def __init__(self):
        self.x = self.y = self.vx = self.hits = 0
        self.seen_ms = self.first_ms = self.first_x = 0
        self.is_behind = False  # the line: x > 0
        self.crossed = False

    def begin(self, x, y, t_ms):
        self.x = self.first_x = x
        self.y = y
        self.vx = 0
        self.hits = 1
        self.seen_ms = self.first_ms = t_ms
        self.is_behind = x > 0
        self.crossed = False


class PlanarTracker:
    """ped_max_kmh, bike_max_kmh: upper speed limits of the classes that speed alone can tell."""

    def __init__(self, ped_max_kmh=8, bike_max_kmh=28):
        self.queue = PassageQueue()
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._tracks = [PlanarTrack() for _ in range(_TRACKS)]  # the first `_live` are in use
        self._live = 0
        self.ghosts = 0  # tracks too short to count
        self.full = 0  # detections for which no track was free
        self._votes = array("H", (0, 0))  # tracks that never came to the line, and that did
        self._misaligned = False

    def detect(self, x_mm, y_mm, t_ms):
        """Process a detection. t_ms: ticks."""
        track = self._match(x_mm, y_mm, t_ms)
        if track is None:
            if self._live == _TRACKS:
                self.full += 1
                return
            self._tracks[self._live].begin(x_mm, y_mm, t_ms)
            self._live += 1
            return
        dt = ticks_diff(t_ms, track.seen_ms)
        expected = track.x + track.vx * dt // 1000
        off = x_mm - expected
        track.x = expected + off * 5 // 8
        if track.hits == 1:
            vx = (x_mm - track.first_x) * 1000 // dt
        else:
            vx = track.vx + off * 300 // dt
        track.vx = min(_SPEED_MAX, max(-_SPEED_MAX, vx))
        track.y = (track.y * 3 + y_mm) >> 2
        track.seen_ms = t_ms
        track.hits += 1
        self._cross(track, track.x, t_ms)

    def _match(self, x, y, t_ms):
        """The track that the detection continues, or None."""
        best, best_off = None, 1 << 20
        for i in range(self._live):
            track = self._tracks[i]
            dt = ticks_diff(t_ms, track.seen_ms)
            if dt <= 0 or dt > _LOST_MS:
                continue  # one report never shows the same object twice
            gate = (_GATE_MM if track.hits > 2 else _YOUNG_GATE_MM) + dt
            off = abs(x - track.x - track.vx * dt // 1000) + abs(y - track.y)
            if off < gate and off < best_off:
                best, best_off = track, off
        return best

    def _cross(self, track, x, t_ms):
        """Count the track if it has crossed the line."""
        beyond = -x if track.is_behind else x
        if beyond < _BEYOND_MIN_MM or track.hits < _HITS_MIN:
            return
        moved = abs(x - track.first_x)
        if moved < _MOVED_MIN_MM:
            return
        dt = ticks_diff(t_ms, track.first_ms)
        if track.hits * _REPORT_GAP_MAX_MS < dt:
            return
        speed = moved * 36 // max(1, dt)
        ago = min(beyond * dt // moved, _AGO_MAX_MS)
        cls = UNKNOWN  # an e-scooter, a moped, a car in the wrong place
        if speed <= self._bike_max:
            cls = BICYCLE if speed > self._ped_max else PEDESTRIAN
        direction = BACKWARD if track.is_behind else FORWARD
        self.queue.push(direction, cls, speed, ticks_add(t_ms, -ago))
        track.is_behind = not track.is_behind
        track.crossed = True
        track.first_x, track.first_ms = x, t_ms

    def expire(self, now_ms):
        """End the lost tracks. Call it once a second."""
        tracks = self._tracks
        for i in range(self._live - 1, -1, -1):
            track = tracks[i]
            run = track.vx * _EXTRAPOLATED_MS // 1000
            if not track.crossed and (track.first_x - run > 0) != track.is_behind:
                self._cross_unseen(track, run)
            if ticks_diff(now_ms, track.seen_ms) > _LOST_MS:
                self._live = last = self._live - 1
                tracks[i], tracks[last] = tracks[last], track
                if track.hits < _HITS_MIN:
                    self.ghosts += 1
                else:
                    came = track.crossed == 1
                    t_ms = ticks_add(track.seen_ms, _EXTRAPOLATED_MS)
                    self._cross(track, track.x + run, t_ms)
                    self._vote(track, came)

    def _cross_unseen(self, track, run):
        """Count a track that was hidden when it crossed the line: it moves away from there."""
        if (run > 0) != track.is_behind or abs(track.x - track.first_x) < _MOVED_MIN_MM:
            return
        track.first_x -= run
        track.first_ms = ticks_add(track.first_ms, -_EXTRAPOLATED_MS)
        track.is_behind = not track.is_behind
        self._cross(track, track.x, track.seen_ms)
        track.crossed = track.crossed and _UNSEEN

    def _vote(self, track, came):
        """A track that was only extrapolated over the line did not come to it."""
        is_long = abs(track.x - track.first_x) >= _LONG_MM
        if track.crossed or (is_long and abs(track.vx) >= _MOVING):
            cast(self._votes, 0, not came, 10 * _VOTES_MIN)

    def misaligned(self):
        """True once seven of ten tracks (of at least 60) never came to the line.

        It stays true until fewer than six of ten do so.
        """
        tenths = 6 if self._misaligned else 7
        self._misaligned = is_majority(self._votes, 0, _VOTES_MIN, tenths)
        return self._misaligned
