"""What each assumption about the sensor does to the LD2451 on a lamp post.

The base is the scenario `harsh`. In each variant one of its manners is left out or doubled, or one
that it does not have is added. All else stays as it is, also the road users.
"""

from __future__ import annotations

from dataclasses import replace

from simulator.run.accuracy.cell import Cell
from simulator.run.plans.plan import NodePlan

BASE = "harsh"
DOUBLED_PRECISION_MIN = 0.93  # promised with one manner doubled
_MANNERS = {
    "angle": "angle_sd_deg", "distance": "distance_sd_m", "echo": "second_echo",
    "direction": "wrong_direction", "missed": "missed",
}  # fmt: skip
_ADDED = {"paired": 1.0, "rain_hz": 1.5, "clutter": 0.15, "outlier": 0.03}
# name -> fault, factor, sum
VARIANTS: dict[str, tuple[str, float, float]] = {
    BASE: ("missed", 1.0, 0.0),
    **{f"{name}_none": (fault, 0.0, 0.0) for name, fault in _MANNERS.items()},
    **{f"{name}_doubled": (fault, 2.0, 0.0) for name, fault in _MANNERS.items()},
    **{f"{fault}_added": (fault, 1.0, more) for fault, more in _ADDED.items()},
}


def varied(plan: NodePlan, variant: str) -> NodePlan:
    """The plan in a world that differs in one fault. It has a name of its own."""
    fault, factor, more = VARIANTS[variant]
    faults = {**plan.faults, fault: plan.faults.get(fault, 0.0) * factor + more}
    name = f"{variant.replace('_', '-')}-{plan.seed}"  # at most 32 characters
    return replace(plan, name=name, faults=faults)


def title(variant: str) -> str:
    """The fault of a variant and its change, one line."""
    fault, factor, more = VARIANTS[variant]
    if variant == BASE:
        return "as it is"
    return f"`{fault}` + {more:g}" if more else f"`{fault}` x {factor:g}"


def shortfalls(cells: list[Cell]) -> list[str]:
    """Doubled manners with less precision than is promised."""
    return [
        f"{one.scenario}: precision {one.precision.value:.4f} is below {DOUBLED_PRECISION_MIN}"
        for one in cells
        if one.scenario.endswith("_doubled") and one.precision.n
        if one.precision.value < DOUBLED_PRECISION_MIN
    ]
