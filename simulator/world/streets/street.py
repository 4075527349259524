"""A street: every road user that passes the counting line, when and how fast. This is the truth.

Arrivals follow the shape of a weekday (hourly shares of a German main road: low at night, peaks at
7-8 and 16-17 h, shape after HBS 2015, part L). Per direction they are shifted exponential: the
smallest headway in single file plus an exponential rest (Cowan's M2 model, 1975). Speeds are
normal per class (FHWA, Speed Concepts: Informational Guide, chapter 5), cut at three deviations.
Pedestrians walk at 1.34 +- 0.26 m/s (Weidmann 1993). Bicycles ride at 17 +- 3.5 km/h: conventional
ones and pedelecs, 2 km/h faster, mixed (Schleinitz et al., German Naturalistic Cycling Study,
2017). Cars drive at 46 +- 6 km/h under an inner-city limit of 50 km/h, heavy vehicles a little
slower (assumed). Lengths are those of usual bodies, cars and trucks after the vehicle classes of
HBS 2015 (assumed within them).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from simulator.world.streets import crowd, flow
from simulator.world.streets.manoeuvres import manoeuvring
from simulator.world.streets.motion import Stop
from simulator.world.streets.mount import MIDDLE_M
from simulator.world.streets.traffic import Traffic, shape
from simulator.world.streets.trip import Trip

DIRECTION_PERIOD_US = 1_800_000_000
FREE_FLOW = Traffic()
DIRECTIONS = ("forward", "backward")
HOURLY_WEIGHTS = (
    8, 5, 4, 4, 8, 20, 48, 72, 68, 54, 50, 52, 55, 56, 58, 64, 76, 78, 66, 50, 38, 28, 20, 13
)  # fmt: skip


@dataclass(frozen=True)
class UserClass:
    """A class of road user: mean speed and its deviation, shortest and longest body."""

    speed_kmh: float
    deviation_kmh: float
    length_min_m: float
    length_max_m: float


USER_CLASSES = {
    "pedestrian": UserClass(4.8, 0.9, 0.25, 0.40),
    "bicycle": UserClass(17.0, 3.5, 1.65, 1.90),
    "car": UserClass(46.0, 6.0, 3.8, 5.0),
    "heavy": UserClass(42.0, 5.0, 8.0, 16.0),
}
RADAR_MIX = {"car": 0.78, "heavy": 0.06, "bicycle": 0.10, "pedestrian": 0.06}
BEAM_MIX = {"pedestrian": 0.6, "bicycle": 0.4}


@dataclass(frozen=True, slots=True)
class RoadUser:
    """One passage. `t_us` is when the front crosses the line, since the scenario's start."""

    number: int
    t_us: int
    direction: str
    cls: str
    speed_kmh: float
    length_m: float
    offset_m: float  # sideways from the sensor's axis
    stop: Stop | Trip | None = None


class Street:
    """`passages` road users spread over `hours` from midnight. Equal arguments give equal streets.
    With `traffic.flow` they come by Cowan's M3 model, with `traffic.known` from a file, and
    `passages` is not used.

    headway_s: smallest time between two road users of one direction. In single file, where the
    path is too narrow for meeting, it is the smallest time between any two. traffic: how they
    arrive. lanes: sideways from the sensor to the lanes forward and backward. `others` move on the
    street and never cross the line.
    """

    def __init__(
        self,
        rng: random.Random,
        mix: dict[str, float],
        passages: int,
        hours: float,
        headway_s: float,
        *,
        single_file: bool = False,
        traffic: Traffic = FREE_FLOW,
        lanes: tuple[float, float] = MIDDLE_M,
    ) -> None:
        self._rng = rng
        self._mix = traffic.mix or mix
        self._lanes = lanes
        self._speeds = traffic.speeds
        self.span_us = int(hours * 3_600_000_000)
        self.others: list[RoadUser] = []
        self.is_path = bool(traffic.groups)  # `offset_m` is from the middle of a path
        if traffic.known is not None:
            users = [user for user in traffic.known if user.t_us < self.span_us]
        elif traffic.groups:
            users = self._in_groups(traffic, hours)
        elif traffic.flow:
            users = self._by_flow(traffic, hours)
        else:
            users = self._spread(passages, hours, headway_s, single_file, traffic=traffic)
        if traffic.manoeuvres:
            users, self.others = manoeuvring(users, traffic.manoeuvres, rng)
        self.users = sorted(users, key=lambda user: user.t_us)

    @property
    def moving(self) -> list[RoadUser]:
        """Every road user, also those that never cross the line."""
        return self.users + self.others

    def _by_flow(self, traffic: Traffic, hours: float) -> list[RoadUser]:
        users = []
        for direction in DIRECTIONS:
            if flows := traffic.flow.get(direction):
                times = flow.arrivals(flows, hours, self._rng)
                users += flow.in_file([self._user(t_us, direction) for t_us in times])
        return users

    def _in_groups(self, traffic: Traffic, hours: float) -> list[RoadUser]:
        rng, sizes = self._rng, list(range(1, len(traffic.groups) + 1))
        mean = crowd.mean_size(traffic.groups, self._mix.get("pedestrian", 0.0))
        users = []
        for direction in DIRECTIONS:
            for t_us in crowd.arrivals(traffic.flow[direction][0], mean, hours, rng):
                first = self._user(t_us, direction)
                size = rng.choices(sizes, traffic.groups)[0]
                members = crowd.group(first, size, rng)
                users += [crowd.varied(one, traffic.among, rng) for one in members]
        return users

    def _spread(
        self, passages: int, hours: float, headway_s: float, single_file: bool, *, traffic: Traffic
    ) -> list[RoadUser]:
        """So many road users, by the shape of a weekday."""
        rng = self._rng
        weights = [HOURLY_WEIGHTS[i % 24] for i in range(max(1, -int(-hours // 1)))]
        headway_us = int(headway_s * 1e6)
        if single_file or traffic.one_way:
            times = _enforce_headway(self._arrivals(passages, weights), headway_us, self.span_us)
            users = [self._user(t_us, rng.choice(DIRECTIONS)) for t_us in times]
            if traffic.one_way:
                users = [
                    replace(u, direction=DIRECTIONS[u.t_us // DIRECTION_PERIOD_US % 2])
                    for u in users
                ]
            users = shape(users, traffic, rng, single_file)
        else:
            users = []
            for direction, count in zip(DIRECTIONS, (passages - passages // 2, passages // 2)):
                times = _enforce_headway(self._arrivals(count, weights), headway_us, self.span_us)
                users += shape([self._user(t_us, direction) for t_us in times], traffic, rng)
        return users

    def _arrivals(self, count: int, weights: list[int]) -> list[int]:
        hours = self._rng.choices(range(len(weights)), weights, k=count)
        span = 3_600_000_000
        return sorted(
            min(hour * span + self._rng.randrange(span), self.span_us - 1) for hour in hours
        )

    def _user(self, t_us: int, direction: str) -> RoadUser:
        rng = self._rng
        cls = rng.choices(list(self._mix), list(self._mix.values()))[0]
        kind = USER_CLASSES[cls]
        mean, spread = self._speeds.get(cls, (kind.speed_kmh, kind.deviation_kmh))
        deviation = max(-3.0, min(3.0, rng.gauss(0, 1)))
        lane = self._lanes[DIRECTIONS.index(direction)]
        return RoadUser(
            rng.getrandbits(32),
            t_us,
            direction,
            cls,
            max(2.5, mean + spread * deviation),
            rng.uniform(kind.length_min_m, kind.length_max_m),
            lane + rng.uniform(-0.4, 0.4),
        )


def _enforce_headway(times: list[int], headway_us: int, span_us: int) -> list[int]:
    """Push arrivals apart to the smallest headway, first forwards, then back from the end."""
    earliest = 10_000_000
    for i, t_us in enumerate(times):
        times[i] = max(t_us, earliest)
        earliest = times[i] + headway_us
    latest = span_us - 10_000_000
    for i in range(len(times) - 1, -1, -1):
        times[i] = min(times[i], latest)
        latest = times[i] - headway_us
    return times
