"""Errors of counts as traffic engineers state them: by hour and direction, by flow, and as GEH.

GEH = sqrt(2 (M - C)^2 / (M + C)) with hourly flows M and C (DMRB volume 12, TAG unit M3.1). It
forgives much at small flows: a detector that misses a third of 100 an hour has a GEH of 3.7. So
the relative error stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from simulator.run.checkers.decode import DIRECTIONS
from simulator.run.processes.observer import Passage

HOUR_US = 3_600_000_000
GEH_GOOD = 5.0
FLOW_STEPS = (0, 50, 150, 300, 600, 1200)  # road users an hour and direction, lower edges
PASSED_MIN = 10  # an hour with fewer has no relative error worth a figure
Hour = dict[str, Any]


def geh(passed: float, counted: float) -> float:
    """Of two hourly flows."""
    both = passed + counted
    return math.sqrt(2 * (counted - passed) ** 2 / both) if both else 0.0


def by_hour(truth: Sequence[Passage], counted: Sequence[Passage], end_us: int) -> list[Hour]:
    """Whole hours until `end_us`, by direction. The rest of a last hour is left out."""
    found = []
    for direction in DIRECTIONS:
        rows = [_hourly(passages, direction) for passages in (truth, counted)]
        if not rows[0] and not rows[1]:
            continue
        for hour in range(int(end_us // HOUR_US)):
            passed, noted = (row.get(hour, 0) for row in rows)
            found.append(
                {
                    "hour": hour, "direction": direction, "passed": passed, "counted": noted,
                    "geh": round(geh(passed, noted), 2),
                }
            )  # fmt: skip
    return found


def _hourly(passages: Iterable[Passage], direction: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for one in passages:
        if one.direction == direction:
            hour = int(one.t_us // HOUR_US)
            found[hour] = found.get(hour, 0) + 1
    return found


def errors(hours: Sequence[Hour]) -> dict[str, Any]:
    """Of hours with at least PASSED_MIN road users: bias and mean size of the error in percent,
    the largest GEH, and the share of hours below GEH_GOOD."""
    rated = [one for one in hours if one["passed"] >= PASSED_MIN]
    if not rated:
        return {"n": 0}
    shares = [one["counted"] / one["passed"] - 1 for one in rated]
    passed, counted = (sum(one[key] for one in rated) for key in ("passed", "counted"))
    return {
        "n": len(rated),
        "bias_pct": round(100 * (counted / passed - 1), 2),
        "error_pct": round(100 * fmean(abs(one) for one in shares), 2),
        "error_max_pct": round(100 * max(abs(one) for one in shares), 2),
        "geh_max": max(one["geh"] for one in rated),
        "geh_good_share": round(fmean(one["geh"] < GEH_GOOD for one in rated), 4),
    }


def by_flow(hours: Sequence[Hour]) -> dict[str, dict[str, Any]]:
    """`errors` of the hours in each class of flow, by its name such as "150-300"."""
    found = {}
    for low, high in zip(FLOW_STEPS, [*FLOW_STEPS[1:], None]):
        inside = [
            one for one in hours if low <= one["passed"] and (high is None or one["passed"] < high)
        ]
        rated = errors(inside)
        if rated["n"]:
            found[f"{low}-{high}" if high else f"{low}+"] = rated
    return found
