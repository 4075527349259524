"""How somebody brakes, stands and goes on: what a Doppler radar sees of a queue."""

from __future__ import annotations

import math
from dataclasses import dataclass

BRAKE = 2.0  # m/s2, of comfortable braking and of going on alike (HBS 2015, part L)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stand of `stands_us` until `leaves_us`, `back_m` before the line; else at `kmh`."""

    leaves_us: int
    stands_us: int
    back_m: float
    kmh: float

    @property
    def crosses(self) -> tuple[int, float]:
        """When the line is crossed (us), and how fast (km/h)."""
        speed = self.kmh / 3.6
        run_m = speed * speed / (2 * BRAKE)
        if self.back_m < run_m:
            seconds, speed = math.sqrt(2 * self.back_m / BRAKE), math.sqrt(2 * BRAKE * self.back_m)
        else:
            seconds = speed / BRAKE + (self.back_m - run_m) / speed
        return self.leaves_us + int(seconds * 1e6), speed * 3.6

    def at(self, t_us: int) -> tuple[float, float]:
        """Metres before the line (negative: behind it), and km/h."""
        if t_us >= self.leaves_us:
            way_m, kmh = self._way((t_us - self.leaves_us) / 1e6)
            return self.back_m - way_m, kmh
        stops_us = self.leaves_us - self.stands_us
        if t_us >= stops_us:
            return self.back_m, 0.0
        way_m, kmh = self._way((stops_us - t_us) / 1e6)
        return self.back_m + way_m, kmh

    def _way(self, seconds: float) -> tuple[float, float]:
        """From the stand, or back from it: the way in m, and the speed there in km/h."""
        speed = self.kmh / 3.6
        full_s = speed / BRAKE
        if seconds < full_s:
            return BRAKE * seconds * seconds / 2, BRAKE * seconds * 3.6
        return speed * (seconds - full_s / 2), self.kmh
