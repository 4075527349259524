"""`tallypost calibrate`: a manual tally at the roadside against the counts of the node."""

from __future__ import annotations

import argparse
import math
from typing import Any

from tallypost import console
from tallypost.connection import transports
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import N_, _, decimal

DIRECTIONS = (N_("forward"), N_("backward"))
CLASSES = (N_("pedestrian"), N_("bicycle"), N_("car"), N_("heavy"), N_("unknown"))
_Z95 = 1.96  # standard deviations: 95 % of a normal distribution lie within
_MISS_RATE = 0.05
_LIMIT_MIN_PCT, _LIMIT_MAX_PCT = 1, 50  # as the node allows

Result = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.options(verb)
    add("--start", action="store_true", help=_("start; then count by hand"))
    add(
        "--tally", default="", metavar="FORWARD.CAR=12,...",
        help=_("stop, and compare with the numbers that you counted"),
    )  # fmt: skip
    add(
        "--limit", type=float, default=5, metavar=_("PERCENT"),
        help=_("largest error allowed, in percent (5)"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Start, or stop with a tally. Returns 1 for an error beyond the limit. Raises ToolError."""
    _check(args)
    body: dict[str, Any] = {"do": "start"}
    if not args.start:
        body = {"do": "stop", "tally": parse_tally(args.tally), "limit_pct": args.limit}
    with transports.open_node(args) as node:
        result = node.ask("calibrate", **body)
    if args.start:
        _show_start(args, node.name, result)
        return 0
    failing = failing_classes(result)
    if args.json:
        half_width = half_width_pct(tally_total(result))
        console.result_json({**result, "half_width_pct": half_width, "failing": failing})
    else:
        show(node.name, result, failing)
    return 0 if result["pass"] and not failing else 1


def _check(args: argparse.Namespace) -> None:
    """Raises ToolError for options that cannot be used."""
    if not args.start and not args.tally:
        raise ToolError(
            _("Neither --start nor --tally is given"),
            _("Run it with --start, count by hand, then run it with --tally."), USAGE,
        )  # fmt: skip
    if not _LIMIT_MIN_PCT <= args.limit <= _LIMIT_MAX_PCT:
        raise ToolError(
            _("--limit {limit} is not allowed").format(limit=f"{args.limit:g}"),
            _("Give a number from {least} to {most}.").format(
                least=_LIMIT_MIN_PCT, most=_LIMIT_MAX_PCT
            ), USAGE,
        )  # fmt: skip


def parse_tally(text: str) -> dict[str, dict[str, int]]:
    """`forward.car=12,backward.bicycle=3` as a tally. Raises ToolError."""
    tally: dict[str, dict[str, int]] = {direction: {} for direction in DIRECTIONS}
    for part in text.split(","):
        name, _equals, number = part.strip().partition("=")
        direction, _dot, cls = name.partition(".")
        if direction not in DIRECTIONS or cls not in CLASSES or not number.isdecimal():
            raise ToolError(
                _("--tally: '{part}' is no number of a class").format(part=part),
                _("Write DIRECTION.CLASS=NUMBER with the directions {directions} and the classes"
                  " {classes}.").format(
                    directions=", ".join(DIRECTIONS), classes=", ".join(CLASSES)
                ),
                USAGE,
            )  # fmt: skip
        tally[direction][cls] = int(number)
    return tally


def tally_total(result: Result) -> int:
    """The number of all tallied road users."""
    return sum(sum(classes.values()) for classes in result["tally"].values())


def half_width_pct(n: int) -> float:
    """Half of the 95 % interval of the error of `n` tallied road users, in percent.

    It is the error that chance alone makes when one of twenty is missed, independently of the
    others (Poisson).
    """
    return round(100 * _Z95 * math.sqrt(_MISS_RATE / n), 1)


def tally_min(limit_pct: float) -> int:
    """How many must be tallied so that the error by chance is within the limit."""
    return math.ceil(_MISS_RATE * (100 * _Z95 / limit_pct) ** 2)


def failing_classes(result: Result) -> list[str]:
    """The classes of a direction with an error beyond the limit by more than chance.

    The total does not show them: a class that is missed and a class that is counted in its place
    cancel out there.
    """
    return [
        name
        for name, error in result["error_pct"].items()
        if abs(error) > result["limit_pct"] + half_width_pct(_tallied(result, name))
    ]


def _tallied(result: Result, name: str) -> int:
    direction, _dot, cls = name.partition(".")
    n: int = result["tally"][direction][cls]
    return n


def _show_start(args: argparse.Namespace, node: str, result: Any) -> None:
    if args.json:
        console.result_json({"node": node, "result": result})
        return
    text = _("Started. Count by hand for at least {n} road users, then run: {command}")
    target = f"--node {args.node}" if args.node else f"--port {args.port}" if args.port else ""
    command = f"tallypost calibrate {target} --tally forward.car=...,backward.car=..."
    console.result(text.format(n=tally_min(args.limit), command=" ".join(command.split())))


def show(node: str, result: Result, failing: list[str]) -> None:
    """Print the table, the verdict, and the reasons for it."""
    columns = (
        _("direction"), _("class"), ">" + _("tally"), ">" + _("counted"), ">" + _("error %"),
        ">" + _("by chance %"), "",
    )  # fmt: skip
    title = _("Calibration of {node}").format(node=node)
    console.table(title, columns, _rows(result, failing))
    n, limit = tally_total(result), f"{result['limit_pct']:g}"
    if result["pass"] and not failing:
        text = _("pass: the total error is {error} %, the limit {limit} %. {n} road users were"
                 " tallied, chance alone makes +-{chance} %.")  # fmt: skip
    else:
        text = _("FAIL: the total error is {error} %, the limit {limit} %. {n} road users were"
                 " tallied, chance alone makes +-{chance} %.")  # fmt: skip
    error, chance = _signed(result["total_error_pct"]), decimal(half_width_pct(n), 1)
    console.result(text.format(error=error, limit=limit, n=n, chance=chance))
    if failing:
        text = _("Beyond the limit by more than chance: {classes}")
        console.note(text.format(classes=", ".join(sorted(failing))))
    if n < (needed := tally_min(result["limit_pct"])):
        text = _("For a limit of {limit} %, tally at least {n} road users.")
        console.note(text.format(limit=limit, n=needed))


def _rows(result: Result, failing: list[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for direction in DIRECTIONS:
        for cls in CLASSES:
            tallied, counted = result["tally"][direction][cls], result["counted"][direction][cls]
            if not tallied and not counted:
                continue
            name = f"{direction}.{cls}"
            error = result["error_pct"].get(name)
            rows.append((
                _(direction), _(cls), str(tallied), str(counted),
                "-" if error is None else _signed(error),
                f"+-{decimal(half_width_pct(tallied), 1)}" if tallied else "-",
                _("FAIL") if name in failing else "",
            ))  # fmt: skip
    return rows


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{decimal(abs(value), 1)}"
