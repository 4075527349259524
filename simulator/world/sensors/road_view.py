"""A road as the LD2451 looks along it: road users in its reach, hidden ones, similar ones.

A heavy vehicle hides everything behind it, along its whole body. Of two targets with the same
distance, speed and angle only the stronger is reported. The echo strength of one class differs by
3 dB (assumed).
"""

from __future__ import annotations

import math
import random
from operator import itemgetter
from typing import NamedTuple

from simulator.world.streets.motion import position_of, sight_span
from simulator.world.streets.street import RoadUser

REACH_M = {"pedestrian": 16.0, "bicycle": 35.0, "car": 58.0, "heavy": 75.0}
ECHO = {"pedestrian": 900.0, "bicycle": 2500.0, "car": 12000.0, "heavy": 30000.0}
NEAREST_M = 1.5
HALF_WIDTH_M = 1.3  # of a heavy vehicle
ECHO_SPREAD = 0.35  # of the logarithm: 3 dB
SAME_M, SAME_KMH, SAME_DEG = 1, 2, 8  # assumed: the maker names no resolution


class Trajectory(NamedTuple):
    """A road user's stay in the radar's lobe. Distances are along the road, from the radar."""

    start_us: int
    end_us: int
    t_us: int  # on the line
    metres_per_us: float
    speed_kmh: float
    offset_m: float
    approaches: int
    line_m: float
    reach_m: float
    echo: float
    user: RoadUser


def trajectory(user: RoadUser, line_m: float) -> Trajectory:
    """When and how a road user is seen: it comes from far, or goes away from near."""
    speed = user.speed_kmh / 3.6
    reach = REACH_M[user.cls]
    forward = user.direction == "forward"
    near, far = line_m - NEAREST_M, reach - line_m
    start_us, end_us = sight_span(user, *((far, near) if forward else (near, far)))
    spread = math.exp(random.Random(user.number).gauss(0, ECHO_SPREAD))
    return Trajectory(
        start_us, end_us, user.t_us, (-speed if forward else speed) / 1e6, user.speed_kmh,
        user.offset_m, int(forward), line_m, reach, ECHO[user.cls] * spread, user,
    )  # fmt: skip


def unhidden(t_us: int, active: list[Trajectory]) -> list[Trajectory]:
    """The targets that no heavy vehicle hides."""
    bodies = [
        (trajectory, *_extent(t_us, trajectory))
        for trajectory in active
        if trajectory.user.cls == "heavy"
    ]
    bodies = [body for body in bodies if body[2] > 0]
    return (
        [trajectory for trajectory in active if not _hidden(t_us, trajectory, bodies)]
        if bodies
        else active
    )


def _extent(t_us: int, trajectory: Trajectory) -> tuple[float, float]:
    """From where to where along the road a vehicle reaches. Its times are those of its front."""
    front = position(t_us, trajectory)[0]
    length = trajectory.user.length_m
    return (front, front + length) if trajectory.approaches else (front - length, front)


def _hidden(
    t_us: int, trajectory: Trajectory, bodies: list[tuple[Trajectory, float, float]]
) -> bool:
    """Whether the line of sight to it goes through a body that is nearer."""
    along = position(t_us, trajectory)[0]
    if along <= 1.0:
        return False
    slope = trajectory.offset_m / along
    for other, near, far in bodies:
        near, far = max(near, 0.0), min(far, along - 0.5)
        if other is trajectory or near >= far:
            continue
        left, right = other.offset_m - HALF_WIDTH_M, other.offset_m + HALF_WIDTH_M
        offsets = sorted((slope * near, slope * far))
        if offsets[0] < right and offsets[1] > left:
            return True
    return False


def position(t_us: int, trajectory: Trajectory) -> tuple[float, float]:
    """Metres along the road from the radar, and km/h."""
    if trajectory.user.stop is None:
        run_m = trajectory.metres_per_us * (t_us - trajectory.t_us)
        return trajectory.line_m + run_m, trajectory.speed_kmh
    before_m, speed_kmh = position_of(trajectory.user, t_us)
    return trajectory.line_m + (before_m if trajectory.approaches else -before_m), speed_kmh


def resolved(targets: list[bytes]) -> list[bytes]:
    """The targets that the radar can tell from a stronger one."""
    out: list[bytes] = []
    for one in sorted(targets, key=itemgetter(4), reverse=True):
        if not any(
            one[2] == other[2]
            and abs(one[1] - other[1]) <= SAME_M
            and abs(one[3] - other[3]) <= SAME_KMH
            and abs(one[0] - other[0]) <= SAME_DEG
            for other in out
        ):
            out.append(one)
    return out
