"""`make accuracy`: how well each detector counts in each traffic situation, against the truth.

The whole firmware runs every cell several times with other seeds. Single passages are matched
(results/scoring.py), so misses and phantoms cannot cancel. Exit status: 0 if every promised figure
holds, 1 if one does not, 2 for wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.run.accuracy import sensitivity, table
from simulator.run.accuracy.cell import Cell, cell, precision_losses
from simulator.run.accuracy.page import page
from simulator.run.accuracy.words import trust
from simulator.run.plans import scenario as scenarios
from simulator.run.plans.options import output, within
from simulator.run.plans.plan import NODE_KINDS, NodePlan, RunOptions, draw
from simulator.run.plans.rules import ScenarioError
from simulator.run.plans.scenario import Scenario
from simulator.run.plans.sensors import SENSORS
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import NodeResult
from tallypost.faults import ToolError

PAGE = Path(".build/accuracy.html")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make accuracy", description=__doc__)
    add = top.add_argument
    add("--detector", choices=sorted(SENSORS), help="only this one")
    add("--scenario", help="only this situation")
    add("--sensitivity", action="store_true", help="instead: what each assumption does")
    add("--seeds", type=within(1, 100), default=3, help="runs of a cell (3)")
    add("--hours", type=within(1, 240), default=2, help="of a run (2)")
    add("--json", type=output, metavar="FILE", help="write the figures")
    add("--markdown", type=output, metavar="FILE", help="insert the table, as in ACCURACY.md")
    add("--words", type=output, metavar="FILE", help="insert the table in words, as in TRUST.md")
    add("--page", type=output, default=PAGE, metavar="FILE", help=f"the picture ({PAGE})")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        if args.sensitivity:
            cells = run_sensitivity(args.seeds, args.hours)
        else:
            cells = run(matrix(args.detector, args.scenario), args.seeds, args.hours)
    except (ScenarioError, ToolError) as error:
        print(f"make accuracy: {error}", file=sys.stderr)
        return 2
    except NodeFailed as error:
        print(f"{error}\nmake accuracy: the simulator failed. To repeat it:", file=sys.stderr)
        print(again("" if args.sensitivity else error.node), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    about = {"seeds": args.seeds, "hours": args.hours}
    if args.json:
        whole = {**about, "simulated": True, "cells": [one.as_dict() for one in cells]}
        args.json.write_text(json.dumps(whole, indent=1) + "\n")
    if args.markdown:
        old = args.markdown.read_text() if args.markdown.exists() else ""
        text = table.markdown(cells, args.seeds, args.hours, flows=not args.sensitivity)
        args.markdown.write_text(table.insert_table(old, text))
    if args.words:
        old = args.words.read_text() if args.words.exists() else ""
        args.words.write_text(table.insert_table(old, trust(cells)))
    args.page.write_text(page(cells, args.seeds, args.hours))
    table.show(cells)
    print(f"The picture is in {args.page}.")
    shortfalls = [text for one in cells for text in one.shortfalls()] + precision_losses(cells)
    shortfalls += sensitivity.shortfalls(cells) if args.sensitivity else []
    for text in shortfalls:
        print(f"Not as promised: {text}")
    return 1 if shortfalls else 0


def again(node: str) -> str:
    """The command that repeats the cell of a node, or all variants."""
    if not node:
        return "make accuracy SENSITIVITY=1"
    detector, _, rest = node.partition("-")
    scenario = rest.rpartition("-")[0].replace("-", "_")
    return f"make accuracy DETECTOR={detector} SCENARIO={scenario}"


def matrix(detector: str | None, scenario: str | None) -> list[tuple[str, str]]:
    """(detector, scenario) of every cell. Raises ScenarioError when nothing is left."""
    loaded = [scenarios.load(name) for name in scenarios.names()]
    found = [
        (kind, one.name)
        for kind, sensor in SENSORS.items()
        for one in loaded
        if (sensor.place in one.places or (sensor.on_pole and "pole" in one.places))
        and (not one.faults or sensor.faults in one.faults)
        and (not sensor.situations or one.name in sensor.situations)
        and detector in (None, kind)
        and scenario in (None, one.name)
    ]
    if not found:
        fit = sorted(one.name for one in loaded if one.places)
        raise ScenarioError(
            f"scenario '{scenario}' is not a situation of {detector or 'any detector'};"
            f" there are: {', '.join(fit)}"
        )
    return found


def run(wanted: list[tuple[str, str]], seeds: int, hours: int) -> list[Cell]:
    """Run the cells. Raises ToolError, NodeFailed."""
    return run_plans(
        [
            (detector, scenarios.load(name), _plans(detector, name, seeds, hours))
            for detector, name in wanted
        ]
    )


def run_sensitivity(seeds: int, hours: int) -> list[Cell]:
    """Run the variants of the world of a lamp post. Raises ToolError, NodeFailed."""
    base = scenarios.load(sensitivity.BASE)
    plans = _plans("ld2451", base.name, seeds, hours)
    return run_plans(
        [
            (
                "ld2451",
                replace(base, name=name, title=sensitivity.title(name)),
                [sensitivity.varied(p, name) for p in plans],
            )
            for name in sensitivity.VARIANTS
        ]
    )


def _plans(detector: str, name: str, seeds: int, hours: int) -> list[NodePlan]:
    return [cell_plan(detector, name, seed, hours) for seed in range(1, seeds + 1)]


def run_plans(wanted: list[tuple[str, Scenario, list[NodePlan]]]) -> list[Cell]:
    """A cell for each detector and situation with its plans. Raises ToolError, NodeFailed."""
    flat = [plan for _, _, several in wanted for plan in several]
    done = 0

    def over(name: str, _result: NodeResult) -> None:
        nonlocal done
        done += 1
        print(f"{done}/{len(flat)} {name}", file=sys.stderr, flush=True)
        for path in folder.glob(f"{name}.*"):
            path.unlink()

    with tempfile.TemporaryDirectory(prefix="tallypost-") as text:
        folder = Path(text)
        results = run_all(flat, prepare(flat), folder, lambda _name, _state: None, over)
    by_name: dict[str, dict[str, Any]] = {one["node"]: one for one in results}
    return [
        cell(detector, scenario, [by_name[plan.name] for plan in several])
        for detector, scenario, several in wanted
    ]


def cell_plan(detector: str, name: str, seed: int, hours: int) -> NodePlan:
    kind = next(
        kind for kind, (of, link) in NODE_KINDS.items() if (of, link) == (detector, "mqtt")
    )
    plan = draw(RunOptions(hours=hours, seed=seed, nodes=kind, scenario=name))[0]
    return replace(plan, name=f"{detector}-{name.replace('_', '-')}-{seed}")


if __name__ == "__main__":
    sys.exit(main())
