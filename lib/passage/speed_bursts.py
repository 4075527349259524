"""Passages from a Doppler radar that knows speed, direction and strength, but no distance.

What is reported in one direction without a pause of more than four reports is a burst. Who comes
nearer gets stronger until the radar is passed and then weaker at once; who goes away is strongest
at first. So a fall to a third inside an inbound burst, a rise to the threefold inside an outbound
one, or a jump of the speed, is the next road user, and ends the passage before it. An inbound
passage is noted at its end; an outbound one after 1.2 s, when the angle to it is small, because
it goes on for long. Where the strength is not known (0), only who is half as fast again as
everybody before, report after report, is the next one.

The speed is the third highest of a burst: near the radar the angle makes it smaller, and two
outliers cannot raise it. Two at once in one direction and equally near are one (known limit).

Units: 0.1 km/h, ms. Nothing is allocated per report. Two hits to begin and four misses to end are
the sensor's own rule for its object counter (OmniPreSense AN-010-AD).
"""

from time import ticks_diff

from micropython import const

from passage.queue import BACKWARD, BICYCLE, CAR, FORWARD, PEDESTRIAN, PassageQueue

_MIN_HITS = const(3)
_LOST_MS = const(750)  # four reports and a bit
_NEXT = const(3)  # times weaker or stronger: another road user
_SETTLED = const(8)  # reports; a weak signal begins with too few cycles, so too slowly
_JUMP = const(20)  # and an eighth: nobody brakes or goes on like that from report to report
_CONFIRM = const(2)  # reports in a row that say so
_SURE_MS = const(2_000)  # whether this comes or goes is not known: the middle of both
_OUT_MS = const(1_200)  # by then the angle to who goes away is small


class Burst:
    """What goes on in one direction."""

    def __init__(self, way):
        self.way = way
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
        inbound = self.way == FORWARD
        if (strength > self.edge) == inbound:
            self.edge = (self.edge + strength) >> 1

    def _rank(self, speed):
        """Keep the three highest."""
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

    def is_another(self, speed, strength):
        """Whether this, again and again, is the next road user."""
        third = self.fastest[2]
        if not strength:
            odd = self.hits > _SETTLED and speed > third + (third >> 1)
        elif self.way == FORWARD:
            odd = strength * _NEXT < self.edge
        else:
            odd = strength > self.edge * _NEXT
        odd = odd or strength and abs(speed - self.speed) > _JUMP + (self.speed >> 3)
        self.odd = self.odd + 1 if odd else 0
        return self.odd >= _CONFIRM


class Bursts:
    """ped_max_kmh, bike_max_kmh: upper limits of the classes that speed alone can tell apart.

    stretch: what the mounting angle makes the speed too small by, in 1/1024. lost_ms: the pause
    that ends a burst.
    """

    def __init__(self, ped_max_kmh=8, bike_max_kmh=28, stretch=1024, lost_ms=_LOST_MS):
        self.queue = PassageQueue()
        self._ped_max = ped_max_kmh * 10
        self._bike_max = bike_max_kmh * 10
        self._stretch = stretch
        self._lost_ms = lost_ms
        self._bursts = (Burst(FORWARD), Burst(BACKWARD))
        self.ghosts = 0  # bursts too short to count

    def detect(self, speed, strength, t_ms):
        """speed: 0.1 km/h, positive = comes nearer. strength: as the sensor has it, or 0."""
        burst = self._bursts[FORWARD if speed > 0 else BACKWARD]
        if burst.hits:
            if ticks_diff(t_ms, burst.seen_ms) > self._lost_ms or burst.is_another(
                abs(speed), strength
            ):
                self._close(burst)
        burst.add(abs(speed), strength, t_ms)
        if not burst.noted and (burst.way == BACKWARD or not strength):
            if ticks_diff(t_ms, burst.began_ms) > (_OUT_MS if strength else _SURE_MS):
                self._note(burst, burst.began_ms if strength else t_ms)

    def expire(self, now_ms):
        """End what was lost; call it once a second."""
        for burst in self._bursts:
            if burst.hits and ticks_diff(now_ms, burst.seen_ms) > self._lost_ms:
                self._close(burst)

    def _close(self, burst):
        if burst.hits < _MIN_HITS:
            self.ghosts += 1
        elif not burst.noted:
            self._note(burst, burst.seen_ms if burst.way == FORWARD else burst.began_ms)
        burst.end()

    def _note(self, burst, when_ms):
        if burst.hits < _MIN_HITS:
            return
        burst.noted = True
        raw = burst.fastest[2]
        speed = raw * self._stretch >> 10
        cls = PEDESTRIAN if speed <= self._ped_max else BICYCLE
        if speed > self._bike_max:
            cls = CAR
        self.queue.put(burst.way, cls, speed, when_ms, raw_dkmh=raw)
