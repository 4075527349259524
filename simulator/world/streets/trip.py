"""The motion of a manoeuvring road user, leg by leg: it starts, stops, backs, parks.

A leg has one acceleration. Distances are metres before the counting line, negative behind it.
Speeds are m/s towards the line, negative away from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Leg(NamedTuple):
    """It begins at `start_us`, `before_m` before the line, with a speed and an acceleration."""

    start_us: int
    before_m: float
    speed: float
    acceleration: float


@dataclass(frozen=True, slots=True)
class Trip:
    """Legs in order, the last one ends at `end_us`. Outside of them the road user is not there."""

    legs: tuple[Leg, ...]
    end_us: int

    @property
    def start_us(self) -> int:
        return self.legs[0].start_us

    def _state(self, t_us: int) -> tuple[float, float]:
        """Metres before the line, and m/s towards it."""
        leg = self.legs[0]
        for one in self.legs[1:]:
            if one.start_us > t_us:
                break
            leg = one
        seconds = (t_us - leg.start_us) / 1e6
        speed = leg.speed + leg.acceleration * seconds
        return leg.before_m - (leg.speed + speed) / 2 * seconds, speed

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line, and km/h."""
        if not self.start_us <= t_us < self.end_us:
            return self._state(self.start_us)[0], 0.0
        before_m, speed = self._state(t_us)
        return before_m, abs(speed) * 3.6

    def is_returning(self, t_us: int) -> bool:
        """Whether it moves against the direction in which it came."""
        return self._state(t_us)[1] < 0


class TripMaker:
    """Adds legs one after the other. Begins at `t_us`, `before_m` before the line."""

    def __init__(self, t_us: int, before_m: float, speed: float) -> None:
        self._legs: list[Leg] = []
        self._t_us, self._before_m, self._speed = t_us, before_m, speed
        self.crossed_us = -1  # when the front came to the line first
        self.crossed_speed = 0.0  # m/s

    def drive(self, seconds: float, acceleration: float = 0.0) -> TripMaker:
        self._legs.append(Leg(self._t_us, self._before_m, self._speed, acceleration))
        speed = self._speed + acceleration * seconds
        before_m = self._before_m - (self._speed + speed) / 2 * seconds
        if self.crossed_us < 0 and self._before_m > 0 >= before_m:
            self._note_crossing(seconds)
        self._t_us += int(seconds * 1e6)
        self._before_m, self._speed = before_m, speed
        return self

    def metres(self, metres: float) -> TripMaker:
        """At the present speed, so many metres."""
        return self.drive(metres / abs(self._speed))

    def reach(self, speed: float, rate: float) -> TripMaker:
        """Brake or speed up to `speed` with `rate` m/s2."""
        change = speed - self._speed
        return self.drive(abs(change) / rate, rate if change > 0 else -rate)

    def _note_crossing(self, seconds: float) -> None:
        leg = self._legs[-1]
        low, high = 0.0, seconds
        for _ in range(40):
            middle = (low + high) / 2
            moved = (leg.speed + leg.acceleration * middle / 2) * middle
            low, high = (middle, high) if moved < leg.before_m else (low, middle)
        self.crossed_us = self._t_us + int(low * 1e6)
        self.crossed_speed = leg.speed + leg.acceleration * low

    def made(self) -> Trip:
        return Trip(tuple(self._legs), self._t_us)
