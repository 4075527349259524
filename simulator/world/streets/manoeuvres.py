"""Manoeuvres of a residential street: cars that start, stop, back and park in a radar's lobe.

Shares and distances are assumed. Starting and braking are comfortable (HBS 2015, part L).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.world.streets.motion import BRAKE
from simulator.world.streets.trip import TripMaker

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

FROM_M = 60.0  # a manoeuvring car comes from so far before the line
ONWARD_M = 60.0  # and drives on so far behind it
START_M = (4.0, 30.0)  # parked so far before the line, or behind it
STOP_M = (4.0, 15.0)
STOP_S = (3.0, 20.0)  # it waits for another car, a walker, a door
BACK_MS = 1.5  # m/s, backing into a parking space
BACK_M = (4.0, 8.0)
CLEAR_M = 2.0  # a car that parks stays so far from the line
# Shares: the first three cross the line once, the others never.
KINDS = {"start": 0.3, "stop": 0.3, "back_behind": 0.1, "back_before": 0.1, "leave": 0.1,
         "park": 0.1}  # fmt: skip


def manoeuvring(
    users: list[RoadUser], share: float, rng: random.Random
) -> tuple[list[RoadUser], list[RoadUser]]:
    """The road users that cross the line, and those that never do. Cars alone manoeuvre."""
    crossing, others = [], []
    for user in users:
        if user.cls != "car" or rng.random() >= share:
            crossing.append(user)
            continue
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        maker = _MAKERS[kind](user, rng)
        moved = replace(user, stop=maker.made())
        if maker.crossed_us < 0:
            others.append(moved)
            continue
        crossing.append(replace(moved, t_us=maker.crossed_us, speed_kmh=maker.crossed_speed * 3.6))
    return crossing, others


def _start(user: RoadUser, rng: random.Random) -> TripMaker:
    """It leaves a parking space and drives over the line."""
    distance_m = rng.uniform(*START_M)
    maker = TripMaker(user.t_us, distance_m, 0.0).reach(user.speed_kmh / 3.6, BRAKE)
    return maker.metres(ONWARD_M + distance_m)


def _leave(user: RoadUser, rng: random.Random) -> TripMaker:
    """It leaves a parking space behind the line."""
    maker = TripMaker(user.t_us, -rng.uniform(*START_M), 0.0)
    return maker.reach(user.speed_kmh / 3.6, BRAKE).metres(ONWARD_M)


def _halted(user: RoadUser, at_m: float) -> TripMaker:
    """It comes, and stands `at_m` before the line (negative: behind it)."""
    speed = user.speed_kmh / 3.6
    brake_m = speed * speed / (2 * BRAKE)
    maker = TripMaker(user.t_us, FROM_M + brake_m, speed)
    return maker.metres(FROM_M - at_m).reach(0.0, BRAKE)


def _stop(user: RoadUser, rng: random.Random) -> TripMaker:
    """It stands before the line for a while, and drives on over it."""
    maker = _halted(user, rng.uniform(*STOP_M)).drive(rng.uniform(*STOP_S))
    return maker.reach(user.speed_kmh / 3.6, BRAKE).metres(ONWARD_M)


def _park(user: RoadUser, rng: random.Random) -> TripMaker:
    return _halted(user, rng.uniform(*START_M))


def _back_before(user: RoadUser, rng: random.Random) -> TripMaker:
    """It backs into a parking space before the line, and stays."""
    return _backed(_halted(user, rng.uniform(*STOP_M)), rng.uniform(*BACK_M))


def _back_behind(user: RoadUser, rng: random.Random) -> TripMaker:
    """It passes the line and backs into a parking space behind it."""
    back_m = rng.uniform(*BACK_M)
    return _backed(_halted(user, -(back_m + CLEAR_M + rng.uniform(0.0, 6.0))), back_m)


def _backed(maker: TripMaker, metres: float) -> TripMaker:
    run_m = BACK_MS * BACK_MS / (2 * BRAKE)
    maker.drive(1.0).reach(-BACK_MS, BRAKE).metres(metres - 2 * run_m)
    return maker.reach(0.0, BRAKE)


_MAKERS = {
    "start": _start, "stop": _stop, "leave": _leave, "park": _park,
    "back_before": _back_before, "back_behind": _back_behind,
}  # fmt: skip
