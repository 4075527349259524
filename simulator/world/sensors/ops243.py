"""The OmniPreSense OPS243-A radar, line by line, with the behaviour of the real one.

It looks along the road with a beam of some 28 degrees and knows speed and strength only. Of all
road users in the beam it reports the strongest, five or six times a second. The counting line is
where a road user leaves or enters the beam. Settings are lost with the power. After a restart it
reports m/s without magnitude, as delivered. Commands are two characters, some with a number and a
CR, and are not echoed. Written from OmniPreSense AN-010-AD, without a look at the firmware's
parser. The form of a blank report is assumed.

Faults: `torn`, `glued`, `flipped`, `missed`, `ghost` and `clutter` (rain: a weak echo close by)
are shares of the reports. `restart`: at this second the supply fails for a moment, in the middle
of a line. `turn_back` adds, for that share of the road users, another one that turns back before
the line. `branch`: from this second on a branch waves in front of it.
"""

from __future__ import annotations

import json
import math
import random
from typing import NamedTuple

from simulator.world.protocol import Input
from simulator.world.sensors.line_noise import corrupt, reseed
from simulator.world.streets.motion import is_returning, position_of, sight_span, with_u_turns
from simulator.world.streets.street import RoadUser, Street
from simulator.world.streets.visibility import Visibility

PORT = 1
BESIDE_M = 1.5  # from the radar to the near edge of the lanes
HALF_BEAM_DEG = 14.0
REACH_M = {"pedestrian": 25.0, "bicycle": 38.0, "car": 70.0, "heavy": 90.0}
THRESHOLD = 20.0  # of the magnitude, where the reach ends
STRONGEST = 4000.0
STEP_KMH = 0.22  # 10 ksps, 1024 samples
BANNER = b'{"Product":"OPS243"}\r\n{"Version":"1.3.9"}\r\n'
RESTART_US = 1_200_000
BYTE_US = 520  # 19,200 baud
TURN_BACK_M = (2.0, 25.0)  # before the line
SLOWEST_KMH = 0.4  # a standing target has no Doppler shift
UNITS = {"M": ("m-per-sec", 1 / 3.6), "K": ("km-per-hr", 1.0), "S": ("mph", 0.621371)}
RATES = {"V": 5_000, "X": 10_000, "2": 20_000}


class Trajectory(NamedTuple):
    """A road user's stay in the beam."""

    start_us: int
    end_us: int
    user: RoadUser
    beside_m: float
    sign: int
    line_m: float  # along the road, where the beam's edge is
    strength: float  # at one metre


class Ops243:
    """The radar at the line of a street."""

    def __init__(
        self, street: Street, rng: random.Random, faults: dict[str, float] | None = None
    ) -> None:
        self._rng = rng
        self._seed = rng.getrandbits(64)
        self._faults = faults or {}
        users = with_u_turns(street.users, self._faults, TURN_BACK_M, rng)
        self._trajectories = Visibility(_trajectory(user) for user in users)
        restart = self._faults.get("restart")
        self._restart_us = int(restart * 1e6) if restart else -1
        self._on = True
        self._buffer = b""
        self._silent_until_us = 0
        self.frames = 0
        self._restore_defaults()

    def _restore_defaults(self) -> None:
        """The settings as delivered."""
        self._unit, self._rate = "M", "X"
        self._magnitude = self._json = self._blank = False
        self._active = True
        self._buffer = b""

    # --- reports

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Lines with t0 < t <= t1, at most `limit`."""
        out: list[Input] = []
        if not self._on:
            return out
        frame_us = 156_000 * 10_000 // RATES[self._rate]
        tick = t0_us // frame_us
        while len(out) < limit:
            at_us = tick * frame_us + tick * 7919 % 31_000
            if at_us > t1_us:
                break
            if at_us > t0_us:
                if 0 <= self._restart_us <= at_us:
                    line = self._line(at_us)
                    self._check_restart(at_us)
                    return [*out, (at_us, PORT, line[: len(line) // 2])]
                line = self._line(at_us) if at_us >= self._silent_until_us else b""
                if line:
                    out.append((at_us, PORT, line))
                    self.frames += 1
            tick += 1
        return out

    def _check_restart(self, t_us: int) -> None:
        if 0 <= self._restart_us <= t_us:
            self._restart_us = -1
            self._restore_defaults()
            self._silent_until_us = t_us + RESTART_US

    def _line(self, t_us: int) -> bytes:
        rng, faults = self._rng, self._faults
        if not self._active:
            return b""
        reseed(rng, self._seed, t_us, faults)
        near, _ = self._trajectories.visible(t_us)
        found = [target for trajectory in near if (target := self._target(t_us, trajectory))]
        if faults and rng.random() < faults.get("ghost", 0):
            found.append((rng.uniform(20, 60), rng.uniform(-60, 60)))
        if faults and rng.random() < faults.get("clutter", 0):
            found.append((rng.uniform(20, 80), rng.uniform(-9, 9)))
        if 0 <= faults.get("branch", -1) * 1e6 <= t_us:
            found.append((rng.uniform(800, 1000), rng.uniform(3, 6)))
        if not found:
            return b"0\r\n" if self._blank else b""
        return corrupt(self._encode(*max(found)), self._rng, self._faults)

    def _target(self, t_us: int, trajectory: Trajectory) -> tuple[float, float] | None:
        """(magnitude, km/h, positive = comes nearer), or None."""
        rng = self._rng
        before_m, speed_kmh = position_of(trajectory.user, t_us)
        along = trajectory.line_m + (before_m if trajectory.sign > 0 else -before_m)
        if speed_kmh < SLOWEST_KMH or along < trajectory.line_m * 0.98:
            return None
        distance = math.hypot(along, trajectory.beside_m)
        magnitude = min(STRONGEST, trajectory.strength / distance**2 * (0.7 + 0.6 * rng.random()))
        if magnitude < THRESHOLD or rng.random() < self._faults.get("missed", 0):
            return None
        speed_kmh = speed_kmh * along / distance + rng.gauss(0, 0.15)
        sign = -trajectory.sign if is_returning(trajectory.user, t_us) else trajectory.sign
        return magnitude, sign * round(speed_kmh / STEP_KMH) * STEP_KMH

    def _encode(self, magnitude: float, speed_kmh: float) -> bytes:
        speed = speed_kmh * UNITS[self._unit][1]
        if self._json:
            row = {"magnitude": round(magnitude, 2)} if self._magnitude else {}
            return json.dumps({**row, "speed": f"{speed:.2f}"}).encode() + b"\r\n"
        text = f"{magnitude:.2f},{speed:.2f}" if self._magnitude else f"{speed:.2f}"
        return text.encode() + b"\r\n"

    # --- commands

    def power(self, t_us: int, on: bool) -> None:
        """It starts with the node and reports at once, as delivered."""
        self._on = on
        self._restore_defaults()
        if on:
            self._silent_until_us = t_us + RESTART_US

    def write(self, t_us: int, data: bytes) -> list[Input]:
        """Take bytes from the node. Return the answers."""
        self._check_restart(t_us)
        if not self._on or t_us < self._silent_until_us:
            return []
        self._buffer += data
        answers = b""
        while len(self._buffer) >= 2:
            command, self._buffer = self._buffer[:2], self._buffer[2:]
            if command[:1] in b"\r\n\x03":
                self._buffer = command[1:] + self._buffer
                continue
            if command[1:] in b"<>=":
                _, found, rest = self._buffer.partition(b"\r")
                if not found:
                    self._buffer = command + self._buffer
                    break
                self._buffer = rest
                continue
            answers += self._command(command.decode("latin-1"))
        return [(t_us + 15_000 + BYTE_US * len(answers), PORT, answers)] if answers else []

    def _command(self, command: str) -> bytes:
        """Carry out a command of two characters. Return its answer, none for an unknown
        command."""
        if command == "??":
            return BANNER + b'{"SamplingRate":%d, "resolution":0.0607}\r\n' % RATES[self._rate]
        if command[0] == "U" and command[1] in UNITS:
            self._unit = command[1]
        if command[0] == "U" and command[1] in "?" + "".join(UNITS):
            return b'{"Units":"%s"}\r\n' % UNITS[self._unit][0].encode()
        if command[0] == "S" and command[1] in RATES:
            self._rate = command[1]
        if command in ("OJ", "Oj"):
            self._json = command == "OJ"
        if command in ("OM", "Om"):
            self._magnitude = command == "OM"
        if command in ("BZ", "BV"):
            self._blank = command == "BZ"
        if command in ("PI", "PA"):
            self._active = command == "PA"
        return b""


def _trajectory(user: RoadUser) -> Trajectory:
    """A road user forward comes nearer until it leaves the beam. One backward moves away."""
    beside_m = BESIDE_M + 2.2 + user.offset_m / 2
    line_m = beside_m / math.tan(math.radians(HALF_BEAM_DEG))
    reach_m = REACH_M[user.cls]
    sign = 1 if user.direction == "forward" else -1
    far_m = max(0.0, reach_m - line_m)
    start_us, end_us = sight_span(user, *((far_m, 0.0) if sign > 0 else (0.0, far_m)))
    return Trajectory(start_us, end_us, user, beside_m, sign, line_m, THRESHOLD * reach_m**2)
