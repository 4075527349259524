"""`make fuzz`: random fault schedules, each drawn from a seed.

Faults end after three quarters of a run. Then every closed interval must arrive. Exit status: 0
only if nothing was violated, 1 if something was, 2 for wrong usage, 130 interrupted. After a
violation the last line is the command that repeats that schedule.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from simulator.run.plans.fault_schedule import fault_free_plan, faulty_plan
from simulator.run.plans.options import output, within
from simulator.run.plans.plan import NodePlan
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import NodeResult, total
from tallypost.faults import ToolError

COMPARED_ONE_IN = 2  # of the schedules without power cuts


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    add = top.add_argument
    add("--n", type=within(1, 100_000), default=20, help="fault schedules (20)")
    add(
        "--seed",
        type=within(0, 2**32 - 1),
        default=1,
        help="of the first one, the others follow (1)",
    )
    add("--json", type=output, metavar="FILE", help="write the result")
    add("--trace", type=output, metavar="FILE", help="write all events of one schedule")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    seeds = range(args.seed, args.seed + args.n)
    try:
        result = run([faulty_plan(seed, args.trace if args.n == 1 else None) for seed in seeds])
    except ToolError as error:
        print(f"make fuzz: {error}", file=sys.stderr)
        return 2
    except NodeFailed as error:
        print(f"{error}\nmake fuzz: the simulator failed. To repeat it:", file=sys.stderr)
        print(again(error.node), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{len(seeds)} fault schedules, {result['simulated_h']:.0f} h simulated in"
        f" {result['wall_s']:.0f} s, {result['compared']} compared with a run without faults:"
        f" {result['passages']:,} passages, {result['intervals']:,} intervals,"
        f" {result['power_cuts']} power cuts, {result['violated']} schedules with violations"
    )
    for text in result["violations"][:20]:
        print(f"Violation: {text}")
    if result["violations"]:
        print(f"To repeat it:\n{again(result['violations'][0].partition(':')[0])}")
    return 1 if result["violations"] else 0


def again(node: str) -> str:
    """The command that repeats a node's fault schedule. It repeats the fault-free twin, too."""
    return f"make fuzz N=1 SEED={node.split('-')[1]}"


def compared(plan: NodePlan) -> bool:
    """Whether a schedule is compared with its fault-free twin: only a start may cost a passage."""
    starts = plan.power_cuts or plan.rtc_steps or plan.ring_dead
    return bool(plan.passages and not starts and plan.seed % COMPARED_ONE_IN == 0)


def run(schedules: list[NodePlan]) -> dict[str, Any]:
    """Run the schedules. Raises ToolError, NodeFailed."""
    began = time.monotonic()
    twins = [fault_free_plan(plan) for plan in schedules if compared(plan)]
    with tempfile.TemporaryDirectory(prefix="tallypost-") as text:
        folder = Path(text)
        progress = Progress(schedules + twins, folder)
        ran = run_all(schedules + twins, prepare(schedules), folder, progress.show, progress.done)
    nodes = {node["node"]: node for node in ran}
    for twin in twins:
        _compare(nodes[twin.name.removesuffix("-calm")], nodes[twin.name])
    faulty = [nodes[plan.name] for plan in schedules]
    return {
        "wall_s": round(time.monotonic() - began, 1),
        "simulated_h": round(sum(plan.hours for plan in schedules), 2),
        "passages": sum(total(node["truth"]) for node in faulty),
        "intervals": sum(node["intervals"]["closed"] for node in faulty),
        "power_cuts": sum(node["power_cuts"] for node in faulty),
        "compared": len(twins),
        "violated": sum(bool(node["violations"]) for node in faulty),
        "violations": [text for node in ran for text in node["violations"]],
        "storms": [{"summary": p.summary(), **nodes[p.name]} for p in schedules],
    }


def _compare(node: NodeResult, quiet: NodeResult) -> None:
    """Network faults cost no passage: each direction has as many as without faults."""
    here, there = _by_direction(node), _by_direction(quiet)
    if here != there:
        node["violations"].append(f"{node['node']}: counted {here}, without faults {there}")


def _by_direction(node: NodeResult) -> dict[str, int]:
    """Passages noted in each direction.

    Passages are compared, not closed intervals, because these end elsewhere when the clock steps.
    Classes are left out: a light barrier's edge that comes while a sector of the log is erased is
    noted late, and the time of the erase depends on the messages sent.
    """
    return {direction: sum(classes.values()) for direction, classes in node["noted"].items()}


class Progress:
    """Prints a line for every schedule that is over, and deletes its files."""

    def __init__(self, plans: list[NodePlan], folder: Path) -> None:
        self._plans = {plan.name: plan for plan in plans}
        self._folder = folder
        self._done = 0

    def show(self, _name: str, _state: dict[str, int]) -> None:
        """A schedule takes seconds, so its progress is not shown."""

    def done(self, name: str, node: NodeResult) -> None:
        self._done += 1
        verdict = f"{len(node['violations'])} VIOLATIONS" if node["violations"] else "ok"
        print(
            f"{self._done}/{len(self._plans)} {verdict}: {self._plans[name].summary()}",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        for path in self._folder.glob(f"{name}.*"):
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
