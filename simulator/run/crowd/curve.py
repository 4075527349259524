"""The crowd curve: true against counted walkers, by flow and by the share of them in groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.plans.plan import NodePlan
from simulator.run.plans.sensors import SENSORS
from simulator.run.results.report import NodeResult, total

BASE = "pavement"
FLOWS = (150, 500, 1000, 1500)  # walkers an hour, both directions
GROUPS = (0.0, 0.3, 0.6)  # share of the walkers that is in a group
# Groups of two to six, of all groups: as in the scenario `pavement`.
SIZES = (0.18, 0.045, 0.02, 0.01, 0.005)
DETECTORS = tuple(name for name, sensor in SENSORS.items() if sensor.place == "beam")


@dataclass(frozen=True)
class Point:
    """One detector at one flow. passed, counted: an hour, both directions."""

    detector: str
    groups: float
    passed: float
    counted: float

    @property
    def factor(self) -> float:
        return self.passed / self.counted if self.counted else 1.0


def sizes(groups: float) -> list[float]:
    """Shares of groups of one, two ... six, so that this share of the walkers is in company."""
    in_company = sum(n * share for n, share in enumerate(SIZES, 2))
    weights = [1 - groups, *(groups * share / in_company for share in SIZES)]
    return [one / sum(weights) for one in weights]


def plan(detector: str, flow: float, groups: float, *, seed: int, hours: int) -> NodePlan:
    """Walkers alone, in both directions alike."""
    base = cell_plan(detector, BASE, seed, hours)
    traffic = replace(
        base.traffic, mix={"pedestrian": 1.0}, groups=sizes(groups),
        flow={"forward": [flow / 2], "backward": [flow / 2]},
    )  # fmt: skip
    name = f"{detector.replace('_', '-')}-{flow:g}-{round(100 * groups)}-{seed}"
    return replace(base, name=name, traffic=traffic)


def point(detector: str, groups: float, result: NodeResult, hours: int) -> Point:
    passed, noted = (total(result[key]) / hours for key in ("truth", "noted"))
    return Point(detector, groups, passed, noted)


def toml(points: list[Point], hours: int) -> str:
    """For `tallypost report --crowd`: by detector and share of groups the counts an hour, and the
    factor from there to the true number."""
    lines = [
        "# Written by `make crowd TABLE=`. Simulated. Counts an hour of both directions, and the",
        f"# factor from a count to the walkers that passed. {hours} h a point.",
    ]
    for detector in dict.fromkeys(one.detector for one in points):
        for groups in GROUPS:
            row = [one for one in points if (one.detector, one.groups) == (detector, groups)]
            row.sort(key=lambda one: one.counted)
            lines += ["", f"[[{detector}]]", f"groups = {groups}"]
            lines.append(f"counted = [{', '.join(f'{one.counted:.0f}' for one in row)}]")
            lines.append(f"factor = [{', '.join(f'{one.factor:.3f}' for one in row)}]")
    return "\n".join(lines) + "\n"


def markdown(points: list[Point], hours: int) -> str:
    """A row for each detector and share of groups, a column for each flow."""
    head = ["detector", "in groups", *(f"{flow} an hour" for flow in FLOWS)]
    lines = [f"{hours} h a point, one seed. Counted share of the walkers that passed.", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for detector in dict.fromkeys(one.detector for one in points):
        for groups in GROUPS:
            row = [one for one in points if (one.detector, one.groups) == (detector, groups)]
            shares = [f"{1 / one.factor:.2f}" for one in sorted(row, key=lambda one: one.passed)]
            lines.append(f"| {detector} | {100 * groups:.0f} % | {' | '.join(shares)} |")
    return "\n".join(lines)
