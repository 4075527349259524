"""Sums over intervals of a node: counts, coverage and speeds of an hour or a day.

Histograms add up, percentiles do not. So a span keeps the sum of the histograms, and v50, v85 and
v98 are read from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]

DIRECTIONS = ("forward", "backward")
BIN_KMH = 4
OPEN_BIN = 31  # 124 km/h and more
SHARES = {"v50": 0.50, "v85": 0.85, "v98": 0.98}


@dataclass
class Span:
    """One direction in an hour or a day. Times in seconds, sums of speeds in km/h."""

    length: int = 0
    observed: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    speeds: int = 0
    speed_sum: float = 0.0
    raw_sum: float = 0.0
    followers: int = 0
    headway_sum: float = 0.0

    def add(self, length: int, observed: int, body: Body, direction: str) -> None:
        """Add a direction of an interval. The short form of LoRaWAN has no histogram."""
        self.length += length
        self.observed += observed
        self.classes.update(body["counts"][direction])
        speed = body["speed"][direction] or {}
        if speed.get("n"):
            self.speeds += speed["n"]
            self.speed_sum += speed["mean"] * speed["n"]
            self.raw_sum += speed.get("raw", speed["mean"]) * speed["n"]
            self.bins.update(dict(speed["hist"]))
        spacing = body.get("spacing", {}).get(direction, {})
        if spacing.get("headway") is not None:
            self.followers += spacing["n"]
            self.headway_sum += spacing["headway"] * spacing["n"]

    def as_dict(self) -> Body:
        """Shares and means for people and for JSON. Speeds in km/h, `headway` in seconds."""
        found: Body = {
            "observed": round(self.observed / self.length, 4) if self.length else 0.0,
            "counts": dict(self.classes),
            "mean": _ratio(self.speed_sum, self.speeds),
            "raw": _ratio(self.raw_sum, self.speeds),
            "headway": _ratio(self.headway_sum, self.followers),
        }
        return found | {name: percentile(self.bins, share) for name, share in SHARES.items()}


def _ratio(total: float, n: int) -> float | None:
    return round(total / n, 1) if n else None


def percentile(bins: Counter[int], share: float) -> float | None:
    """A percentile in km/h, None without speeds. In the last bin, an open one: its lower edge."""
    rank, below = share * bins.total(), 0
    for i, count in sorted(bins.items()):
        if count and below + count >= rank:
            inside = 0.0 if i == OPEN_BIN else (rank - below) / count
            return round(BIN_KMH * (i + inside), 1)
        below += count
    return None
