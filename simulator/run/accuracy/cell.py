"""One cell of the matrix: a detector in a situation, over several runs, and the promised
figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from simulator.run.plans.scenario import Scenario
from simulator.run.results import hours as hourly
from simulator.run.results.report import NodeResult, total
from simulator.run.results.statistics import Range, mean_range, wilson

FREE_FLOW = {
    "ops243": "one_way",
    "doppler": "one_way",
}  # the free traffic of a detector, otherwise moderate
# Precision that damaged bytes and rain may cost against free traffic, for every detector.
PRECISION_LOSS_MAX = 0.02
NOISE_SCENARIOS = ("noisy_line", "rain")
# (detector, scenario) -> minimum recall, precision, share of right directions, maximum mean and
# v85 error in km/h, maximum confusion of bicycles and pedestrians. None = not promised.
PROMISED: dict[tuple[str, str], tuple[float | None, ...]] = {
    ("ld2451", "moderate"): (0.98, 0.99, 0.99, 2.0, 3.0, None),
    ("ld2451", "platoons"): (0.93, 0.97, None, None, None, None),
    ("ld2451", "noisy_line"): (None, 0.98, None, None, None, None),
    ("ld2451", "rain"): (None, 0.98, None, None, None, None),
    ("ld2451", "kerb_pole_30"): (0.97, 0.97, 0.99, 2.0, 3.0, None),
    ("ld2451", "kerb_pole_50"): (0.97, 0.97, 0.99, 2.0, 3.0, None),
    ("ld2451", "harsh"): (0.97, 0.97, None, 2.0, 3.0, None),
    ("ld2451", "dense_flow"): (0.94, 0.96, None, 2.0, 3.0, None),
    ("ld2451", "manoeuvres"): (0.90, 0.90, None, None, None, None),
    ("beam", "moderate"): (0.99, 0.99, 0.995, None, None, 0.05),
    ("beam", "noisy_line"): (0.99, 0.98, None, None, None, None),
    ("ld2450", "moderate"): (0.97, 0.98, None, None, None, None),
    ("ops243", "one_way"): (0.97, 0.97, None, 1.0, None, None),
}


@dataclass(frozen=True)
class Share:
    """hits of n, with its 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else 1.0

    @property
    def range(self) -> Range:
        return wilson(self.hits, self.n)

    def as_dict(self) -> dict[str, Any]:
        return {"value": round(self.value, 4), "range": [round(x, 4) for x in self.range],
                "n": self.n}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """recall: of the road users that passed. precision: of the counted passages. direction: right
    ones, of all passages that were seen. Speeds are in km/h, mean over the runs with its 95 %
    interval, None without speeds. by_chance: the recall of the same counts, moved by minutes.
    hours: of all runs, by direction (results/hours.py). The intervals are of the draw. The error
    of the model itself is not in them.
    """

    detector: str
    scenario: str
    title: str
    recall: Share
    precision: Share
    direction: Share
    classes: dict[str, dict[str, int]]
    mean_error: tuple[float, Range] | None
    v85_error: tuple[float, Range] | None
    violations: list[str]
    pairs: float = 0.0  # share of the road users with another one beside them
    by_chance: float = 0.0
    hours: list[hourly.Hour] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self.recall.n

    @property
    def counted(self) -> int:
        return self.precision.n

    @property
    def count_error(self) -> float | None:
        """Error of the total, in percent: misses and phantoms cancel in it. None if no road user
        passed."""
        return 100 * (self.counted / self.passed - 1) if self.passed else None

    def couples_missed(self, alone: float) -> Share:
        """Couples side by side that were counted as one, of all couples. `alone`: the recall of
        road users without another one beside them."""
        couples = round(self.passed * self.pairs / (1 + self.pairs))
        missed = max(0, round(self.passed * alone) - self.recall.hits)
        return Share(min(couples, missed), couples)

    @property
    def classed(self) -> Share:
        """With the right class, of the matched ones that were given a class. `unknown` is none."""
        rows = self.classes.items()
        given = sum(n for _, row in rows for counted, n in row.items() if counted != "unknown")
        return Share(sum(row.get(true, 0) for true, row in rows), given)

    @property
    def confused(self) -> Share:
        """Bicycles taken for pedestrians and the other way round, of both that were matched."""
        two = ("pedestrian", "bicycle")
        rows = [self.classes.get(one, {}) for one in two]
        wrong = rows[0].get("bicycle", 0) + rows[1].get("pedestrian", 0)
        return Share(wrong, sum(sum(row.values()) for row in rows))

    def shortfalls(self) -> list[str]:
        """Promised figures that do not hold, and violations that the checkers found."""
        name = f"{self.detector}, {self.scenario}"
        limits = PROMISED.get((self.detector, self.scenario), (None,) * 6)
        found = []
        shares = (
            ("recall", self.recall),
            ("precision", self.precision),
            ("direction", self.direction),
        )
        for (what, share), least in zip(shares, limits[:3], strict=True):
            if least is not None and share.value < least:
                found.append(f"{name}: {what} {share.value:.4f} is below the promised {least}")
        errors = ("mean speed", self.mean_error), ("v85", self.v85_error)
        for (what, error), most in zip(errors, limits[3:5], strict=True):
            if most is not None and (error is None or abs(error[0]) > most):
                size = "none" if error is None else f"{error[0]:+.2f} km/h"
                found.append(f"{name}: error of {what} {size}, promised at most {most} km/h")
        if limits[5] is not None and self.confused.value > limits[5]:
            found.append(
                f"{name}: {self.confused.value:.4f} confused, promised at most {limits[5]}"
            )
        return found + self.violations

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "detector": self.detector, "scenario": self.scenario, "title": self.title,
            "recall": self.recall.as_dict(), "precision": self.precision.as_dict(),
            "direction": self.direction.as_dict(), "classes": self.classes,
            "confused": self.confused.as_dict(), "classed": self.classed.as_dict(),
            "count_error_pct": self.count_error, "violations": self.violations,
            "recall_by_chance": round(self.by_chance, 4),
            "hours": hourly.errors(self.hours), "by_flow": hourly.by_flow(self.hours),
        }  # fmt: skip
        for name, error in (("mean_error", self.mean_error), ("v85_error", self.v85_error)):
            found[name] = error and {
                "value": round(error[0], 3),
                "range": [round(x, 3) for x in error[1]],
            }
        return found


def cell(detector: str, scenario: Scenario, runs: list[NodeResult]) -> Cell:
    """Add several runs up."""
    pairs = sum(run["matched"]["pairs"] for run in runs)
    wrong = sum(run["matched"]["direction_errors"] for run in runs)
    classes: dict[str, dict[str, int]] = {}
    for run in runs:
        for true, row in run["matched"]["classes"].items():
            into = classes.setdefault(true, {})
            for counted, n in row.items():
                into[counted] = into.get(counted, 0) + n
    return Cell(
        detector, scenario.name, scenario.title,
        Share(pairs, sum(total(run["truth"]) for run in runs)),
        Share(pairs, sum(total(run["noted"]) for run in runs)),
        Share(pairs, pairs + wrong), classes,
        _error(runs, "mean_error"), _error(runs, "v85_error"),
        [text for run in runs for text in run["violations"]],
        scenario.traffic.get("pairs", 0.0),
        fmean(run["matched"]["recall_by_chance"] for run in runs),
        [hour for run in runs for hour in run["hours"]],
    )  # fmt: skip


def _error(runs: list[NodeResult], name: str) -> tuple[float, Range] | None:
    values = [run["speed"][name] for run in runs if run["speed"]["n"]]
    return (sum(values) / len(values), mean_range(values)) if values else None


def free_flow_cell(cells: list[Cell], detector: str) -> Cell | None:
    """The cell of a detector in free traffic, if it is among these."""
    wanted = FREE_FLOW.get(detector, "moderate")
    found = [one for one in cells if (one.detector, one.scenario) == (detector, wanted)]
    return found[0] if found else None


def precision_losses(cells: list[Cell]) -> list[str]:
    """Detectors that lose more precision by noise than is promised, in the same traffic."""
    found = []
    for one in cells:
        free_flow = [c for c in cells if (c.detector, c.scenario) == (one.detector, "moderate")]
        if one.scenario in NOISE_SCENARIOS and free_flow:
            fall = free_flow[0].precision.value - one.precision.value
            if fall > PRECISION_LOSS_MAX:
                which = f"{one.detector}, {one.scenario}: precision falls by {fall:.4f}"
                found.append(f"{which}, promised at most {PRECISION_LOSS_MAX}")
    return found
