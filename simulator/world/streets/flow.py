"""Arrivals of one direction by Cowan's M3 model, from the flow of each hour.

M3 (Cowan, Useful headway models, Transportation Research 9, 1975): a share of the road users is
bunched and follows at a short headway, the rest keeps it and an exponential time more. The share
that is bunched grows with the flow, 1 - exp(-b D q), the form of Akcelik and Chung (Calibration of
the bunched exponential distribution of arrival headways, 1994). `BUNCHING` is chosen here so that
13 % of the headways of a street with 290 an hour and direction are below 3 s and bunched, as
recorded at a 30 km/h street.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.streets.street import RoadUser

HOUR_US = 3_600_000_000
BUNCHING = 1.15  # b (assumed, see above)
BUNCH_S = (0.8, 2.0)  # headway of a bunched road user (assumed)
FREE_S = 1.5  # D: a free road user keeps at least this headway
CLEAR_S = 0.4  # from the rear of one to the front of the next
HELD_S = 4.0  # nearer than this a road user drives no faster than the one in front


def bunched_share(flow: float) -> float:
    """Of the road users of a lane with so many an hour."""
    return 1 - math.exp(-BUNCHING * FREE_S * flow / 3600)


def arrivals(flows: list[float], hours: float, rng: random.Random) -> list[int]:
    """Times (us) with so many road users an hour: flows[0] in the first hour, and again from the
    start after the last."""
    times = []
    t_us = rng.uniform(0, 10e6)
    while t_us < hours * HOUR_US:
        flow = flows[int(t_us / HOUR_US) % len(flows)]
        if flow <= 0:
            t_us = (int(t_us / HOUR_US) + 1) * HOUR_US
            continue
        times.append(int(t_us))
        t_us += _headway_s(flow, rng) * 1e6
    return times


def _headway_s(flow: float, rng: random.Random) -> float:
    bunched = bunched_share(flow)
    middle_s = sum(BUNCH_S) / 2
    if rng.random() < bunched:
        return rng.uniform(*BUNCH_S)
    # The free ones make up the mean: 3600 / flow = bunched * middle + (1 - bunched) * free.
    free_s = (3600 / flow - bunched * middle_s) / (1 - bunched)
    return FREE_S + rng.expovariate(1 / max(0.1, free_s - FREE_S))


def in_file(users: list[RoadUser]) -> list[RoadUser]:
    """Road users of one lane, in order of time: nobody drives through the one in front."""
    out: list[RoadUser] = []
    for user in users:
        if out:
            last = out[-1]
            clear_us = int((last.length_m / last.speed_kmh * 3.6 + CLEAR_S) * 1e6)
            user = replace(user, t_us=max(user.t_us, last.t_us + clear_us))
            if user.t_us - last.t_us < HELD_S * 1e6:
                user = replace(user, speed_kmh=min(user.speed_kmh, last.speed_kmh))
        out.append(user)
    return out
