"""`tallypost replay`: a recording through the image of a board, and the passages that it counts.

The unmodified firmware runs in the simulator. The sensor's bytes come from the recording. Exit
status: 0 done, 1 the node failed, 2 wrong usage or a bad recording, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from simulator.run.checkers import records
from simulator.run.plans.plan import HOUR_US, NODE_KINDS, NodePlan, RunOptions, draw
from simulator.run.plans.sensors import SENSORS
from simulator.run.processes.node import Evidence, prepare, run_node
from simulator.run.results.trace_file import Trace, as_pulses, load
from simulator.world.protocol import Input
from tallypost.faults import ToolError
from tallypost.hardware import boards

BOARD = "esp32_generic"
START_US = 20_000_000  # the node is up and its sensor configured
AFTER_US = 960_000_000  # the next health report comes with the driver's counters
DETECTORS_BY_INPUT = {
    True: ("beam", "beam_single", "doppler", "pir_pair"),  # edges
    False: ("ld2451", "ld2450", "ops243"),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tallypost replay", description=__doc__)
    add = top.add_argument
    add(
        "trace",
        type=Path,
        metavar="TRACE",
        help="CSV: ms,hex bytes; or ms,pin (A, B, or its GPIO),level",
    )
    add("--detector", choices=sorted(SENSORS), help="that was recorded (default: from the file)")
    add(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="configuration of the node"
    )
    add("--json", action="store_true", help="print the result as JSON")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        trace = load(args.trace, boards.load(BOARD).beams)
        evidence = replay(trace, detector(trace, args.detector, args.trace), args.set)
    except ToolError as error:
        print(f"tallypost replay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    broken = records.violations(evidence)
    result = {"started": trace.started, **as_dict(evidence)}
    print(json.dumps(result)) if args.json else show(result)
    for text in broken:
        print(f"tallypost replay: {text}", file=sys.stderr)
    return 1 if broken else 0


def detector(trace: Trace, asked: str | None, path: Path) -> str:
    """The detector of a recording. Raises ToolError when it is not given, or does not fit."""
    name = asked or trace.detector
    fitting = DETECTORS_BY_INPUT[trace.edges]
    if name not in fitting:
        why = f"'{name}' does not fit" if name else "the file does not name its detector"
        raise ToolError(f"{path}: {why}", f"add --detector {' or '.join(fitting)}")
    return name


def replay(trace: Trace, name: str, changes: list[str]) -> Evidence:
    """Run the node on the recording. Raises ToolError."""
    kind = next(kind for kind, (of, link) in NODE_KINDS.items() if (of, link) == (name, "mqtt"))
    hours = (trace.length_us + START_US + AFTER_US) / HOUR_US
    plan = draw(RunOptions(hours=hours, nodes=kind, scenario="empty_night"))[0]
    came = trace.inputs
    if name == "doppler":
        came = as_pulses(came, boards.load(BOARD).beams[0])
    inputs = [(t_us + START_US, port, data) for t_us, port, data in came]
    plan = with_recording(plan, inputs, changes)
    with tempfile.TemporaryDirectory(prefix="tallypost-") as folder:
        evidence = run_node(plan, prepare([plan])[plan.board], Path(folder), Progress(hours).show)
    for line in evidence.observer.console:
        if "not usable: config: " in line:  # the node goes on with the defaults: not as asked for
            raise ToolError(line.partition("not usable: ")[2], "another value for --set")
    return evidence


def with_recording(plan: NodePlan, inputs: list[Input], changes: list[str]) -> NodePlan:
    """The plan with the recording instead of the street, and the configuration changed."""
    config = dict(plan.config)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise ToolError(f"--set {change}", "wanted KEY=VALUE, such as radar_mount_deg=20")
        config[key] = int(value) if value.lstrip("-").isdecimal() else value
    plan.config.clear()
    plan.config.update(config)
    plan.recording.extend(inputs)
    return plan


class Progress:
    """Progress of a long recording, on a terminal."""

    def __init__(self, hours: float) -> None:
        self._end_us = hours * HOUR_US

    def show(self, state: dict[str, int]) -> None:
        if sys.stderr.isatty():
            share = min(1.0, state["t_us"] / self._end_us)
            end = "\n" if share == 1.0 else ""
            print(f"\r{share:4.0%}, {state['counted']} passages", end=end, file=sys.stderr)


def as_dict(evidence: Evidence) -> dict[str, Any]:
    """Times in seconds of the recording. At these the node was sure of a passage."""
    return {
        "detector": evidence.plan.detector,
        "passages": [
            {
                "s": round((one.t_us - START_US) / 1e6, 1), "direction": one.direction,
                "class": one.cls, "kmh": round(one.kmh, 1) if one.kmh >= 0 else None,
            }
            for one in evidence.observer.passages
        ],
        "stats": evidence.health.get("detector", {}),
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    print(f"{'s':>9}  {'direction':9} {'class':10} {'km/h':>5}")
    for one in result["passages"]:
        kmh = "-" if one["kmh"] is None else f"{one['kmh']:.1f}"
        print(f"{one['s']:9.1f}  {one['direction']:9} {one['class']:10} {kmh:>5}")
    print(f"{len(result['passages'])} passages of {result['detector']}")
    print("counters: " + ", ".join(f"{key} {n}" for key, n in sorted(result["stats"].items())))


if __name__ == "__main__":
    sys.exit(main())
