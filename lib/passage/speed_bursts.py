"""Tracks road users that a Doppler radar hears: speed, direction and strength, but no distance.

A burst is a series of reports in one direction, without a pause of more than four reports. An
approaching road user gets stronger until it passes the radar, then weaker at once. One that goes
away is strongest at first. The next road user therefore shows in one of three ways: the strength
falls to a third in an inbound burst, it rises to the threefold in an outbound one, or the speed
jumps. It ends the passage before it.

An inbound passage is noted at its end. An outbound passage goes on for long, so it is noted after
1.2 s, when the angle to it is small. If the strength is not known (0), the next road user must be
half as fast again as all before it, in consecutive reports.

The speed of a passage is the third highest of its burst. Close to the radar the angle makes the
speed smaller, and two outliers cannot raise it. Known limit: two road users in one direction,
equally near, count as one.

Units: 0.1 km/h, ms. Nothing is allocated per report. Two hits to begin and four misses to end are
the rule of the sensor's own object counter (OmniPreSense AN-010-AD).
"""

from time import ticks_diff

from micropython import const

from passage.queue import BACKWARD, BICYCLE, CAR, FORWARD, PEDESTRIAN, PassageQueue

_HITS_MIN = const(3)
_LOST_MS = const(750)  # four reports and a little
_NEXT_RATIO = const(3)  # times weaker or stronger: the next road user
_SETTLED = const(8)  # reports: a weak signal begins with too few cycles, so with too low a speed
_JUMP = const(20)  # and an eighth: no road user changes its speed so much between two reports
_CONFIRMED = const(2)  # consecutive reports of the next road user
_UNKNOWN_MS = const(2_000)  # inbound or outbound is not known: the middle of both
_OUTBOUND_MS = const(1_200)  # by then the angle is small


class Burst:
    """The burst of one direction."""

    def __init__(self, direction):
        self.direction = direction
        self.hits = 0
        self.fastest = [0, 0, 0]
        self.end()

    def end(self):
        self.hits = self.odd = 0
        self.edge = self.speed = self.began_ms = self.seen_ms = 0
        self.noted = False
        for i in range(3):
            self.fastest[i] = 0

    def add(self, speed, strength, t_ms):
        if not self.hits:
            self.began_ms = t_ms
            self.edge = strength
            self.speed = speed
        self.hits += 1
        if not self.odd:
            self.speed = speed
        self.seen_ms = t_ms
        self._rank(speed)
        inbound = self.direction == FORWARD
        if (strength > self.edge) == inbound:
            self.edge = (self.edge + strength) >> 1

    def _rank(self, speed):
        """Keep the three highest speeds."""
        first, second, third = self.fastest
        if speed <= third:
            return
        if speed > first:
            first, second, third = speed, first, second
        elif speed > second:
            second, third = speed, second
        else:
            third = speed
        fastest = self.fastest
        fastest[0], fastest[1], fastest[2] = first, second, third

    def is_next(self, speed, strength):
        """True if this report and the one before it belong to the next road user."""
        third = self.fastest[2]
        if not strength:
            odd = self.hits > _SETTLED and speed > third + (third >> 1)
        elif self.direction == FORWARD:
            odd = strength * _NEXT_RATIO < self.edge
        else:
            odd = strength > self.edge * _NEXT_RATIO
        odd = odd or strength and abs(speed - self.speed) > _JUMP + (self.speed >> 3)
        self.odd = self.odd + 1 if odd else 0
        return self.odd >= _CONFIRMED


class SpeedBurstTracker:
    """ped_max_kmh, bike_max_kmh: upper speed limits of the classes that speed alone can tell.

    correction: factor for the mounting angle, in 1/1024. lost_ms: the pause that ends a burst.
    """

    def __init__(self, ped_max_kmh=8, bike_max_kmh=28, correction=1024, lost_ms=_LOST_MS):
        self.queue = PassageQueue()
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._correction = correction
        self._lost_ms = lost_ms
        self._bursts = (Burst(FORWARD), Burst(BACKWARD))
        self.ghosts = 0  # bursts too short to count

    def detect(self, speed, strength, t_ms):
        """speed: 0.1 km/h, positive = approaches. strength: in the sensor's own unit, or 0."""
        burst = self._bursts[FORWARD if speed > 0 else BACKWARD]
        if burst.hits:
            if ticks_diff(t_ms, burst.seen_ms) > self._lost_ms or burst.is_next(
                abs(speed), strength
            ):
                self._close(burst)
        burst.add(abs(speed), strength, t_ms)
        if not burst.noted and (burst.direction == BACKWARD or not strength):
            if ticks_diff(t_ms, burst.began_ms) > (_OUTBOUND_MS if strength else _UNKNOWN_MS):
                self._note(burst, burst.began_ms if strength else t_ms)

    def expire(self, now_ms):
        """End the lost bursts. Call it once a second."""
        for burst in self._bursts:
            if burst.hits and ticks_diff(now_ms, burst.seen_ms) > self._lost_ms:
                self._close(burst)

    def _close(self, burst):
        if burst.hits < _HITS_MIN:
            self.ghosts += 1
        elif not burst.noted:
            self._note(burst, burst.seen_ms if burst.direction == FORWARD else burst.began_ms)
        burst.end()

    def _note(self, burst, t_ms):
        if burst.hits < _HITS_MIN:
            return
        burst.noted = True
        raw = burst.fastest[2]
        speed = raw * self._correction >> 10
        cls = PEDESTRIAN if speed <= self._ped_max else BICYCLE
        if speed > self._bike_max:
            cls = CAR
        self.queue.push(burst.direction, cls, speed, t_ms, raw_dkmh=raw)
