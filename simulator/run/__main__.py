"""`make sim`: a street, nodes, a broker, a backend.

Exit status: 0 only if nothing was lost, doubled or violated, 1 if something was, 2 for wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.run.plans import plan as plans
from simulator.run.plans import scenario as scenarios
from simulator.run.plans.options import broker_address, output, within
from simulator.run.plans.plan import LIVE_PORT, BrokerAddress, RunOptions
from simulator.run.plans.rules import ScenarioError
from simulator.run.processes.live import live_broker
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import whole
from simulator.run.results.screen import Screen, print_result
from tallypost.faults import ToolError


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a number of hours, such as 24 or 0.5"
        ) from None
    if not 0.01 <= value <= 2160:
        raise argparse.ArgumentTypeError(f"{text} is not within 0.01 .. 2160")
    return value


def _nodes(text: str) -> str:
    try:
        plans.node_kinds(text)
    except ScenarioError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make sim", description=__doc__)
    add = top.add_argument
    add("--hours", type=_hours, metavar="H", help="simulated hours (24, or the scenario's)")
    add("--seed", type=within(0, 2**32 - 1), default=1, help="of all random numbers (1)")
    add("--nodes", type=_nodes, default="2", help="number, or kinds such as lorawan:20,beam (2)")
    add("--scenario", default="moderate", help="a file of simulator/scenarios (moderate)")
    add("--broker", type=broker_address, metavar="HOST:PORT", help="relay to a real MQTT broker")
    add("--live", action="store_true", help="run in real time with a broker to watch (1 hour)")
    add("--port", type=within(1, 65535), default=LIVE_PORT, help=f"of that broker ({LIVE_PORT})")
    add("--json", type=output, metavar="FILE", help="write the result")
    add("--trace", type=output, metavar="FILE", help="write all events")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        options = _options(args)
        result = run(options)
    except (ScenarioError, ToolError) as error:
        print(f"make sim: {error}", file=sys.stderr)
        return 2
    except NodeFailed as error:
        print(f"{error}\nmake sim: the simulator failed. To repeat this run:", file=sys.stderr)
        print(options.command(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print_result(result)
    if result["violations"]:
        print(f"To repeat this run:\n{options.command()}")
    return 1 if result["violations"] else 0


def _options(args: argparse.Namespace) -> RunOptions:
    """The options of the command line. Raises ScenarioError."""
    hours = args.hours or (1.0 if args.live else scenarios.load(args.scenario).hours)
    return RunOptions(
        hours, args.seed, args.nodes, args.scenario, args.broker, args.live, args.port, args.trace
    )


def run(options: RunOptions) -> dict[str, Any]:
    """Run the nodes and return the result. Raises ScenarioError, ToolError, NodeFailed."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallypost-")))
        broker_address = options.broker
        if options.live and not broker_address:
            broker_address = stack.enter_context(live_broker(options.port))
        root = _root(broker_address)
        drawn = plans.draw(replace(options, broker=broker_address), root)
        if broker_address:
            watch = (
                f"mosquitto_sub -h {broker_address.host} -p {broker_address.port} -v -t '{root}/#'"
            )
            print(f"To watch the messages: {watch}", file=sys.stderr)
        screen = stack.enter_context(Screen(options, drawn))
        nodes = run_all(drawn, prepare(drawn), folder, screen.show)
    if options.trace:
        _join(options.trace, [plan.trace for plan in drawn if plan.trace])
    return whole(options, nodes, time.monotonic() - began)


def _root(broker_address: BrokerAddress | None) -> str:
    """Root of the topics. At a real broker it is one that no other run uses."""
    return f"tallypost/sim-{secrets.token_hex(3)}" if broker_address else plans.ROOT_TOPIC


def _join(path: Path, parts: list[Path]) -> None:
    """Join the traces of the nodes, one after the other."""
    with open(path, "wb") as out:
        for part in parts:
            out.write(part.read_bytes())
            part.unlink()


if __name__ == "__main__":
    sys.exit(main())
