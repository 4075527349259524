"""`make chip`: a board at a port through the whole list, and one table of figures.

Exit status: 0 every step passed or was skipped by name, 1 a step failed, 2 wrong usage or no
board.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from pathlib import Path

from tallypost.connection import transports
from tallypost.faults import ToolError
from tests.chip import report
from tests.chip.chip import Chip, Failed, Skipped
from tests.chip.report import FAIL, PASS, SKIP, Figures, Result
from tests.chip.steps import STEPS


def count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 .. 1000000")
    return value


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make chip", description=__doc__)
    add = top.add_argument
    transports.serial_options(top)
    transports.broker_options(top, None)
    add("--commands", type=count, default=1000, metavar="N", help="half of them over MQTT (1000)")
    add("--reconnects", type=count, default=50, metavar="N", help="connections taken away (50)")
    add(
        "--cut",
        metavar="COMMAND",
        help="a command line that cuts the board's power and restores it",
    )
    add("--cuts", type=count, default=3, metavar="N", help="how often it is run (3)")
    add("--radar", metavar="PORT", help="a port that is wired to the radar's line")
    add(
        "--trace",
        type=Path,
        metavar="FILE",
        help="a recording of `tallypost record` to feed there",
    )
    add("--wiring", type=Path, metavar="FILE", help="for the conformance checks")
    add("--scratch", metavar="LABEL", help="for the conformance checks")
    add("--only", metavar="STEP,STEP", help=f"some steps alone: {', '.join(STEPS)}")
    add("--seed", type=count, default=1, metavar="N", help="of the random commands (1)")
    add("--json", type=Path, metavar="FILE", help="write the results there")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        args.port = transports.serial_port(args)
        names = _names(args.only)
        chip = Chip(args, _tell)
        chip.started().close()
        results = [_run(name, chip) for name in names]
        date = datetime.date.today().isoformat()
        if args.json:
            report.write(args.json, args.port, date, results)
    except ToolError as error:
        print(f"make chip: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 2
    print(f"{args.port}, {date}")
    for line in report.table(results):
        print(line)
    return 1 if report.failed(results) else 0


def _names(only: str | None) -> list[str]:
    """The steps of this run. The identity is always needed."""
    wanted = [name.strip() for name in only.split(",")] if only else list(STEPS)
    for name in wanted:
        if name not in STEPS:
            raise ToolError(f"--only {name}: no such step", f"Known: {', '.join(STEPS)}")
    return [name for name in STEPS if name in wanted or name == "provision"]


def _run(name: str, chip: Chip) -> Result:
    _tell(name)
    step: Callable[[Chip], Figures] = STEPS[name]
    try:
        return Result(name, PASS, step(chip))
    except Skipped as reason:
        return Result(name, SKIP, {}, str(reason))
    except Failed as reason:
        return Result(name, FAIL, reason.figures, str(reason))
    except (ToolError, OSError) as error:
        return Result(name, FAIL, {}, str(error))


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
