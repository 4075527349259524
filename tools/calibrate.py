"""`tallypost calibrate`: a manual tally at the roadside against what the node counts meanwhile."""

from __future__ import annotations

import argparse
import json
import math
import secrets
import time
from pathlib import Path
from typing import Any

from tools import console
from tools.collector import Answer
from tools.faults import USAGE, ToolError
from tools.listen import Listener

WAYS = ("forward", "backward")
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
_WAIT_S = 15.0
_Z95 = 1.96


class Asker:
    """Stands where the collector of a Listener is: waits for the reply to one command."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.id = secrets.token_hex(4)
        self.reply: dict[str, Any] | None = None

    def on_message(self, topic: str, payload: bytes, _now: float) -> list[Answer]:
        try:
            body = json.loads(payload)
        except ValueError:
            return []
        if topic == self.topic and isinstance(body, dict) and body.get("id") == self.id:
            self.reply = body
        return []


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--node", required=True)
    add("--start", action="store_true", help="begin; then count by hand")
    add("--tally", default="", metavar="FORWARD.CAR=12,...", help="end, with what you counted")
    add("--limit", type=float, default=5, metavar="PERCENT", help="error that is allowed (5)")
    add("--host", default="localhost", help="the broker (localhost)")
    add("--port", type=int, default=1883)
    add("--root", default="tallypost/v1", help="root of the topics (tallypost/v1)")
    add("--user", default="")
    add("--password-file", type=Path, metavar="FILE")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Start, or stop with a tally; 1 if the limit is not kept; raises ToolError."""
    if not args.start and not args.tally:
        raise ToolError("neither --start nor --tally", "start, count by hand, then --tally", USAGE)
    body: dict[str, Any] = {"do": "start"}
    if not args.start:
        body = {"do": "stop", "tally": parse(args.tally), "limit_pct": args.limit}
    result = ask(args, {"cmd": "calibrate", **body})
    if args.start:
        console.result(f"{args.node}: {result}")
        return 0
    if args.json:
        console.result_json({**result, "half_width_pct": half_width(tallied(result))})
    else:
        show(args.node, result)
    return 0 if result["pass"] else 1


def ask(args: argparse.Namespace, command: dict[str, Any]) -> Any:
    """Send a command to the node and wait for its answer; raises ToolError."""
    base = f"{args.root}/{args.node}"
    asker = Asker(f"{base}/reply")
    listener = Listener(asker, [asker.topic], "")
    if args.user:
        password = args.password_file.read_text().strip() if args.password_file else None
        listener.client.username_pw_set(args.user, password)
    listener.connect(args.host, args.port)
    listener.client.publish(f"{base}/cmd", json.dumps({"id": asker.id, **command}), 1)
    until = time.monotonic() + _WAIT_S
    while asker.reply is None:
        if time.monotonic() > until:
            raise ToolError(f"{args.node} does not answer", f"is it online? {base}/status says")
        listener.loop(0.2)
    if not asker.reply.get("ok"):
        raise ToolError(f"{args.node}: {asker.reply.get('error')}")
    return asker.reply["result"]


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


def show(node: str, result: dict[str, Any]) -> None:
    rows = []
    for way in WAYS:
        for cls in CLASSES:
            passed, counted = result["tally"][way][cls], result["counted"][way][cls]
            if passed or counted:
                error = result["error_pct"].get(f"{way}.{cls}")
                shown = "-" if error is None else f"{error:+.1f}"
                rows.append((way, cls, str(passed), str(counted), shown))
    columns = ("direction", "class", ">tally", ">counted", ">error %")
    console.table(f"calibration of {node}", columns, rows)
    n, limit = tallied(result), result["limit_pct"]
    verdict = "pass" if result["pass"] else "FAIL"
    console.result(
        f"{verdict}: all together {result['total_error_pct']:+.1f} %, limit {limit:g} %;"
        f" {n} tallied, by chance +-{half_width(n)} %"
    )
    if n < wanted(limit):
        console.note(f"for a limit of {limit:g} % tally at least {wanted(limit)}")
