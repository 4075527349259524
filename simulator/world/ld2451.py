"""The HLK-LD2451 radar, byte by byte, with the manners of the real one.

It looks along the road. Whoever moves in its lobe is reported about ten times a second with a
whole metre, a whole km/h, an angle and a signal-to-noise byte that saturates; an empty lobe is
silent (or says so, by option). Written from the maker's paper (serial protocol V1.03) and live
recordings, without a look at the firmware's parser.

Faults (`faults`): shares of reports that are `torn` (cut off), `glued` (a rest of rubbish in
front), `flipped` (one bit), `missed` (target not seen), `outlier` (wild angle), `ghost` (a report
out of nothing); `swapped` turns the direction byte round; `empty` sends empty reports; `clutter`
is rain: slow things close by.

A heavy vehicle hides what is behind it; of two that are alike in distance, speed and angle only
the stronger is reported; what stands still is not.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from operator import itemgetter
from typing import NamedTuple

from simulator.world.ld24xx import PORT, Ld24xx, answer
from simulator.world.motion import Stop
from simulator.world.protocol import Input
from simulator.world.street import RoadUser, Street

FRAME_US = 100_000
LINE_M = 8.0
REACH_M = {"pedestrian": 16.0, "bicycle": 35.0, "car": 58.0, "heavy": 75.0}
ECHO = {"pedestrian": 900.0, "bicycle": 2500.0, "car": 12000.0, "heavy": 30000.0}
NEAREST_M = 1.5
SLOW_US = 8_000_000  # longer than anybody takes to brake or to go on
SHADOW_M = 4.0  # behind the front of a heavy vehicle its shadow begins
HALF_WIDTH_M = 1.3
SAME_M, SAME_KMH, SAME_DEG = 1, 2, 8  # assumed: the maker names no resolution
HEAD, FOOT = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
ALWAYS = {"ghost", "empty", "clutter"}  # faults that make reports of an empty lobe


class Lobe(NamedTuple):
    """A road user's way through the radar's lobe; distances along the road, from the radar."""

    start_us: int
    end_us: int
    t_us: int  # on the line
    metres_per_us: float
    kmh: float
    offset_m: float
    approaches: int
    fading: float  # of the chance to be seen, a metre
    echo: float
    stop: Stop | None
    hides: bool


class Ld2451(Ld24xx):
    """The radar at the line of a street. `faults` as in the module's text."""

    FIRMWARE = bytes.fromhex("5124010110150524")
    ENABLED = bytes.fromhex("01000000")

    def __init__(
        self, street: Street, rng: random.Random, faults: dict[str, float] | None = None
    ) -> None:
        super().__init__(rng, faults)
        self._seen = sorted(self._lobe(user) for user in street.users)
        self._starts = [lobe.start_us for lobe in self._seen]
        self._longest_us = max((lobe.end_us - lobe.start_us for lobe in self._seen), default=0)
        self._settings = bytearray(b"\x64\x02\x00\x00")  # max m, direction, min km/h, delay
        self._sensitivity = bytearray(b"\x01\x04\x00\x00")

    def _lobe(self, user: RoadUser) -> Lobe:
        """When and how a road user is seen: comes from far, or goes away from near."""
        speed = user.speed_kmh / 3.6
        reach = REACH_M[user.cls]
        forward = user.direction == "forward"
        if forward:
            start, end = LINE_M - reach, LINE_M - NEAREST_M
        else:
            start, end = NEAREST_M - LINE_M, reach - LINE_M
        # Whoever stands, brakes and goes on takes that much longer on both sides of the line.
        slow_us = user.stop.stands_us + SLOW_US if user.stop else 0
        return Lobe(
            user.t_us + int(start / speed * 1e6) - slow_us,
            user.t_us + int(end / speed * 1e6) + (SLOW_US if user.stop else 0),
            user.t_us,
            (-speed if forward else speed) / 1e6,
            user.speed_kmh,
            user.offset_m,
            int(forward),
            1.6 / (reach * 1.15),
            ECHO[user.cls],
            user.stop,
            user.cls == "heavy",
        )

    # --- reports

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Reports with t0 < t <= t1, at most `limit`."""
        out: list[Input] = []
        if not self._on or self._enabled:
            return out
        always = not ALWAYS.isdisjoint(self._faults)
        starts, seen = self._starts, self._seen
        tick = max(t0_us, self._silent_until_us) // FRAME_US + 1
        active, following = self._active(tick * FRAME_US)
        while len(out) < limit:
            t_us = tick * FRAME_US
            if t_us > t1_us:
                break
            while following < len(starts) and starts[following] <= t_us:
                active.append(seen[following])
                following += 1
            active = [lobe for lobe in active if lobe.end_us > t_us]
            if not active and not always:
                if following == len(starts):
                    break
                tick = -(-starts[following] // FRAME_US)
                continue
            at_us = t_us + (tick * 7919) % 23_000  # the radar's own jitter
            if at_us > t1_us:
                break
            frame = self._frame(t_us, active)
            if frame and at_us > t0_us:
                out.append((at_us, PORT, frame))
                self.frames += 1
            tick += 1
        return out

    def _active(self, t_us: int) -> tuple[list[Lobe], int]:
        """Who is in the lobe, and which road user enters it next."""
        first = bisect_left(self._starts, t_us - self._longest_us)
        following = bisect_left(self._starts, t_us + 1)
        return self._seen[first:following], following

    def _frame(self, t_us: int, active: list[Lobe]) -> bytes:
        rng, faults = self._rng, self._faults
        if len(active) > 1:
            active = _in_sight(t_us, active)
        targets = [target for target in [self._target(t_us, lobe) for lobe in active] if target]
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
        if not targets:
            return HEAD + b"\0\0" + FOOT if faults.get("empty") else b""
        targets = targets[:16]
        alarm = max([target[2] for target in targets])
        size = 2 + 5 * len(targets)
        frame = b"".join((HEAD, bytes((size, 0, len(targets), alarm)), *targets, FOOT))
        return self._spoil(frame) if faults else frame

    def _target(self, t_us: int, lobe: Lobe) -> bytes:
        """Five bytes, or none when the settings or the echo leave this one out."""
        draw, faults = self._rng.random, self._faults
        along, kmh = _place(t_us, lobe)
        if along < 0.5 or kmh < 0.5:  # what stands has no Doppler shift
            return b""
        distance = math.hypot(along, lobe.offset_m)
        radial = kmh * along / distance
        chance = min(1.0, 1.95 - lobe.fading * distance) - faults.get("missed", 0)
        farthest, ways, slowest, _ = self._settings
        if draw() > chance or radial < slowest:
            return b""
        metres = int(distance + draw() * 0.6 + 0.2)
        approaches = lobe.approaches
        if metres > farthest or (ways != 2 and ways != approaches):
            return b""
        angle = math.degrees(math.atan2(lobe.offset_m, along)) + draw() * 4 - 2
        if faults and draw() < faults.get("outlier", 0):
            angle = self._rng.uniform(-79, 79)
        noise = lobe.echo / (distance * distance) * (0.6 + 0.8 * draw())
        if faults.get("swapped"):
            approaches ^= 1
        speed = int(radial + draw())
        return bytes((int(128 + angle), metres, approaches, speed, min(255, int(noise))))

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


def _in_sight(t_us: int, active: list[Lobe]) -> list[Lobe]:
    """Without those whom a heavy vehicle hides: further away, in much the same direction."""
    heavy = [(_along(t_us, lobe), lobe) for lobe in active if lobe.hides]
    heavy = [(along, lobe) for along, lobe in heavy if along > 1.0]
    return [lobe for lobe in active if not _hidden(t_us, lobe, heavy)] if heavy else active


def _hidden(t_us: int, lobe: Lobe, heavy: list[tuple[float, Lobe]]) -> bool:
    along = _along(t_us, lobe)
    if along <= 1.0:
        return False
    bearing = lobe.offset_m / along
    return any(
        other is not lobe
        and near + SHADOW_M < along
        and abs(bearing - other.offset_m / near) < HALF_WIDTH_M / near
        for near, other in heavy
    )


def _along(t_us: int, lobe: Lobe) -> float:
    return _place(t_us, lobe)[0]


def _place(t_us: int, lobe: Lobe) -> tuple[float, float]:
    """Metres along the road from the radar, and km/h."""
    if lobe.stop is None:
        return LINE_M + lobe.metres_per_us * (t_us - lobe.t_us), lobe.kmh
    before_m, kmh = lobe.stop.at(t_us)
    return LINE_M + (before_m if lobe.approaches else -before_m), kmh


def _resolved(targets: list[bytes]) -> list[bytes]:
    """Without those that the radar cannot tell from a stronger one."""
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
