"""`tallypost calibrate`: a manual tally at the roadside against what the node counts meanwhile."""

from __future__ import annotations

import argparse
import math
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.connection import transports

WAYS = ("forward", "backward")
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
_Z95 = 1.96


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.options(verb)
    add("--start", action="store_true", help="begin; then count by hand")
    add("--tally", default="", metavar="FORWARD.CAR=12,...", help="end, with what you counted")
    add("--limit", type=float, default=5, metavar="PERCENT", help="error that is allowed (5)")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Start, or stop with a tally; 1 if the limit is not kept; raises ToolError."""
    if not args.start and not args.tally:
        raise ToolError("neither --start nor --tally", "start, count by hand, then --tally", USAGE)
    body: dict[str, Any] = {"do": "start"}
    if not args.start:
        body = {"do": "stop", "tally": parse(args.tally), "limit_pct": args.limit}
    with transports.reach(args) as node:
        result = node.ask("calibrate", **body)
    if args.start:
        console.result(f"{node.name}: {result}")
        return 0
    wrong = failing(result)
    if args.json:
        console.result_json(
            {**result, "half_width_pct": half_width(tallied(result)), "failing": wrong}
        )
    else:
        show(node.name, result, wrong)
    return 0 if result["pass"] and not wrong else 1


def parse(text: str) -> dict[str, dict[str, int]]:
    """`forward.car=12,backward.bicycle=3` as a tally; raises ToolError."""
    tally: dict[str, dict[str, int]] = {way: {} for way in WAYS}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        way, _, cls = name.partition(".")
        if way not in WAYS or cls not in CLASSES or not number.isdecimal():
            raise ToolError(
                f"--tally: '{part}'",
                f"wanted DIRECTION.CLASS=NUMBER of {', '.join(WAYS)} and {', '.join(CLASSES)}",
                USAGE,
            )
        tally[way][cls] = int(number)
    return tally


def tallied(result: dict[str, Any]) -> int:
    return sum(sum(classes.values()) for classes in result["tally"].values())


def half_width(n: int) -> float:
    """How far the error of `n` tallied road users may be off by chance: half of the 95 % interval
    in percent, when misses come independently (Poisson), one in twenty."""
    return round(100 * _Z95 * math.sqrt(0.05 / n), 1)


def wanted(limit_pct: float) -> int:
    """How many must be tallied so that chance alone is within the limit."""
    return math.ceil(0.05 * (100 * _Z95 / limit_pct) ** 2)


def failing(result: dict[str, Any]) -> list[str]:
    """Classes of a direction whose error is beyond the limit by more than chance: in the total,
    one that is missed and one that is counted instead would cancel."""
    return [
        name
        for name, error in result["error_pct"].items()
        if abs(error) > result["limit_pct"] + half_width(_of(result, name))
    ]


def _of(result: dict[str, Any], name: str) -> int:
    way, _, cls = name.partition(".")
    n: int = result["tally"][way][cls]
    return n


def show(node: str, result: dict[str, Any], wrong: list[str]) -> None:
    rows = []
    for way in WAYS:
        for cls in CLASSES:
            passed, counted = result["tally"][way][cls], result["counted"][way][cls]
            if passed or counted:
                error = result["error_pct"].get(f"{way}.{cls}")
                shown = "-" if error is None else f"{error:+.1f}"
                chance = f"+-{half_width(passed)}" if passed else "-"
                verdict = "FAIL" if f"{way}.{cls}" in wrong else ""
                rows.append((way, cls, str(passed), str(counted), shown, chance, verdict))
    columns = ("direction", "class", ">tally", ">counted", ">error %", ">by chance", "")
    console.table(f"calibration of {node}", columns, rows)
    n, limit = tallied(result), result["limit_pct"]
    verdict = "pass" if result["pass"] and not wrong else "FAIL"
    console.result(
        f"{verdict}: all together {result['total_error_pct']:+.1f} %, limit {limit:g} %;"
        f" {n} tallied, by chance +-{half_width(n)} %"
    )
    if wrong:
        console.note(f"beyond the limit by more than chance: {', '.join(sorted(wrong))}")
    if n < wanted(limit):
        console.note(f"for a limit of {limit:g} % tally at least {wanted(limit)}")
