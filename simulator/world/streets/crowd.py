"""Walkers in groups on a path, with bicycles, e-scooters and prams between them.

Groups of one to six come by a Poisson process in each direction, and do not wait for each other:
they meet, and faster road users overtake. Members walk abreast as far as the path is wide, the
others in rows behind. Of 360 and 390 tracks on two real pavements with 1,122 and 1,476 an hour,
22 % and 46 % walked in groups, and 46 to 52 % of the headways were below a second. `ABREAST_M` is
the usual 0.6 to 0.8 m. All other constants are assumed.

An e-scooter counts as a bicycle: the records have no class for it. A pram and the walker behind it
are one pedestrian with a long body.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.world.streets.motion import Stop

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

WIDTH_M = 3.0  # of the path
EDGE_M = 0.3  # kept free at either side
ABREAST_M = 0.7  # from the middle of one walker to the next
ROW_M = 1.1  # from one row to the next
UNEVEN_M = 0.2  # deviation along the path inside a row
SLOWED = 0.04  # of the speed, for each further member
PRAM_M = (1.3, 1.6)
SCOOTER_KMH = (17.0, 3.0)
SCOOTER_M = (1.1, 1.25)
STOP_M = (0.6, 3.0)  # before the line
STOP_S = (2.0, 20.0)


def mean_size(groups: list[float], walkers: float) -> float:
    """Of the groups, if that share of them are walkers: all others come alone."""
    return 1 + walkers * (sum(n * share for n, share in enumerate(groups, 1)) - 1)


def arrivals(flow: float, mean: float, hours: float, rng: random.Random) -> list[int]:
    """Times (us) of groups of `mean` road users, so that `flow` an hour come in all."""
    times, t_s = [], 0.0
    while flow > 0 and (t_s := t_s + rng.expovariate(flow / mean / 3600)) < hours * 3600:
        times.append(int(t_s * 1e6))
    return times


def group(first: RoadUser, size: int, rng: random.Random) -> list[RoadUser]:
    """The members of a group, `first` is one of them. Only walkers have companions. `offset_m` is
    from the middle of the path: each direction keeps to its right where it can."""
    if first.cls != "pedestrian":
        size = 1
    columns = max(1, min(size, int((WIDTH_M - 2 * EDGE_M) / ABREAST_M) + 1))
    spare_m = WIDTH_M - 2 * EDGE_M - (columns - 1) * ABREAST_M
    side = 1 if first.direction == "forward" else -1
    near_m = side * rng.triangular(-spare_m / 2, spare_m / 2, spare_m / 2)
    speed_kmh = first.speed_kmh * (1 - SLOWED * (size - 1))
    members = []
    for i in range(size):
        row, column = divmod(i, columns)
        behind_m = row * ROW_M + (rng.gauss(0, UNEVEN_M) if size > 1 else 0.0)
        members.append(
            replace(
                first,
                number=rng.getrandbits(32),
                t_us=max(0, first.t_us + int(behind_m / speed_kmh * 3.6e6)),
                speed_kmh=speed_kmh * rng.uniform(0.99, 1.01),
                offset_m=near_m + (column - (columns - 1) / 2) * ABREAST_M,
            )
        )
    return members


def varied(user: RoadUser, shares: dict[str, float], rng: random.Random) -> RoadUser:
    """Some walkers push a pram or stop before the line, some bicycles are e-scooters. shares: of
    `prams`, `scooters`, `stops`."""
    if user.cls == "pedestrian" and rng.random() < shares.get("prams", 0):
        user = replace(user, length_m=rng.uniform(*PRAM_M))
    if user.cls == "bicycle" and rng.random() < shares.get("scooters", 0):
        speed_kmh = max(6.0, rng.gauss(*SCOOTER_KMH))
        user = replace(user, speed_kmh=speed_kmh, length_m=rng.uniform(*SCOOTER_M))
    if user.cls == "pedestrian" and rng.random() < shares.get("stops", 0):
        stop = Stop(
            user.t_us, int(rng.uniform(*STOP_S) * 1e6), rng.uniform(*STOP_M), user.speed_kmh
        )
        t_us, speed_kmh = stop.crossing
        user = replace(user, t_us=t_us, speed_kmh=speed_kmh, stop=stop)
    return user
