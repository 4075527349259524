"""How somebody brakes, stands and goes on, or turns back: what a radar sees of it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

ROOM_US = 24_000_000  # two who follow each other with more between them leave room for a third
SLOW_US = 8_000_000  # longer than anybody takes to brake or to go on
BRAKE = 2.0  # m/s2, of comfortable braking and of going on alike (HBS 2015, part L)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stand of `stands_us` until `leaves_us`, `back_m` before the line; else at `kmh`."""

    leaves_us: int
    stands_us: int
    back_m: float
    kmh: float

    @property
    def crosses(self) -> tuple[int, float]:
        """When the line is crossed (us), and how fast (km/h)."""
        speed = self.kmh / 3.6
        run_m = speed * speed / (2 * BRAKE)
        if self.back_m < run_m:
            seconds, speed = math.sqrt(2 * self.back_m / BRAKE), math.sqrt(2 * BRAKE * self.back_m)
        else:
            seconds = speed / BRAKE + (self.back_m - run_m) / speed
        return self.leaves_us + int(seconds * 1e6), speed * 3.6

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line (negative: behind it), and km/h."""
        if t_us >= self.leaves_us:
            way_m, kmh = self._way((t_us - self.leaves_us) / 1e6)
            return self.back_m - way_m, kmh
        stops_us = self.leaves_us - self.stands_us
        if t_us >= stops_us:
            return self.back_m, 0.0
        way_m, kmh = self._way((stops_us - t_us) / 1e6)
        return self.back_m + way_m, kmh

    def _way(self, seconds: float) -> tuple[float, float]:
        """From the stand, or back from it: the way in m, and the speed there in km/h."""
        speed = self.kmh / 3.6
        full_s = speed / BRAKE
        if seconds < full_s:
            return BRAKE * seconds * seconds / 2, BRAKE * seconds * 3.6
        return speed * (seconds - full_s / 2), self.kmh


@dataclass(frozen=True, slots=True)
class Turn(Stop):
    """As a Stop, but then it goes back to where it came from: it never crosses the line."""

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line, and km/h."""
        if t_us < self.leaves_us:
            return Stop.at(self, t_us)
        way_m, kmh = self._way((t_us - self.leaves_us) / 1e6)
        return self.back_m + way_m, kmh

    def goes_back(self, t_us: int) -> bool:
        return t_us >= self.leaves_us


def before_line(user: RoadUser, t_us: int) -> tuple[float, float]:
    """Metres before the line (negative: behind it), and km/h."""
    if user.stop:
        return user.stop.at(t_us)
    return user.speed_kmh / 3.6 * (user.t_us - t_us) / 1e6, user.speed_kmh


def is_back(user: RoadUser, t_us: int) -> bool:
    """Whether it is on its way back, having turned."""
    return isinstance(user.stop, Turn) and user.stop.goes_back(t_us)


def in_sight(user: RoadUser, before_m: float, behind_m: float) -> tuple[int, int]:
    """From when to when it is within so many metres before and behind the line."""
    speed = user.speed_kmh / 3.6
    stop = user.stop
    if isinstance(stop, Turn):
        way_us = int(max(0.0, before_m - stop.back_m) / speed * 1e6) + SLOW_US
        return stop.leaves_us - stop.stands_us - way_us, stop.leaves_us + way_us
    # Whoever stands, brakes and goes on takes that much longer on both sides of the line.
    early_us = stop.stands_us + SLOW_US if stop else 0
    late_us = SLOW_US if stop else 0
    return (
        user.t_us - int(before_m / speed * 1e6) - early_us,
        user.t_us + int(behind_m / speed * 1e6) + late_us,
    )


def turning(
    users: list[RoadUser], share: float, back_m: tuple[float, float], rng: random.Random
) -> list[RoadUser]:
    """For so many of the road users one more who comes between two of them and turns back so far
    before the line; the truth does not know them, because they do not cross it."""
    found = []
    for before, after in zip(users, users[1:]):
        room_us = after.t_us - before.t_us
        if room_us < ROOM_US or rng.random() >= share:
            continue
        stop = Turn(
            before.t_us + room_us // 2, rng.randrange(500_000, 2_000_000), rng.uniform(*back_m),
            before.speed_kmh,
        )  # fmt: skip
        found.append(replace(before, number=rng.getrandbits(32), t_us=stop.leaves_us, stop=stop))
    return found


def with_turning(
    users: Iterable[RoadUser],
    faults: dict[str, float],
    back_m: tuple[float, float],
    rng: random.Random,
) -> list[RoadUser]:
    """The road users, and those who turn back (`turn_back` of the faults)."""
    all_ = list(users)
    share = faults.get("turn_back", 0)
    return all_ + turning(all_, share, back_m, rng) if share else all_
