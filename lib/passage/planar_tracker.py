"""Tracks what a radar beside a path sees, and counts a track each time it crosses a line.

The path runs along x; the line is x = 0. A detection joins the nearest track within 0.5 m of
where that was expected, more for one that is young or was not seen for a while. A track lives on
for 0.9 s without detections. It counts when it has been seen three times, and in a third of the
reports, has come at least 0.4 m and is 0.15 m beyond the line; who turns back before that is not
counted, who comes back over the line counts again, the other way. One that is lost so shortly
before the line that it must have crossed it in the meantime counts as well.

Nearly all tracks that come 0.6 m cross the line. If they do not, the radar looks elsewhere:
`misaligned()`.

Units: mm, ms, mm/s; speeds of passages in 0.1 km/h. Nothing is allocated per frame.
"""

from array import array
from time import ticks_add, ticks_diff

from micropython import const

from passage.queue import BACKWARD, BICYCLE, FORWARD, PEDESTRIAN, UNKNOWN, PassageQueue
from passage.outlier_vote import say, vote

_TRACKS = const(6)
_GATE_MM = const(500)
_YOUNG_MM = const(
    1200
)  # a cyclist's way from one report to the next, whose speed is not known yet
_LOST_MS = const(900)
_MIN_HITS = const(3)
_SELDOM_MS = const(300)
_BEYOND_MM = const(150)
_CAME_MM = const(400)
_EDGE_MS = const(400)  # how far a way is extended over the line
_FASTEST = const(15_000)  # mm/s
_LONG_MM = const(600)
_MOVING = const(500)  # mm/s; who is slower at the end has stopped
_LINE_VOTES = const(60)


class PlaneTrack:
    """One moving thing; a slot that is used again and again."""

    def __init__(self):
        self.x = self.y = self.vx = self.hits = 0
        self.seen_ms = self.first_ms = self.first_x = 0
        self.behind = False  # the line: where x < 0 is before it
        self.crossed = False

    def begin(self, x, y, t_ms):
        self.x = self.first_x = x
        self.y = y
        self.vx = 0
        self.hits = 1
        self.seen_ms = self.first_ms = t_ms
        self.behind = x > 0
        self.crossed = False


class PlaneTracker:
    """ped_max_kmh, bike_max_kmh: upper limits of the classes that speed alone can tell apart."""

    def __init__(self, ped_max_kmh=8, bike_max_kmh=28):
        self.queue = PassageQueue()
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._tracks = [PlaneTrack() for _ in range(_TRACKS)]  # the first `_live` are in use
        self._live = 0
        self.ghosts = 0  # tracks too short to count
        self.full = 0  # detections for which there was no track left
        self._votes = array("H", (0, 0))  # tracks that never came to the line, or did
        self._astray = False

    def detect(self, x_mm, y_mm, t_ms):
        """A detection; t_ms in ticks."""
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
        track.vx = min(_FASTEST, max(-_FASTEST, vx))
        track.y = (track.y * 3 + y_mm) >> 2
        track.seen_ms = t_ms
        track.hits += 1
        self._judge(track, track.x, t_ms)

    def _match(self, x, y, t_ms):
        best, best_off = None, 1 << 20
        for i in range(self._live):
            track = self._tracks[i]
            dt = ticks_diff(t_ms, track.seen_ms)
            if dt <= 0 or dt > _LOST_MS:
                continue  # a report never shows the same thing twice
            gate = (_GATE_MM if track.hits > 2 else _YOUNG_MM) + dt
            off = abs(x - track.x - track.vx * dt // 1000) + abs(y - track.y) // 2
            if off < gate and off < best_off:
                best, best_off = track, off
        return best

    def _judge(self, track, x, t_ms):
        """Count the track if it has crossed the line."""
        beyond = -x if track.behind else x
        if beyond < _BEYOND_MM or track.hits < _MIN_HITS:
            return
        way = x - track.first_x
        if abs(way) < _CAME_MM:
            return
        dt = ticks_diff(t_ms, track.first_ms)
        if track.hits * _SELDOM_MS < dt:  # rain here and there
            return
        speed = abs(way) * 36 // max(1, dt)
        ago = min(beyond * dt // abs(way), 2000)
        cls = UNKNOWN  # an e-scooter, a moped, a car where it should not be
        if speed <= self._bike_max:
            cls = BICYCLE if speed > self._ped_max else PEDESTRIAN
        direction = BACKWARD if track.behind else FORWARD
        self.queue.put(direction, cls, speed, ticks_add(t_ms, -ago))
        track.behind = not track.behind
        track.crossed = True
        track.first_x, track.first_ms = x, t_ms

    def expire(self, now_ms):
        """End the tracks that were lost; call it once a second."""
        tracks = self._tracks
        for i in range(self._live - 1, -1, -1):
            track = tracks[i]
            if ticks_diff(now_ms, track.seen_ms) > _LOST_MS:
                self._live = last = self._live - 1
                tracks[i], tracks[last] = tracks[last], track
                if track.hits < _MIN_HITS:
                    self.ghosts += 1
                else:
                    t_ms = ticks_add(track.seen_ms, _EDGE_MS)
                    self._judge(track, track.x + track.vx * _EDGE_MS // 1000, t_ms)
                    self._vote(track)

    def _vote(self, track):
        is_long = abs(track.x - track.first_x) >= _LONG_MM
        if track.crossed or (is_long and abs(track.vx) >= _MOVING):
            vote(self._votes, 0, not track.crossed, 10 * _LINE_VOTES)

    def misaligned(self):
        """True when seven of ten tracks (of at least 60) never came to the line, and from then on
        until it is fewer than six of ten."""
        self._astray = say(self._votes, 0, _LINE_VOTES, 6 if self._astray else 7)
        return self._astray
