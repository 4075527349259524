"""`make crowd`: how many walkers of a busy pavement each path detector counts.

The whole firmware runs at each flow and share of groups. Exit status: 0, 1 if a run violates a
check, 2 for wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from simulator.run.accuracy.table import insert_table
from simulator.run.crowd import curve
from simulator.run.plans.options import output, within
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import NodeResult
from tallypost.faults import ToolError

SEED = 21  # none of the accuracy table's


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make crowd", description=__doc__)
    add = top.add_argument
    add("--detector", choices=sorted(curve.DETECTORS), help="only this one")
    add("--hours", type=within(1, 24), default=2, help="of a run (2)")
    add("--seed", type=within(0, 2**32), default=SEED, help=f"of all runs ({SEED})")
    add("--table", type=output, metavar="FILE", help="write the table of tallypost report")
    add("--markdown", type=output, metavar="FILE", help="insert the table, as in CROWD.md")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    detectors = (args.detector,) if args.detector else curve.DETECTORS
    try:
        points, violations = measure(detectors, args.seed, args.hours)
    except ToolError as error:
        print(f"make crowd: {error}", file=sys.stderr)
        return 2
    except NodeFailed as error:
        print(f"{error}\nmake crowd: the simulator failed.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    text = curve.markdown(points, args.hours)
    if args.table:
        args.table.write_text(curve.toml(points, args.hours))
    if args.markdown:
        old = args.markdown.read_text() if args.markdown.exists() else ""
        args.markdown.write_text(insert_table(old, text))
    print(text)
    for violation in violations:
        print(f"Violation: {violation}")
    return 1 if violations else 0


def measure(
    detectors: tuple[str, ...], seed: int, hours: int
) -> tuple[list[curve.Point], list[str]]:
    """All points, and what the checks of the runs found. Raises ToolError, NodeFailed."""
    wanted = [
        (detector, groups, curve.plan(detector, flow, groups, seed=seed, hours=hours))
        for detector in detectors
        for groups in curve.GROUPS
        for flow in curve.FLOWS
    ]
    plans = [plan for _, _, plan in wanted]

    def over(name: str, _result: NodeResult) -> None:
        print(name, file=sys.stderr, flush=True)
        for path in Path(folder).glob(f"{name}.*"):
            path.unlink()

    with tempfile.TemporaryDirectory(prefix="tallypost-") as folder:
        results = run_all(plans, prepare(plans), Path(folder), lambda _name, _state: None, over)
    by_name = {one["node"]: one for one in results}
    points = [curve.point(d, groups, by_name[p.name], hours) for d, groups, p in wanted]
    return points, [text for one in results for text in one["violations"]]


if __name__ == "__main__":
    sys.exit(main())
