"""`tallypost config get|set`: what a node is set to, and to be set to; the node checks it.

What is set is in force after a reboot: `--reboot` does that, waits until the node is back, and
looks whether it is so.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.connection import transports
from tallypost.connection.line import Line

_BACK_S = 60.0
_STEP_S = 1.0
_DOWN_S = 4.0  # a node goes down two seconds after it was asked to

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("do", choices=("get", "set"))
    add("items", nargs="*", metavar="KEY[=VALUE]", help="keys to get (all), or values to set")
    transports.options(verb)
    add("--reboot", action="store_true", help="reboot, and wait until it is in force")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Get or set; raises ToolError with what the node refuses."""
    texts = _change(args.items) if args.do == "set" else {}
    with transports.reach(args) as node:
        in_force = node.ask("config_get")
        wanted = args.items if args.do == "get" else []
        if unknown := [key for key in [*wanted, *texts] if key not in in_force]:
            hint = f"keys: {', '.join(sorted(in_force))}"
            raise ToolError(f"{node.name}: no key {unknown[0]}", hint, USAGE)
        change = {key: _typed(in_force[key], text) for key, text in texts.items()}
        if change:
            _store(node, change)
        stored = node.ask("config_stored") or in_force
        if args.reboot:
            reboot(node)
            in_force = _in_force(node, stored)
    keys = wanted or list(change) or sorted(in_force)
    rows = {key: (in_force[key], stored.get(key)) for key in keys}
    _show(node.name, rows, args.json)
    return 0


def _change(items: list[str]) -> dict[str, str]:
    if not items:
        raise ToolError("nothing to set", "wanted KEY=VALUE", USAGE)
    change = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not key or not equals:
            raise ToolError(f"'{item}'", "wanted KEY=VALUE", USAGE)
        change[key] = text
    return change


def _typed(old: Any, text: str) -> int | str:
    """A value of the type that the key has; what is no number goes as text: the node refuses."""
    if isinstance(old, int):
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _store(node: transports.Node, change: Body) -> None:
    """Store, and compare what is stored with what was meant: a line may garble a digit."""
    stored = node.ask("config_set", config=change)["stored"]
    if stored != change:
        raise ToolError(f"{node.name}: stored {stored}, meant {change}", "the same command again")


def reboot(node: transports.Node) -> None:
    """Reboot, and wait until another life of the node answers; raises ToolError."""
    before = node.ask("identity")["boot"]
    node.ask("reboot")
    until = time.monotonic() + _BACK_S
    time.sleep(_DOWN_S)
    while time.monotonic() < until:
        console.progress(f"{node.name} reboots")
        try:
            if isinstance(node, Line):
                node.greet()
            if node.ask("identity")["boot"] != before:
                console.progress("")
                return
        except ToolError:
            time.sleep(_STEP_S)
    raise ToolError(f"{node.name}: not back after {_BACK_S:.0f} s", "tallypost monitor shows why")


def _in_force(node: transports.Node, stored: Body) -> Body:
    in_force: Body = node.ask("config_get")
    other = [key for key in stored if in_force.get(key) != stored[key]]
    if other:
        raise ToolError(
            f"{node.name}: {other[0]} is {in_force.get(other[0])!r}, not {stored[other[0]]!r}",
            "the node fell back to older values: tallypost monitor shows why",
        )
    return in_force


def _show(name: str, rows: dict[str, tuple[Any, Any]], as_json: bool) -> None:
    waiting = [key for key, (now, later) in rows.items() if now != later]
    if as_json:
        values = {key: {"in_force": now, "stored": later} for key, (now, later) in rows.items()}
        console.result_json({"node": name, "values": values, "reboot_needed": bool(waiting)})
        return
    shown = [
        (key, str(now), str(later) if later != now else "") for key, (now, later) in rows.items()
    ]
    console.table(f"configuration of {name}", ("key", "in force", "after a reboot"), shown)
    if waiting:
        console.note("to have it in force: tallypost config get --reboot")
