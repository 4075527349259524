"""The corrected number of walkers beside a raw count: detectors on a path undercount crowds.

The table `crowd.toml` has, for each detector and share of walkers in groups, the counts an hour of
both directions and the factor from there to the walkers that passed. It is simulated, `make crowd`
writes it. Between its points the factor is linear. Beyond them nothing is corrected.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("crowd.toml")
GROUPS = 0.3  # share of walkers in groups, if it is not known
KNOWN_WITHIN = 0.1  # a share that was counted by hand for an hour is this good (assumed)
Z95 = 1.96


@dataclass
class Corrected:
    """A sum of corrected counts, and its 95 % interval. complete: every count was correctable."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    variance: float = 0.0
    complete: bool = True

    def as_dict(self) -> dict[str, int] | None:
        """Whole walkers, None if a count lies beyond the table."""
        if not self.complete:
            return None
        draw = Z95 * math.sqrt(self.variance)
        return {
            "value": round(self.value),
            "low": max(0, math.floor(self.low - draw)),
            "high": math.ceil(self.high + draw),
        }


def detectors() -> list[str]:
    return sorted(_table())


def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


class Correction:
    """Of one detector. groups: share of the walkers that is in groups, None if not known: then the
    interval is that of all shares in the table."""

    def __init__(self, detector: str, groups: float | None = None) -> None:
        self._rows = sorted(_table()[detector], key=lambda row: row["groups"])
        shares = [row["groups"] for row in self._rows]
        if groups is None:
            self._span = (GROUPS, shares[0], shares[-1])
        else:
            low, high = groups - KNOWN_WITHIN, groups + KNOWN_WITHIN
            self._span = (groups, max(shares[0], low), min(shares[-1], high))

    def add(self, into: Corrected, count: int, an_hour: float) -> None:
        """Add `count` road users of an interval in which both directions had `an_hour`."""
        factors = [self._factor(share, an_hour) for share in self._span]
        if None in factors:
            into.complete = into.complete and not count
            return
        value, low, high = (factor or 1.0 for factor in factors)
        into.value += count * value
        into.low += count * low
        into.high += count * high
        # Of n walkers each is counted with the chance 1 / factor: n varies by this.
        into.variance += count * value * max(0.0, value - 1)

    def _factor(self, groups: float, an_hour: float) -> float | None:
        """Linear between shares and between counts."""
        rows = self._rows
        above = next((i for i, row in enumerate(rows) if row["groups"] >= groups), len(rows) - 1)
        upper, lower = rows[above], rows[max(0, above - 1)]
        pair = [_at(row["counted"], row["factor"], an_hour) for row in (lower, upper)]
        if pair[0] is None or pair[1] is None:
            return pair[0] or pair[1]
        width = upper["groups"] - lower["groups"]
        part = min(1.0, max(0.0, (groups - lower["groups"]) / width)) if width else 0.0
        return pair[0] + (pair[1] - pair[0]) * part


def _at(counted: list[float], factor: list[float], an_hour: float) -> float | None:
    """The factor at a count an hour, None beyond the table."""
    if an_hour <= counted[0]:
        return factor[0]
    for i in range(1, len(counted)):
        if an_hour <= counted[i]:
            part = (an_hour - counted[i - 1]) / (counted[i] - counted[i - 1])
            return factor[i - 1] + (factor[i] - factor[i - 1]) * part
    return None
