"""A Doppler module with amplifier and comparator (CDM324, 24.125 GHz), edge by edge.

It looks along the road with a beam of some 80 degrees. Its output follows the strongest echo in
the beam, at 44.71 Hz a km/h times the cosine of the angle to it. It is still while no echo is
strong enough. Two echoes of similar strength spoil each other's cycles. Swinging legs and turning
spokes spread the frequency of pedestrians and bicycles. Edges are handed over as a number for each
hundredth of a second: on the board only hardware can count them. The ranges (persons 8 m, cars 30
m) are those of jbeale1/doppler. The spread by legs and spokes, and the comparator's hysteresis,
are assumed.

Faults: `wifi` is the share of tenths of a second in which the node's own radio adds 10 to 60
edges. `lamp_from`, `lamp_to` (seconds): a lamp flickers with 100 Hz. `clutter` is the share of
tenths in which rain adds edges. `turn_back` adds, for that share of the road users, another one
that turns back before the line. `branch`: from this second on a branch waves in front of it.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from simulator.world.protocol import Input
from simulator.world.streets.motion import position_of, sight_span, with_u_turns
from simulator.world.streets.street import RoadUser, Street
from simulator.world.streets.visibility import Visibility

PORT = 0x42
STEP_US = 10_000
HERTZ = 2 * 24.125e9 / 299_792_458 / 3.6  # a km/h
BESIDE_M = 1.5  # from the module to the near edge of the lanes
HALF_BEAM_DEG = 40.0
REACH_M = {"pedestrian": 8.0, "bicycle": 14.0, "car": 30.0, "heavy": 40.0}
SPREAD = {"pedestrian": 0.05, "bicycle": 0.02, "car": 0.005, "heavy": 0.005}
GAIT_HZ, GAIT = 1.8, 0.06
TURN_BACK_M = (2.0, 15.0)  # before the line
BRANCH_HZ = (60.0, 260.0)


class Trajectory(NamedTuple):
    """A road user's stay in the beam."""

    start_us: int
    end_us: int
    user: RoadUser
    beside_m: float
    line_m: float
    sign: int


class Doppler:
    """The module at the line of a street. pin: GPIO of its output."""

    def __init__(
        self,
        street: Street,
        rng: random.Random,
        faults: dict[str, float] | None = None,
        pin: int = 25,
    ) -> None:
        self._rng = rng
        self._faults = faults or {}
        self._pin = pin
        users = with_u_turns(street.users, self._faults, TURN_BACK_M, rng)
        self._trajectories = Visibility(_trajectory(user) for user in users)
        self._phase = 0.0
        self._on = True

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Numbers of edges with t0 < t <= t1, at most `limit`."""
        out: list[Input] = []
        step = t0_us // STEP_US + 1
        while self._on and step * STEP_US <= t1_us and len(out) < limit:
            quiet_us = self._idle_until(step * STEP_US)
            if quiet_us > step * STEP_US:
                step = -(-quiet_us // STEP_US)
                continue
            if edges := self._edges(step * STEP_US):
                out.append((step * STEP_US, PORT, bytes((self._pin, edges))))
            step += 1
        return out

    def _idle_until(self, t_us: int) -> int:
        """When the next road user comes. No edge can happen before that time."""
        if self._faults:
            return t_us
        near, following = self._trajectories.visible(t_us)
        if near:
            return t_us
        starts_us = self._trajectories.starts_us
        return starts_us[following] if following < len(starts_us) else 1 << 60

    def _edges(self, t_us: int) -> int:
        self._phase += 2 * self._hertz(t_us) * STEP_US / 1e6
        edges = int(self._phase)
        self._phase -= edges
        return min(edges + self._interference(t_us), 255)

    def _hertz(self, t_us: int) -> float:
        near, _ = self._trajectories.visible(t_us)
        echoes = sorted((self._echo(t_us, trajectory) for trajectory in near), reverse=True)
        echoes = [one for one in echoes if one[0] > 1]
        if not echoes:
            faults = self._faults
            if 0 <= faults.get("branch", -1) * 1e6 <= t_us:
                return self._rng.uniform(*BRANCH_HZ)
            lamp = faults.get("lamp_from", math.inf) <= t_us / 1e6 < faults.get("lamp_to", 0)
            return 100.0 if lamp else 0.0
        strength, hertz = echoes[0]
        if len(echoes) > 1 and echoes[1][0] * 2 > strength:  # less than 6 dB between them
            hertz = self._rng.uniform(min(hertz, echoes[1][1]), max(hertz, echoes[1][1]))
        return hertz

    def _echo(self, t_us: int, trajectory: Trajectory) -> tuple[float, float]:
        """(amplitude over the comparator's threshold, Hz)."""
        user, rng = trajectory.user, self._rng
        before_m, speed_kmh = position_of(user, t_us)
        along = trajectory.line_m + trajectory.sign * before_m
        if along < trajectory.line_m * 0.98:
            return 0.0, 0.0
        distance = math.hypot(along, trajectory.beside_m)
        strength = (REACH_M[user.cls] / distance) ** 2 * rng.uniform(0.5, 1.5)
        gait = 1.0
        if user.cls == "pedestrian":
            gait += GAIT * math.sin(2 * math.pi * GAIT_HZ * t_us / 1e6)
        spread = rng.gauss(1.0, SPREAD[user.cls])
        return strength, max(0.0, HERTZ * speed_kmh * along / distance * gait * spread)

    def _interference(self, t_us: int) -> int:
        rng, faults = self._rng, self._faults
        if not faults:
            return 0
        edges = rng.randrange(10, 60) if rng.random() < faults.get("wifi", 0) / 10 else 0
        if rng.random() < faults.get("clutter", 0):
            edges += rng.randrange(1, 3)
        return edges

    def write(self, _t_us: int, _data: bytes) -> list[Input]:
        return []

    def power(self, _t_us: int, on: bool) -> None:
        self._on = on


def _trajectory(user: RoadUser) -> Trajectory:
    """A road user forward comes nearer until it leaves the beam. One backward moves away from
    there."""
    beside_m = BESIDE_M + 2.2 + user.offset_m / 2
    line_m = beside_m / math.tan(math.radians(HALF_BEAM_DEG))
    far_m = max(0.0, REACH_M[user.cls] * 1.3 - line_m)  # at its strongest
    sign = 1 if user.direction == "forward" else -1
    start_us, end_us = sight_span(user, *((far_m, 0.0) if sign > 0 else (0.0, far_m)))
    return Trajectory(start_us, end_us, user, beside_m, line_m, sign)
