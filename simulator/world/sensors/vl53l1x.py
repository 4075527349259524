"""The VL53L1X laser sensor beside a path, register by register, as its driver sees it over I2C.

It looks across the path and measures the distance to the nearest body in one half of its field of
27 degrees, 33 ms long. Behind the path is a wall. In daylight it reaches 1.3 m or so (the maker:
4 m in the dark, less than 1 m in strong light). Noise is 15 mm (assumed). Ranging starts only with
the maker's configuration. Registers: ST's Ultra Lite Driver (STSW-IMG009) and user manual UM2510.

Faults, in seconds: it does not answer from `absent_from` to `absent_to`, measures nothing from
`hung_from` on, or repeats its last distance from `frozen_from` on. `reach`: metres, 3.6 without.
"""

from __future__ import annotations

import math
import random
from errno import ENODEV
from typing import NamedTuple

from simulator.world.protocol import Input
from simulator.world.streets.motion import position_of, sight_span
from simulator.world.streets.street import RoadUser, Street
from simulator.world.streets.visibility import Visibility

ADDRESS = 0x29
PATH_M = 1.5  # from the sensor to the middle of a narrow path
NEAREST_M = 0.3  # from the sensor to the edge of a wide one
NARROW = 0.25  # width of a path, as a share of a street's two lanes
WALL_M = 3.5
REACH_M = 3.6
HALF_DEG = 13.5  # of the field
NOISE_M = 0.015
OVERLAP_M = 0.05  # so much of a body sends back enough light
BUDGET_US = 33_000
SIGHT_M = 1.5  # along the path, to either side
BOOT_US = 1_200
CENTRES = {167: 0, 231: 1}
GOOD, NO_SIGNAL = 9, 4
CONFIG = range(0x2D, 0x88)
# Registers that the maker's ports all set alike before ranging.
REQUIRED = {0x30: 0x01, 0x33: 0x02, 0x46: 0x20, 0x4B: 0x0A, 0x60: 0x0F, 0x81: 0x9B, 0x85: 0x01}


class Trajectory(NamedTuple):
    """A road user's stay in sight."""

    start_us: int
    end_us: int
    y_m: float
    sign: int
    user: RoadUser

    def body(self, t_us: int) -> tuple[float, float]:
        """From where to where it reaches along the path, forward is positive."""
        front = -self.sign * position_of(self.user, t_us)[0]
        rear = front - self.sign * self.user.length_m
        return min(front, rear), max(front, rear)


class Vl53l1x:
    """The sensor at the line of a path. Zone 0 is in front for `forward`."""

    ADDRESS = ADDRESS

    def __init__(
        self, street: Street, rng: random.Random, faults: dict[str, float] | None = None
    ) -> None:
        self._rng, self._faults = rng, faults or {}
        self._reach_m = self._faults.get("reach", REACH_M)
        self._trajectories = Visibility(_trajectory(u, street.is_path) for u in street.users)
        self._registers: dict[int, int] = {}
        self._ready_us = -1  # when the running measurement is ready
        self._last = (NO_SIGNAL, 0)
        self._booted_us = 0
        self._on = False
        self.frames = 0

    def power(self, t_us: int, on: bool) -> None:
        self._on = on
        self._registers = {0x010F: 0xEA, 0x0110: 0xCC, 0x00E5: 0x03}
        self._ready_us, self._booted_us = -1, t_us + BOOT_US

    def generate(self, _t0_us: int, _t1_us: int, _limit: int) -> list[Input]:
        return []

    def write(self, _t_us: int, _data: bytes) -> list[Input]:
        return []

    # --- the bus

    def i2c(self, t_us: int, register: int, data: bytes | None, size: int) -> bytes | int:
        """Write `data`, or read `size` bytes if it is None. A number is the error of the bus."""
        if not self._answers(t_us):
            return ENODEV
        if data is not None:
            for i, value in enumerate(data):
                self._registers[register + i] = value
                self._written(register + i, value, t_us)
            return b""
        return bytes(self._read(register + i, t_us) for i in range(size))

    def _answers(self, t_us: int) -> bool:
        faults = self._faults
        absent = faults.get("absent_from", math.inf) <= t_us / 1e6 < faults.get("absent_to", 0)
        return self._on and t_us >= self._booted_us and not absent

    def _written(self, register: int, value: int, t_us: int) -> None:
        if register == 0x86 and value & 1:
            self._ready_us = -1
        if register == 0x87 and value == 0x40 and self._is_configured():
            self._ready_us = t_us + BUDGET_US
            self._measure(t_us + BUDGET_US // 2)

    def _is_configured(self) -> bool:
        registers = self._registers
        budget = [registers.get(at) for at in (0x5E, 0x5F, 0x61, 0x62)]
        return (
            all(at in registers for at in CONFIG)
            and all(registers[at] == value for at, value in REQUIRED.items())
            and budget == [0x00, 0x60, 0x00, 0x6E]  # 33 ms, long distances
            and registers[0x7F] in CENTRES
            and registers[0x80] == 0xF7
        )

    def _read(self, register: int, t_us: int) -> int:
        if register == 0x31:
            hung = t_us / 1e6 >= self._faults.get("hung_from", math.inf)
            return int(0 <= self._ready_us <= t_us and not hung)
        status, distance_mm = self._last
        found = {0x89: status, 0x96: distance_mm >> 8, 0x97: distance_mm & 255}
        return found.get(register, self._registers.get(register, 0))

    # --- what it sees

    def _measure(self, t_us: int) -> None:
        self.frames += 1
        if t_us / 1e6 >= self._faults.get("frozen_from", math.inf):
            self._last = (GOOD, self._last[1])
            return
        distance_m = self._distance_m(t_us, CENTRES[self._registers[0x7F]])
        if distance_m > self._reach_m:
            self._last = (NO_SIGNAL, round(1000 * distance_m))
            return
        self._last = (GOOD, max(1, round(1000 * self._rng.gauss(distance_m, NOISE_M))))

    def _distance_m(self, t_us: int, zone: int) -> float:
        nearest = WALL_M
        for one in self._trajectories.visible(t_us)[0]:
            width = one.y_m * math.tan(math.radians(HALF_DEG))
            low, high = (0.0, width) if zone else (-width, 0.0)
            begin, end = one.body(t_us)
            if min(high, end) - max(low, begin) >= OVERLAP_M:
                nearest = min(nearest, one.y_m)
        return nearest


def _trajectory(user: RoadUser, is_path: bool) -> Trajectory:
    y_m = NEAREST_M + 1.5 + user.offset_m if is_path else PATH_M + NARROW * user.offset_m
    start_us, end_us = sight_span(user, SIGHT_M, SIGHT_M + user.length_m)
    return Trajectory(start_us, end_us, y_m, 1 if user.direction == "forward" else -1, user)
