"""Sums of intervals: counts, coverage, and speeds as histograms.

Histograms add up, percentiles do not. So v50, v85 and v98 come from the sum of the histograms.
Nothing is extrapolated: a count is what was seen in the observed seconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tallypost.backend.figures.records import Interval
from tallypost.backend.stores.spans import BIN_KMH, DIRECTIONS, SHARES, percentile

OBSERVED_MIN = 0.75  # coverage from which a count is good
# A span counts as seen from this coverage or this time on, whichever is less.
PARTLY_MIN, PARTLY_MIN_S = 0.01, 60
SPEEDS_MIN = 50  # single speeds; fewer make no percentile


@dataclass
class Lane:
    """One direction. speed_sum: km/h, of `speeds` single speeds."""

    counts: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    speeds: int = 0
    speed_sum: float = 0.0

    def add(self, other: Lane) -> None:
        self.counts.update(other.counts)
        self.bins.update(other.bins)
        self.speeds += other.speeds
        self.speed_sum += other.speed_sum

    @property
    def mean(self) -> float | None:
        return round(self.speed_sum / self.speeds, 1) if self.speeds else None

    def percentile(self, name: str) -> float | None:
        """v50, v85 or v98 in km/h. None if there are too few speeds."""
        enough = self.bins.total() >= SPEEDS_MIN
        return percentile(self.bins, SHARES[name]) if enough else None

    def percentiles(self) -> dict[str, float | None]:
        """v50, v85 and v98 in km/h."""
        return {name: self.percentile(name) for name in SHARES}


@dataclass
class Figures:
    """One site in a span of time. first, last: unix seconds. classes: those that are published.

    expected_s: seconds of the span up to now in which a node hangs there.
    observed_s: seconds in which it could count.
    """

    first: int
    last: int
    classes: tuple[str, ...]
    expected_s: int = 0
    observed_s: int = 0
    lanes: dict[str, Lane] = field(default_factory=lambda: {name: Lane() for name in DIRECTIONS})

    def take(self, interval: Interval, published: tuple[str, ...]) -> None:
        """Add an interval of a node. published: the classes that its period publishes."""
        self.observed_s += interval.observed_s
        for direction, lane in self.lanes.items():
            counted = interval.counts.get(direction, {})
            for name, n in counted.items():  # Counter.update takes three times as long
                if n and name in published:
                    lane.counts[name] += n
            speed = interval.speed.get(direction) or {}
            if speed.get("n"):
                for number, n in speed["hist"]:
                    lane.bins[number] += n
                lane.speeds += speed["n"]
                lane.speed_sum += speed["mean"] * speed["n"]

    def add(self, other: Figures) -> None:
        """Add another span."""
        self.expected_s += other.expected_s
        self.observed_s += other.observed_s
        for direction, lane in self.lanes.items():
            lane.add(other.lanes[direction])

    @property
    def coverage(self) -> float:
        """Share of the expected time that was observed."""
        return min(1.0, self.observed_s / self.expected_s) if self.expected_s else 0.0

    @property
    def state(self) -> str:
        """`none`: no node was there yet, `unobserved`, `partly`, or `observed`."""
        if not self.expected_s:
            return "none"
        if self.observed_s < max(1, min(PARTLY_MIN * self.expected_s, PARTLY_MIN_S)):
            return "unobserved"
        return "observed" if self.coverage >= OBSERVED_MIN else "partly"

    @property
    def is_counted(self) -> bool:
        """Whether there is a count. A count of an unobserved span would be no count."""
        return self.state in ("partly", "observed")

    def count(self, name: str = "", direction: str = "") -> int | None:
        """Road users, of a class or direction if wanted. None if nothing was observed."""
        if not self.is_counted:
            return None
        lanes = [self.lanes[direction]] if direction else list(self.lanes.values())
        names = (name,) if name else self.classes
        return sum(lane.counts[one] for lane in lanes for one in names)

    def both(self) -> Lane:
        """Both directions together."""
        total = Lane()
        for lane in self.lanes.values():
            total.add(lane)
        return total


def bin_text(number: int) -> str:
    """The speeds of a bin, in km/h."""
    return f"{number * BIN_KMH}-{(number + 1) * BIN_KMH}"
