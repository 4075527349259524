"""`make fuzz`: random storms, each from a seed, each followed by calm in which everything must
drain. Exit status: 0 only if nothing was violated; 1 if something was, the last line is then the
command that gives that storm again; 2 for wrong usage; 130 interrupted."""

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

CALM_ONE_IN = 2  # storms, of those without power cuts, that are compared with their calm


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    add = top.add_argument
    add("--n", type=within(1, 100_000), default=20, help="storms (20)")
    add("--seed", type=within(0, 2**32 - 1), default=1, help="of the first; the others follow (1)")
    add("--json", type=output, metavar="FILE", help="write the result")
    add("--trace", type=output, metavar="FILE", help="of one storm: everything that happened")
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
        print(f"{error}\nthe simulator failed\nagain: {again(error.node)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{len(seeds)} storms, {result['simulated_h']:.0f} h simulated in"
        f" {result['wall_s']:.0f} s, {result['compared']} compared with their calm:"
        f" {result['passages']:,} passages, {result['intervals']:,} intervals,"
        f" {result['power_cuts']} power cuts, {result['violated']} storms with violations"
    )
    for text in result["violations"][:20]:
        print(f"VIOLATION {text}")
    if result["violations"]:
        print(f"again: {again(result['violations'][0].partition(':')[0])}")
    return 1 if result["violations"] else 0


def again(node: str) -> str:
    """The command that gives a node's storm again; its calm comes with it."""
    return f"make fuzz N=1 SEED={node.split('-')[1]}"


def compared(plan: NodePlan) -> bool:
    """Whether this storm is held against its calm: nothing but a start may cost a passage."""
    starts = plan.power_cuts or plan.rtc_steps
    return bool(plan.passages and not starts and plan.seed % CALM_ONE_IN == 0)


def run(storms: list[NodePlan]) -> dict[str, Any]:
    """Run storms; raises ToolError, NodeFailed."""
    began = time.monotonic()
    twins = [fault_free_plan(plan) for plan in storms if compared(plan)]
    with tempfile.TemporaryDirectory(prefix="tallypost-") as text:
        folder = Path(text)
        progress = Progress(storms + twins, folder)
        ran = run_all(storms + twins, prepare(storms), folder, progress.show, progress.done)
    nodes = {node["node"]: node for node in ran}
    for twin in twins:
        _compare(nodes[twin.name.removesuffix("-calm")], nodes[twin.name])
    stormy = [nodes[plan.name] for plan in storms]
    return {
        "wall_s": round(time.monotonic() - began, 1),
        "simulated_h": round(sum(plan.hours for plan in storms), 2),
        "passages": sum(total(node["truth"]) for node in stormy),
        "intervals": sum(node["intervals"]["closed"] for node in stormy),
        "power_cuts": sum(node["power_cuts"] for node in stormy),
        "compared": len(twins),
        "violated": sum(bool(node["violations"]) for node in stormy),
        "violations": [text for node in ran for text in node["violations"]],
        "storms": [{"summary": p.summary(), **nodes[p.name]} for p in storms],
    }


def _compare(node: NodeResult, quiet: NodeResult) -> None:
    """A storm of the network costs no passage: each way as many are counted as in the calm."""
    here, there = _by_direction(node), _by_direction(quiet)
    if here != there:
        node["violations"].append(f"{node['node']}: counted {here}, without the storm {there}")


def _by_direction(node: NodeResult) -> dict[str, int]:
    """Of passages, not of closed intervals: these end elsewhere when the clock steps. Without the
    classes: an edge that a light barrier sees while a sector of the log is erased is noted late,
    and when that is depends on what was sent."""
    return {direction: sum(classes.values()) for direction, classes in node["noted"].items()}


class Progress:
    """A line for every storm that is over; its files are no longer needed."""

    def __init__(self, plans: list[NodePlan], folder: Path) -> None:
        self._plans = {plan.name: plan for plan in plans}
        self._folder = folder
        self._done = 0

    def show(self, _name: str, _state: dict[str, int]) -> None:
        """How far a storm is does not matter: it takes seconds."""

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
