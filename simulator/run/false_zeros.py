"""`make zeros`: looks for false zeros of a radar on a lamp post.

A false zero is an interval with full coverage and no reason in which a direction has no count,
though at least five road users passed. The whole firmware runs in each situation, with one seed
after the other, until so many intervals are closed. Exit status: 0 if there is no false zero and
no violation, 1 if there is one, 2 for wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.plans.options import output, within
from simulator.run.plans.plan import NodePlan
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import NodeResult
from simulator.world.streets.mount import Mount
from tallypost.faults import ToolError

HOURS = 4
INTERVALS = 16  # of a quarter of an hour
SEED = 1001  # none of the accuracy table's
POLE = Mount(line_m=20, lanes=(3.25, 6.75), height_m=3.5, lobe_deg=20)


@dataclass(frozen=True)
class Situation:
    """A scenario, and how the radar hangs or fails there. covered: from this second on it sees
    nothing and answers."""

    scenario: str
    mount: Mount | None = None  # the scenario's own
    faults: dict[str, float] = field(default_factory=dict)


FAR_LANE = replace(POLE, lanes=(3.25, 25.0))  # no lobe reaches it
LINE_OUTSIDE = replace(POLE, line_m=5.0, lanes=(3.25, 12.0))
SITUATIONS = {
    "kerb-30": Situation("kerb_pole_30"),
    "kerb-50": Situation("kerb_pole_50"),
    "harsh": Situation("harsh"),
    "manoeuvres": Situation("manoeuvres"),
    "night-rain": Situation("night_rain"),
    "near-line": Situation("kerb_pole_30", replace(POLE, line_m=8.0)),
    "far-lane": Situation("kerb_pole_30", FAR_LANE),
    "far-lane-harsh": Situation("harsh", FAR_LANE),
    "line-outside": Situation("kerb_pole_30", LINE_OUTSIDE),
    "line-outside-harsh": Situation("harsh", LINE_OUTSIDE),
    "covered": Situation("kerb_pole_30", faults={"covered": 5000.0}),
    "covered-always": Situation("kerb_pole_50", faults={"covered": 0.0}),
    "turned-far": Situation("harsh", faults={"turned": 45.0}),
    "branch": Situation("harsh", faults={"branch": 4000.0}),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make zeros", description=__doc__)
    add = top.add_argument
    add("--n", type=within(1, 100_000), default=200, help="intervals (200)")
    add("--seed", type=within(0, 2**32 - 1), default=SEED, help=f"the first one ({SEED})")
    add("--json", type=output, metavar="FILE", help="write the figures")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        found = run(plans(args.n, args.seed))
    except ToolError as error:
        print(f"make zeros: {error}", file=sys.stderr)
        return 2
    except NodeFailed as error:
        print(f"{error}\nmake zeros: the simulator failed at {error.node}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, one in found["situations"].items():
        print(
            f"{name:20} {one['intervals']:5} intervals, {one['passed']:6,} passed,"
            f" {one['counted']:6,} counted, observed {one['observed_share']:.0%},"
            f" {one['false_zeros']} false zeros"
        )
    print(f"{found['intervals']} intervals, {found['false_zeros']} false zeros (simulated)")
    for text in found["violations"]:
        print(f"Violation: {text}")
    return 1 if found["false_zeros"] or found["violations"] else 0


def plans(intervals: int, seed: int) -> list[NodePlan]:
    """One run after the other, a situation each, until they close so many intervals."""
    found: list[NodePlan] = []
    while len(found) * INTERVALS < intervals:
        number, at = divmod(len(found), len(SITUATIONS))
        found.append(situation_plan(list(SITUATIONS)[at], seed + number))
    return found


def situation_plan(name: str, seed: int) -> NodePlan:
    one = SITUATIONS[name]
    plan = cell_plan("ld2451", one.scenario, seed, HOURS)
    mount = one.mount or plan.mount
    config = {**plan.config, "radar_line_m": round(mount.line_m)}
    return replace(
        plan, name=f"{name}-{seed}", mount=mount, config=config,
        faults={**plan.faults, **one.faults},
    )  # fmt: skip


def run(wanted: list[NodePlan]) -> dict[str, Any]:
    """Run the plans and add them up by situation. Raises ToolError, NodeFailed."""
    done = 0

    def over(name: str, _result: NodeResult) -> None:
        nonlocal done
        done += 1
        print(f"{done}/{len(wanted)} {name}", file=sys.stderr, flush=True)
        for path in folder.glob(f"{name}.*"):
            path.unlink()

    with tempfile.TemporaryDirectory(prefix="tallypost-") as text:
        folder = Path(text)
        results = run_all(wanted, prepare(wanted), folder, lambda _name, _state: None, over)
    situations: dict[str, list[NodeResult]] = {}
    for one in results:
        situations.setdefault(one["node"].rpartition("-")[0], []).append(one)
    added = {name: _added(several) for name, several in situations.items()}
    return {
        "simulated": True,
        "intervals": sum(one["intervals"] for one in added.values()),
        "false_zeros": sum(one["false_zeros"] for one in added.values()),
        "situations": added,
        "violations": [text for one in results for text in one["violations"]],
    }


def _added(results: list[NodeResult]) -> dict[str, Any]:
    sides = [side for one in results for side in one["directions"].values()]
    return {
        "intervals": sum(one["intervals"]["closed"] for one in results),
        "observed_share": round(sum(side["observed_share"] for side in sides) / len(sides), 4),
        **{key: sum(side[key] for side in sides) for key in ("passed", "counted", "false_zeros")},
    }


if __name__ == "__main__":
    sys.exit(main())
