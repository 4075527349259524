"""The HLK-LD2451 radar, byte by byte, with the behaviour of the real one.

It looks along the road. A road user that moves in its lobe is reported about ten times a second
with a whole metre, a whole km/h, an angle and a signal-to-noise byte that saturates. An empty lobe
is silent, or is reported, by option. Written from the maker's paper (serial protocol V1.03) and
live recordings, without a look at the firmware's parser.

Faults (`faults`): those of ld24xx.py. As shares of the reports: `missed` (a target is not seen),
`outlier` (a wild angle), `ghost` (a report out of nothing), `clutter` (rain: slow targets close
by). `swapped` inverts the direction byte. `empty`, `empty_long`: it reports an empty lobe, in 10
or 12 bytes. `paired`: reports come in pairs 20 ms apart, 0.64 s from pair to pair, as recorded.
`turned`: degrees by which the radar looks beside the road. `turn_back` adds, for that share of the
road users, another one that turns back before the line. `branch`: from this second on a branch
waves right in front of it.

A heavy vehicle hides everything behind it, along its whole body. Of two targets with the same
distance, speed and angle only the stronger is reported. A standing target is not reported. The
echo strength of one class differs by 3 dB (assumed).
"""

from __future__ import annotations

import math
import random
from operator import itemgetter
from typing import NamedTuple

from simulator.world.protocol import Input
from simulator.world.sensors.ld24xx import PORT, Ld24xx, answer
from simulator.world.sensors.line_noise import corrupt, reseed
from simulator.world.streets.motion import is_returning, position_of, sight_span, with_u_turns
from simulator.world.streets.street import RoadUser, Street
from simulator.world.streets.visibility import Visibility

FRAME_US = 100_000
PAIR_US, APART_US = 640_000, 20_000
LINE_M = 8.0
REACH_M = {"pedestrian": 16.0, "bicycle": 35.0, "car": 58.0, "heavy": 75.0}
ECHO = {"pedestrian": 900.0, "bicycle": 2500.0, "car": 12000.0, "heavy": 30000.0}
NEAREST_M = 1.5
HALF_WIDTH_M = 1.3  # of a heavy vehicle
ECHO_SPREAD = 0.35  # of the logarithm: 3 dB
LOBE_DEG, WILD_M = 25, 13.0  # beyond this distance the lobe has sharp edges
TURN_BACK_M = (2.0, 25.0)  # before the line
SAME_M, SAME_KMH, SAME_DEG = 1, 2, 8  # assumed: the maker names no resolution
HEADER, FOOTER = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
ALWAYS = {"ghost", "empty", "empty_long", "clutter", "branch"}  # also report an empty lobe


class Trajectory(NamedTuple):
    """A road user's stay in the radar's lobe. Distances are along the road, from the radar."""

    start_us: int
    end_us: int
    t_us: int  # on the line
    metres_per_us: float
    speed_kmh: float
    offset_m: float
    approaches: int
    fading: float  # of the chance to be seen, by metre
    echo: float
    user: RoadUser


class Ld2451(Ld24xx):
    """The radar at the line of a street. `faults` as in the module's text."""

    FIRMWARE = bytes.fromhex("5124010110150524")
    ENABLED = bytes.fromhex("01000000")

    def __init__(
        self, street: Street, rng: random.Random, faults: dict[str, float] | None = None
    ) -> None:
        super().__init__(rng, faults)
        users = with_u_turns(street.users, self._faults, TURN_BACK_M, rng)
        self._trajectories = Visibility(_trajectory(user) for user in users)
        self._turned = self._faults.get("turned", 0.0)
        self._settings = bytearray(b"\x64\x02\x00\x00")  # max m, direction, min km/h, delay
        self._sensitivity = bytearray(b"\x01\x04\x00\x00")

    # --- reports

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Reports with t0 < t <= t1, at most `limit`."""
        out: list[Input] = []
        if not self._on or self._enabled:
            return out
        always = not ALWAYS.isdisjoint(self._faults)
        starts_us, trajectories = self._trajectories.starts_us, self._trajectories.trajectories
        tick = self._tick(max(t0_us, self._silent_until_us)) + 1
        active, following = self._trajectories.visible(self._time_us(tick))
        while len(out) < limit:
            t_us = self._time_us(tick)
            if t_us > t1_us:
                break
            while following < len(starts_us) and starts_us[following] <= t_us:
                active.append(trajectories[following])
                following += 1
            active = [trajectory for trajectory in active if trajectory.end_us > t_us]
            if not active and not always:
                if following == len(starts_us):
                    break
                tick = max(tick + 1, self._tick(starts_us[following] - 1) + 1)
                continue
            at_us = t_us + (tick * 7919) % self._jitter_us
            if at_us > t1_us:
                break
            frame = self._frame(t_us, active)
            if frame and at_us > t0_us:
                if 0 <= self._restart_us <= at_us:
                    return out + self._fail_while_sending(at_us, frame)
                out.append((at_us, PORT, frame))
                self.frames += 1
            tick += 1
        return out

    # Reports are numbered, ten a second or in pairs. The jitter is added to their times.

    @property
    def _jitter_us(self) -> int:
        return 6_000 if self._faults.get("paired") else 23_000

    def _time_us(self, tick: int) -> int:
        if self._faults.get("paired"):
            return tick // 2 * PAIR_US + tick % 2 * APART_US
        return tick * FRAME_US

    def _tick(self, t_us: int) -> int:
        """The last report at or before this moment."""
        if self._faults.get("paired"):
            return t_us // PAIR_US * 2 + (t_us % PAIR_US >= APART_US)
        return t_us // FRAME_US

    def _frame(self, t_us: int, active: list[Trajectory]) -> bytes:
        rng, faults = self._rng, self._faults
        reseed(rng, self._seed, t_us, faults)
        if len(active) > 1:
            active = _unhidden(t_us, active)
        targets = [
            target
            for target in [self._target(t_us, trajectory) for trajectory in active]
            if target
        ]
        if len(targets) > 1:
            targets = _resolved(targets)
        if faults and rng.random() < faults.get("ghost", 0):
            targets.append(
                bytes((128 + rng.randrange(-40, 40), rng.randrange(2, 50), rng.getrandbits(1),
                       rng.randrange(2, 40), rng.randrange(20)))
            )  # fmt: skip
        if faults and rng.random() < faults.get("clutter", 0):
            targets.append(
                bytes((128 + rng.randrange(-10, 10), rng.randrange(1, 8), rng.getrandbits(1),
                       rng.randrange(2, 9), rng.randrange(8)))
            )  # fmt: skip
        if 0 <= faults.get("branch", -1) * 1e6 <= t_us:
            targets.append(bytes((128 + rng.randrange(-40, 40), 1, rng.getrandbits(1), 3, 255)))
        if not targets:
            if faults.get("empty_long"):
                return HEADER + b"\2\0\0\0" + FOOTER
            return HEADER + b"\0\0" + FOOTER if faults.get("empty") else b""
        targets = targets[:16]
        alarm = max([target[2] for target in targets])
        size = 2 + 5 * len(targets)
        frame = b"".join((HEADER, bytes((size, 0, len(targets), alarm)), *targets, FOOTER))
        return corrupt(frame, self._rng, self._faults)

    def _target(self, t_us: int, trajectory: Trajectory) -> bytes:
        """Five bytes, or none when the settings or the echo leave this target out."""
        draw, faults = self._rng.random, self._faults
        along, speed_kmh = _position(t_us, trajectory)
        if along < 0.5 or speed_kmh < 0.5:  # a standing target has no Doppler shift
            return b""
        distance = math.hypot(along, trajectory.offset_m)
        radial = speed_kmh * along / distance
        chance = min(1.0, 1.95 - trajectory.fading * distance) - faults.get("missed", 0)
        distance_max, direction, speed_min, _ = self._settings
        if draw() > chance or radial < speed_min:
            return b""
        metres = int(distance + draw() * 0.6 + 0.2)
        approaches = trajectory.approaches ^ is_returning(trajectory.user, t_us)
        if metres > distance_max or (direction != 2 and direction != approaches):
            return b""
        angle = (
            math.degrees(math.atan2(trajectory.offset_m, along)) + self._turned + draw() * 4 - 2
        )
        if distance > WILD_M and abs(angle) > LOBE_DEG:
            return b""
        if faults and draw() < faults.get("outlier", 0):
            angle = self._rng.uniform(-79, 79)
        noise = trajectory.echo / (distance * distance) * (0.6 + 0.8 * draw())
        if faults.get("swapped"):
            approaches ^= 1
        speed = int(radial + draw())
        return bytes(
            (max(0, min(255, int(128 + angle))), metres, approaches, speed, min(255, int(noise)))
        )

    # --- commands

    def _execute(self, command: int, value: bytes) -> bytes:
        if command in (0x02, 0x03):
            return self._set(command, value)
        readable = {0x12: bytes(self._settings), 0x13: bytes(self._sensitivity)}
        return answer(command, readable[command]) if command in readable else b""

    def _set(self, command: int, value: bytes) -> bytes:
        if len(value) != 4:
            return b""
        if command == 0x02:
            if value[1] > 2 or not 10 <= value[0] <= 255 or value[2] > 120:
                return answer(command, status=1)
            self._settings[:] = value
        else:
            self._sensitivity[:] = value
        return answer(command)


def _trajectory(user: RoadUser) -> Trajectory:
    """When and how a road user is seen: it comes from far, or goes away from near."""
    speed = user.speed_kmh / 3.6
    reach = REACH_M[user.cls]
    forward = user.direction == "forward"
    near, far = LINE_M - NEAREST_M, reach - LINE_M
    start_us, end_us = sight_span(user, *((far, near) if forward else (near, far)))
    spread = math.exp(random.Random(user.number).gauss(0, ECHO_SPREAD))
    return Trajectory(
        start_us, end_us, user.t_us, (-speed if forward else speed) / 1e6, user.speed_kmh,
        user.offset_m, int(forward), 1.6 / (reach * 1.15), ECHO[user.cls] * spread, user,
    )  # fmt: skip


def _unhidden(t_us: int, active: list[Trajectory]) -> list[Trajectory]:
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
    front = _position(t_us, trajectory)[0]
    length = trajectory.user.length_m
    return (front, front + length) if trajectory.approaches else (front - length, front)


def _hidden(
    t_us: int, trajectory: Trajectory, bodies: list[tuple[Trajectory, float, float]]
) -> bool:
    """Whether the line of sight to it goes through a body that is nearer."""
    along = _position(t_us, trajectory)[0]
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


def _position(t_us: int, trajectory: Trajectory) -> tuple[float, float]:
    """Metres along the road from the radar, and km/h."""
    if trajectory.user.stop is None:
        return LINE_M + trajectory.metres_per_us * (t_us - trajectory.t_us), trajectory.speed_kmh
    before_m, speed_kmh = position_of(trajectory.user, t_us)
    return LINE_M + (before_m if trajectory.approaches else -before_m), speed_kmh


def _resolved(targets: list[bytes]) -> list[bytes]:
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
