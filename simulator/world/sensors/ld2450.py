"""The HLK-LD2450 radar beside a path, byte by byte, with the behaviour of the real one.

It looks across the path and reports the positions of up to three targets, ten times a second, also
when there are none. A target keeps its slot. When it is gone, its last position may stay there
without speed. A nearer road user hides one behind it. Written from the maker's paper (serial
protocol V1.03) and other people's bug reports, without a look at the firmware's parser.

Faults: those of ld24xx.py. As shares of the reports: `missed` (a target is not seen), `ghost` (a
target out of nothing), `clutter` (rain: a close target that moves slowly), `swapped` (two slots
change places). `stale` is the share of leaving targets whose position stays for two seconds.
`single`: it starts in the mode for one target. `turn_back` adds, for that share of the road users,
another one that turns back before the line. `branch`: from this second on a branch waves right in
front of it. `aside`: metres by which it looks beside the path's line.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from simulator.world.protocol import Input
from simulator.world.sensors.ld24xx import PORT, Ld24xx, answer
from simulator.world.sensors.line_noise import corrupt, reseed
from simulator.world.streets.motion import position_of, sight_span, with_u_turns
from simulator.world.streets.street import RoadUser, Street
from simulator.world.streets.visibility import Visibility

FRAME_US = 100_000
REACH_M = {"pedestrian": 5.5, "bicycle": 6.0, "car": 7.0, "heavy": 7.0}
HALF_ANGLE_DEG = 60.0
PATH_M = 2.2  # from the radar to the middle of the path
NARROW = 0.25  # width of the path, as a share of a street's two lanes
NOISE_MM = (70.0, 60.0)  # of x and y
SEEN = 0.94  # of the reports
STALE_US = 2_000_000
HELD_US = 1_000_000  # a hidden target keeps its slot so long (assumed)
HEADER, FOOTER = b"\xaa\xff\x03\x00", b"\x55\xcc"
GATE_MM = 360
EMPTY = bytes(8)
TURN_BACK_M = (0.3, 2.5)  # before the line


class Trajectory(NamedTuple):
    """A road user's stay in the radar's sight. x from left to right is forward."""

    start_us: int
    end_us: int
    t_us: int
    metres_per_us: float
    y_m: float
    reach_m: float
    user: RoadUser

    def x_m(self, t_us: int) -> float:
        """Position along the path, from the middle of the radar's sight."""
        if self.user.stop is None:
            return self.metres_per_us * (t_us - self.t_us)
        before_m = position_of(self.user, t_us)[0]
        return -before_m if self.metres_per_us > 0 else before_m


class Ld2450(Ld24xx):
    """The radar at the line of a path."""

    FIRMWARE = bytes.fromhex("0000020116240622")
    ENABLED = bytes.fromhex("01004000")

    def __init__(
        self, street: Street, rng: random.Random, faults: dict[str, float] | None = None
    ) -> None:
        super().__init__(rng, faults)
        users = with_u_turns(street.users, self._faults, TURN_BACK_M, rng)
        narrow = 1.0 if street.is_path else NARROW
        self._trajectories = Visibility(_trajectory(user, narrow) for user in users)
        self._offset_m = self._faults.get("aside", 0.0)
        self._multi_target = not self._faults.get("single")
        self._slots: list[Trajectory | None] = [None] * 3
        self._stale: list[tuple[int, bytes]] = [(0, EMPTY)] * 3  # until when, report
        self._seen_us = [0] * 3  # when the target of a slot was seen last

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Reports with t0 < t <= t1, at most `limit`."""
        out: list[Input] = []
        if not self._on or self._enabled:
            return out
        tick = max(t0_us, self._silent_until_us) // FRAME_US + 1
        while len(out) < limit:
            at_us = tick * FRAME_US + tick * 7919 % 23_000  # the radar's own jitter
            if at_us > t1_us:
                break
            if at_us > t0_us:
                frame = self._frame(tick * FRAME_US)
                if 0 <= self._restart_us <= at_us:
                    return out + self._fail_while_sending(at_us, frame)
                out.append((at_us, PORT, frame))
                self.frames += 1
            tick += 1
        return out

    def _frame(self, t_us: int) -> bytes:
        reseed(self._rng, self._seed, t_us, self._faults)
        near, _ = self._trajectories.visible(t_us)
        if not near and not self._faults and self._slots == [None] * 3:
            return HEADER + EMPTY * 3 + FOOTER
        targets = self._targets(t_us, near)
        frame = b"".join((HEADER, *targets, FOOTER))
        return corrupt(frame, self._rng, self._faults)

    def _targets(self, t_us: int, near: list[Trajectory]) -> list[bytes]:
        rng, faults = self._rng, self._faults
        self._assign(t_us, near)
        out = []
        for slot, trajectory in enumerate(self._slots):
            until_us, left = self._stale[slot]
            found = self._target(t_us, trajectory, near) if trajectory else EMPTY
            if found != EMPTY:
                self._seen_us[slot] = t_us
            if found == EMPTY and t_us < until_us:
                found = left
            out.append(found)
        if not self._multi_target:
            out[1:] = [EMPTY, EMPTY]
        if faults and rng.random() < faults.get("ghost", 0) and EMPTY in out:
            x, y = rng.uniform(-3000, 3000), rng.uniform(300, 5500)
            out[out.index(EMPTY)] = _packed(x, y, rng.uniform(-200, 200))
        if faults and rng.random() < faults.get("clutter", 0) and EMPTY in out:
            x, y = rng.uniform(-1500, 1500), rng.uniform(300, 2500)
            out[out.index(EMPTY)] = _packed(x, y, rng.uniform(-60, 60))
        if 0 <= faults.get("branch", -1) * 1e6 <= t_us:
            out[-1] = _packed(rng.uniform(-200, 200), rng.uniform(150, 400), rng.uniform(-80, 80))
        if faults and rng.random() < faults.get("swapped", 0):
            out[0], out[1] = out[1], out[0]
        return out

    def _assign(self, t_us: int, near: list[Trajectory]) -> None:
        """A target keeps its slot while it is seen, and for a while when it is hidden. A new
        target that is seen gets a free one."""
        for slot, trajectory in enumerate(self._slots):
            if trajectory in near and t_us - self._seen_us[slot] > HELD_US:
                self._slots[slot] = None
            elif trajectory and trajectory not in near:
                self._slots[slot] = None
                if self._rng.random() < self._faults.get("stale", 0):
                    x_mm = trajectory.x_m(trajectory.end_us) * 1e3
                    self._stale[slot] = (t_us + STALE_US, _packed(x_mm, trajectory.y_m * 1e3, 0))
        for trajectory in near:
            if None not in self._slots:
                return
            if trajectory not in self._slots and self._in_sight(t_us, trajectory, near):
                slot = self._slots.index(None)
                self._slots[slot], self._seen_us[slot] = trajectory, t_us

    def _in_sight(self, t_us: int, trajectory: Trajectory, near: list[Trajectory]) -> bool:
        x_m = trajectory.x_m(t_us) + self._offset_m
        is_far = math.hypot(x_m, trajectory.y_m) > trajectory.reach_m
        is_aside = abs(math.degrees(math.atan2(x_m, trajectory.y_m))) > HALF_ANGLE_DEG
        return not (is_far or is_aside or _hidden(t_us, trajectory, near))

    def _target(self, t_us: int, trajectory: Trajectory, near: list[Trajectory]) -> bytes:
        rng = self._rng
        x_m = trajectory.x_m(t_us) + self._offset_m
        if not self._in_sight(t_us, trajectory, near):
            return EMPTY
        if rng.random() > SEEN - self._faults.get("missed", 0):
            return EMPTY
        x_mm, y_mm = (m * 1e3 + rng.gauss(0, s) for m, s in zip((x_m, trajectory.y_m), NOISE_MM))
        radial = trajectory.metres_per_us * 1e8 * x_m / math.hypot(x_m, trajectory.y_m)
        return _packed(x_mm, y_mm, radial + rng.uniform(-8, 8))

    def _execute(self, command: int, value: bytes) -> bytes:
        if command in (0x80, 0x90) and not value:
            self._multi_target = command == 0x90
            return answer(command)
        if command == 0x91:
            return answer(command, b"\x02\x00" if self._multi_target else b"\x01\x00")
        return b""


def _trajectory(user: RoadUser, narrow: float) -> Trajectory:
    """From entering to leaving the radar's sight. narrow: the path as a share of the street."""
    speed = user.speed_kmh / 3.6
    y_m = PATH_M + narrow * user.offset_m
    half_m = min(REACH_M[user.cls], y_m * math.tan(math.radians(HALF_ANGLE_DEG)))
    sign = 1 if user.direction == "forward" else -1
    return Trajectory(
        *sight_span(user, half_m, half_m),
        user.t_us,
        sign * speed / 1e6,
        y_m,
        REACH_M[user.cls],
        user,
    )


def _hidden(t_us: int, trajectory: Trajectory, near: list[Trajectory]) -> bool:
    """Whether a nearer road user stands in the line of sight, within half a body's width."""
    x_m = trajectory.x_m(t_us)
    for other in near:
        if other.y_m < trajectory.y_m - 0.2:
            other_x = other.x_m(t_us)
            if abs(other_x - x_m * other.y_m / trajectory.y_m) < 0.25:
                return True
    return False


def _packed(x_mm: float, y_mm: float, speed_cms: float) -> bytes:
    numbers = (_signed(x_mm), _signed(y_mm), _signed(speed_cms), GATE_MM)
    return b"".join(number.to_bytes(2, "little") for number in numbers)


def _signed(value: float) -> int:
    """Bit 15 set = positive."""
    whole = round(value)
    return whole | 0x8000 if whole >= 0 else -whole
