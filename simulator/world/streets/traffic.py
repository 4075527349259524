"""How road users arrive: bunched behind a slow one, in pairs, or from a queue at a signal.

Bunching is Cowan's M3 model (1975). A share of the road users follows the one in front at a short
headway, at most at its speed. The others arrive at random. A queue discharges at 1.2 s from driver
to driver and stands 7.5 m from car to car (saturation flow and jam spacing of HBS 2015, part L).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from simulator.world.streets.motion import Stop

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

CYCLE_S = 90.0
START_LAG_S = 1.2
GAP_MIN_S = 0.4  # from rear to front: road users do not overlap
JAM_GAP_M = 3.1  # with a usual car 7.5 m from front to front
STOP_LINE_M = 4.0  # before the counting line
QUEUE_LENGTH = (3, 9)  # road users, from and to
QUEUE_KMH = (15.0, 25.0)
ARRIVAL_S = 4.0
BESIDE_M = {"car": 3.2, "heavy": 3.2, "bicycle": 0.8, "pedestrian": 0.6}


@dataclass(frozen=True)
class Traffic:
    """bunched: share of road users that follow within `bunch_s`. pairs: share of road users with
    another one beside them. queued: they stop and are released in cycles. one_way: the direction
    changes every half hour. flow: road users an hour by direction, hour by hour. speeds: mean and
    deviation by class, km/h. manoeuvres: share of the cars that start, stop, back or park. known:
    road users from a file, instead of drawn ones. groups: shares of groups of one, two, three and
    more walkers, by which `flow` comes along a path (crowd.py). among: shares of `prams`,
    `scooters` and `stops` there.
    """

    bunched: float = 0.0
    bunch_s: tuple[float, float] = (1.2, 2.0)
    pairs: float = 0.0
    queued: bool = False
    one_way: bool = False
    mix: dict[str, float] = field(default_factory=dict)
    flow: dict[str, list[float]] = field(default_factory=dict)
    speeds: dict[str, tuple[float, float]] = field(default_factory=dict)
    manoeuvres: float = 0.0
    known: list[RoadUser] | None = None
    groups: list[float] = field(default_factory=list)
    among: dict[str, float] = field(default_factory=dict)


def shape(
    users: list[RoadUser], traffic: Traffic, rng: random.Random, single_file: bool = False
) -> list[RoadUser]:
    """The road users of one direction, in order of time, as `traffic` describes them."""
    if traffic.bunched:
        users = _bunched(users, traffic, rng, single_file)
    if traffic.queued:
        users = _queued(users, rng)
    return [one for user in users for one in _paired(user, traffic.pairs, rng)]


def _bunched(
    users: list[RoadUser], traffic: Traffic, rng: random.Random, single_file: bool
) -> list[RoadUser]:
    out: list[RoadUser] = []
    for user in users:
        if out and rng.random() < traffic.bunched:
            last = out[-1]
            clear_s = last.length_m / last.speed_kmh * 3.6 + GAP_MIN_S
            t_us = last.t_us + int(max(rng.uniform(*traffic.bunch_s), clear_s) * 1e6)
            # A follower has the direction of the one in front, on a narrow path too.
            user = replace(user, t_us=t_us, direction=last.direction)
            if single_file or last.cls != "pedestrian":  # on a road pedestrians are passed
                slowed = last.speed_kmh * rng.uniform(0.97, 1.03)
                user = replace(user, speed_kmh=min(user.speed_kmh, slowed))
        elif out:
            user = replace(user, t_us=max(user.t_us, out[-1].t_us + int(traffic.bunch_s[1] * 1e6)))
        out.append(user)
    return out


def _queued(users: list[RoadUser], rng: random.Random) -> list[RoadUser]:
    """Every cycle releases one queue. A road user without a place in a queue is not in the
    street."""
    out: list[RoadUser] = []
    cycle = 0
    while users:
        size, speed_kmh = min(rng.randint(*QUEUE_LENGTH), len(users)), rng.uniform(*QUEUE_KMH)
        green_us = max(int((cycle + 1) * CYCLE_S * 1e6), users[0].t_us)
        distance_m = STOP_LINE_M
        for place, user in enumerate(users[:size]):
            stop = Stop(
                departs_us=green_us + int(place * START_LAG_S * 1e6),
                stands_us=int((size - place) * (ARRIVAL_S - START_LAG_S) * 1e6) + 3_000_000,
                distance_m=distance_m,
                speed_kmh=speed_kmh,
            )
            distance_m += user.length_m + JAM_GAP_M
            t_us, speed = stop.crossing
            out.append(replace(user, t_us=t_us, speed_kmh=speed, stop=stop))
        cycle = int(green_us / CYCLE_S / 1e6)
        users = users[size:]
    return out


def _paired(user: RoadUser, share: float, rng: random.Random) -> list[RoadUser]:
    if not share or rng.random() >= share:
        return [user]
    away = BESIDE_M[user.cls]
    beside = replace(
        user,
        number=user.number ^ 1,
        t_us=user.t_us + rng.randrange(-250_000, 250_000),
        offset_m=user.offset_m + (away if user.offset_m > 0 else -away),
    )
    return sorted((user, beside), key=lambda one: one.t_us)
