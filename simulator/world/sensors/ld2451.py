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
waves right in front of it. `covered`: from this second on it sees nothing and still answers.

A real one does more, by the recordings of one place: `angle_sd_deg` is the deviation of an angle,
`distance_sd_m` that of a distance, `second_echo` the share of reports in which a vehicle's rear is
a target of its own, `wrong_direction` the share of wrong direction bytes, `rain_hz` the number of
drops a second that are taken for targets, `snr_scale` a factor on every SNR.

A standing target is not reported. `road_view.py` has what is hidden, `lobe.py` what is seen.
"""

from __future__ import annotations

import math
import random

from simulator.world.protocol import Input
from simulator.world.sensors import lobe
from simulator.world.sensors.ld24xx import PORT, Ld24xx, answer
from simulator.world.sensors.line_noise import corrupt, reseed
from simulator.world.sensors.road_view import (
    Trajectory, position, resolved, trajectory, unhidden,
)  # fmt: skip
from simulator.world.streets.motion import is_returning, with_u_turns
from simulator.world.streets.mount import KIND_MOUNT, Mount
from simulator.world.streets.street import Street
from simulator.world.streets.visibility import Visibility

FRAME_US = 100_000
HZ = 10
PAIR_US, APART_US = 640_000, 20_000
ANGLE_FAR_M = 30.0  # from here on the deviation of an angle grows with the distance (assumed)
BODY_MIN_M = 3.0  # a body so long may show its rear (assumed: the maker says nothing)
REAR_SHARE = 0.3  # of the echo (assumed)
RAIN_M = 4.0  # mean distance of a drop that is seen, it falls off exponentially (assumed)
TURN_BACK_M = (2.0, 25.0)  # before the line
HEADER, FOOTER = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
ALWAYS = {
    "ghost",
    "empty",
    "empty_long",
    "clutter",
    "branch",
    "rain_hz",
}  # also report an empty lobe


class Ld2451(Ld24xx):
    """The radar at the line of a street. `faults` as in the module's text."""

    FIRMWARE = bytes.fromhex("5124010110150524")
    ENABLED = bytes.fromhex("01000000")

    def __init__(
        self,
        street: Street,
        rng: random.Random,
        faults: dict[str, float] | None = None,
        mount: Mount = KIND_MOUNT,
    ) -> None:
        super().__init__(rng, faults)
        self._mount = mount
        users = with_u_turns(street.moving, self._faults, TURN_BACK_M, rng)
        self._trajectories = Visibility(trajectory(user, mount.line_m) for user in users)
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
            active = unhidden(t_us, active)
        if 0 <= faults.get("covered", -1) * 1e6 <= t_us:
            active = []
        targets = [target for trajectory in active for target in self._targets(t_us, trajectory)]
        if len(targets) > 1:
            targets = resolved(targets)
        targets += self._phantoms(t_us) if faults else []
        if not targets:
            if faults.get("empty_long"):
                return HEADER + b"\2\0\0\0" + FOOTER
            return HEADER + b"\0\0" + FOOTER if faults.get("empty") else b""
        targets = targets[:16]
        alarm = max([target[2] for target in targets])
        size = 2 + 5 * len(targets)
        frame = b"".join((HEADER, bytes((size, 0, len(targets), alarm)), *targets, FOOTER))
        return corrupt(frame, self._rng, self._faults)

    def _phantoms(self, t_us: int) -> list[bytes]:
        """Targets that are no road users."""
        rng, faults = self._rng, self._faults
        found = []
        if rng.random() < faults.get("ghost", 0):
            found.append(
                bytes((128 + rng.randrange(-40, 40), rng.randrange(2, 50), rng.getrandbits(1),
                       rng.randrange(2, 40), rng.randrange(20)))
            )  # fmt: skip
        if rng.random() < faults.get("clutter", 0):
            found.append(
                bytes((128 + rng.randrange(-10, 10), rng.randrange(1, 8), rng.getrandbits(1),
                       rng.randrange(2, 9), rng.randrange(8)))
            )  # fmt: skip
        if rain_hz := faults.get("rain_hz"):
            found += [self._drop() for _ in range(4) if rng.random() < rain_hz / HZ / 4]
        if 0 <= faults.get("branch", -1) * 1e6 <= t_us:
            found.append(bytes((128 + rng.randrange(-40, 40), 1, rng.getrandbits(1), 3, 255)))
        return found

    def _drop(self) -> bytes:
        """A drop or a splash: near, slow, anywhere in the lobe."""
        rng = self._rng
        metres = 1 + min(60, int(rng.expovariate(1 / RAIN_M)))
        angle, speed = int(rng.gauss(0, 10)), rng.randrange(2, 20)
        return bytes(
            (_byte(128 + angle), metres, rng.getrandbits(1), speed, _byte(400 / metres**2))
        )

    def _targets(self, t_us: int, trajectory: Trajectory) -> list[bytes]:
        """A road user as one target, or two: a long body may show its rear as well."""
        along, speed_kmh = position(t_us, trajectory)
        front = self._target(t_us, trajectory, along, speed_kmh)
        found = [front] if front else []
        share = self._faults.get("second_echo", 0)
        length_m = trajectory.user.length_m
        if share and length_m >= BODY_MIN_M and self._rng.random() < share:
            rear = along + length_m if trajectory.approaches else along - length_m
            echo = trajectory._replace(echo=trajectory.echo * REAR_SHARE)
            if target := self._target(t_us, echo, rear, speed_kmh):
                found.append(target)
        return found

    def _target(self, t_us: int, trajectory: Trajectory, along: float, speed_kmh: float) -> bytes:
        """Five bytes, or none when the settings or the echo leave this target out."""
        draw, faults, mount = self._rng.random, self._faults, self._mount
        if along < 0.5 or speed_kmh < 0.5:  # a standing target has no Doppler shift
            return b""
        distance = math.hypot(along, trajectory.offset_m, mount.rise_m)
        radial = speed_kmh * along / distance
        bearing = math.degrees(math.atan2(trajectory.offset_m, along)) + self._turned
        seen = lobe.chance(mount, trajectory.reach_m, distance, bearing)
        distance_max, direction, speed_min, _ = self._settings
        if draw() > min(1.0, seen) - faults.get("missed", 0) or radial < speed_min:
            return b""
        metres = int(distance + draw() * 0.6 + 0.2)
        if faults:
            metres = int(max(0.0, distance + draw() * 0.6 + 0.2 + self._noise("distance_sd_m")))
        approaches = trajectory.approaches ^ is_returning(trajectory.user, t_us)
        if metres > distance_max or (direction != 2 and direction != approaches):
            return b""
        angle = bearing + draw() * 4 - 2
        if faults:
            angle += self._noise("angle_sd_deg") * max(1.0, distance / ANGLE_FAR_M)
            if draw() < faults.get("outlier", 0):
                angle = self._rng.uniform(-79, 79)
            approaches ^= draw() < faults.get("wrong_direction", 0)
        noise = trajectory.echo / (distance * distance) * (0.6 + 0.8 * draw())
        if faults.get("swapped"):
            approaches ^= 1
        speed = int(radial + draw())
        snr = noise * faults.get("snr_scale", 1)
        return bytes((_byte(128 + angle), metres, approaches, speed, _byte(snr)))

    def _noise(self, name: str) -> float:
        deviation = self._faults.get(name, 0.0)
        return self._rng.gauss(0, deviation) if deviation else 0.0

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


def _byte(value: float) -> int:
    return max(0, min(255, int(value)))
