"""How a road user brakes, stands and drives on, turns back or manoeuvres, as a radar sees it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.world.streets.trip import Trip

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

TURN_GAP_MIN_US = 24_000_000  # a gap with space for a third road user
BRAKING_MAX_US = 8_000_000  # longer than braking or starting takes
BRAKE = 2.0  # m/s2, comfortable braking and starting (HBS 2015, part L)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stand of `stands_us` that ends at `departs_us`, `distance_m` before the line. Before and
    after it the road user moves at `speed_kmh`.
    """

    departs_us: int
    stands_us: int
    distance_m: float
    speed_kmh: float

    @property
    def crossing(self) -> tuple[int, float]:
        """When the front crosses the line (us), and at which speed (km/h)."""
        speed = self.speed_kmh / 3.6
        run_m = speed * speed / (2 * BRAKE)
        if self.distance_m < run_m:
            seconds, speed = (
                math.sqrt(2 * self.distance_m / BRAKE),
                math.sqrt(2 * BRAKE * self.distance_m),
            )
        else:
            seconds = speed / BRAKE + (self.distance_m - run_m) / speed
        return self.departs_us + int(seconds * 1e6), speed * 3.6

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line (negative: behind it), and km/h."""
        if t_us >= self.departs_us:
            travelled_m, speed_kmh = self._travelled((t_us - self.departs_us) / 1e6)
            return self.distance_m - travelled_m, speed_kmh
        stops_us = self.departs_us - self.stands_us
        if t_us >= stops_us:
            return self.distance_m, 0.0
        travelled_m, speed_kmh = self._travelled((stops_us - t_us) / 1e6)
        return self.distance_m + travelled_m, speed_kmh

    def _travelled(self, seconds: float) -> tuple[float, float]:
        """Distance in m from the stand after some seconds, and the speed there in km/h. Braking is
        the same in reverse."""
        speed = self.speed_kmh / 3.6
        full_s = speed / BRAKE
        if seconds < full_s:
            return BRAKE * seconds * seconds / 2, BRAKE * seconds * 3.6
        return speed * (seconds - full_s / 2), self.speed_kmh


@dataclass(frozen=True, slots=True)
class UTurn(Stop):
    """A stop after which the road user goes back to where it came from. It never crosses the
    line.
    """

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line, and km/h."""
        if t_us < self.departs_us:
            return Stop.at(self, t_us)
        travelled_m, speed_kmh = self._travelled((t_us - self.departs_us) / 1e6)
        return self.distance_m + travelled_m, speed_kmh

    def is_returning(self, t_us: int) -> bool:
        return t_us >= self.departs_us


def position_of(user: RoadUser, t_us: int) -> tuple[float, float]:
    """Metres before the line (negative: behind it), and km/h."""
    if user.stop:
        return user.stop.at(t_us)
    return user.speed_kmh / 3.6 * (user.t_us - t_us) / 1e6, user.speed_kmh


def is_returning(user: RoadUser, t_us: int) -> bool:
    """Whether the road user has turned and is on its way back."""
    return isinstance(user.stop, (UTurn, Trip)) and user.stop.is_returning(t_us)


def sight_span(user: RoadUser, before_m: float, behind_m: float) -> tuple[int, int]:
    """From when to when the road user is within that many metres before and behind the line."""
    speed = user.speed_kmh / 3.6
    stop = user.stop
    if isinstance(stop, Trip):
        return stop.start_us, stop.end_us
    if isinstance(stop, UTurn):
        approach_us = int(max(0.0, before_m - stop.distance_m) / speed * 1e6) + BRAKING_MAX_US
        return stop.departs_us - stop.stands_us - approach_us, stop.departs_us + approach_us
    # A stop makes the stay longer on both sides of the line.
    early_us = stop.stands_us + BRAKING_MAX_US if stop else 0
    late_us = BRAKING_MAX_US if stop else 0
    return (
        user.t_us - int(before_m / speed * 1e6) - early_us,
        user.t_us + int(behind_m / speed * 1e6) + late_us,
    )


def u_turners(
    users: list[RoadUser], share: float, distance_m: tuple[float, float], rng: random.Random
) -> list[RoadUser]:
    """Extra road users for that share of the others. Each comes between two of them and turns back
    `distance_m` before the line. The truth does not hold them, because they do not cross it."""
    found = []
    for before, after in zip(users, users[1:]):
        gap_us = after.t_us - before.t_us
        if gap_us < TURN_GAP_MIN_US or rng.random() >= share:
            continue
        stop = UTurn(
            before.t_us + gap_us // 2, rng.randrange(500_000, 2_000_000), rng.uniform(*distance_m),
            before.speed_kmh,
        )  # fmt: skip
        found.append(replace(before, number=rng.getrandbits(32), t_us=stop.departs_us, stop=stop))
    return found


def with_u_turns(
    users: Iterable[RoadUser],
    faults: dict[str, float],
    distance_m: tuple[float, float],
    rng: random.Random,
) -> list[RoadUser]:
    """The road users, and those that turn back (`turn_back` of the faults)."""
    all_ = list(users)
    share = faults.get("turn_back", 0)
    return all_ + u_turners(all_, share, distance_m, rng) if share else all_
