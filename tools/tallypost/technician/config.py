"""`tallypost config get|set`: the configuration in force, and the one after the next reboot.

The node checks new values. Settings that can lose a node or hand it over are signed with a key of
the fleet (security/fleet_keys.py). They are in force after a reboot: `--reboot` reboots the node,
waits until it is back, and compares.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.connection import transports
from tallypost.connection.line import Line
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import _
from tallypost.provisioning import settings
from tallypost.security.fleet_keys import SIGNED, FleetKeys, keys_to_sign

_REBOOT_TIMEOUT_S = 60.0
_STEP_S = 1.0
_DOWN_S = 4.0  # a node goes down two seconds after the command

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("action", choices=("get", "set"), help=_("show values, or change them"))
    add(
        "items", nargs="*", metavar=_("KEY[=VALUE]"),
        help=_("keys to show (all), or values to set"),
    )  # fmt: skip
    transports.options(verb)
    add(
        "--reboot", action="store_true",
        help=_("reboot the node, and wait until the values are in force"),
    )  # fmt: skip
    add(
        "--keys", type=Path, metavar=_("FOLDER"),
        help=_("folder of tallypost provision --out: its key signs settings that can lose a node"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Show or change values. Raises ToolError with the reason of the node when it refuses."""
    texts = _parse(args.items) if args.action == "set" else {}
    with transports.open_node(args) as node:
        in_force = node.ask("config_get")
        wanted = args.items if args.action == "get" else []
        _check_keys(node.name, [*wanted, *texts], in_force)
        change = {key: _typed(in_force[key], text) for key, text in texts.items()}
        settings.check_hosts(change)
        if change:
            _store(node, change, _signature(node, change, args.keys))
            _tell_of_trial(change)
        stored = node.ask("config_stored") or in_force
        if args.reboot:
            reboot(node)
            in_force = _compared(node, stored)
    keys = wanted or list(change) or sorted(in_force)
    rows = {key: (in_force[key], stored.get(key)) for key in keys}
    _show(node.name, rows, args.json)
    return 0


def _parse(items: list[str]) -> dict[str, str]:
    """KEY=VALUE as a dict. Raises ToolError."""
    advice = _("Give at least one KEY=VALUE.")
    if not items:
        raise ToolError(_("No value to set is given"), advice, USAGE)
    texts = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not key or not equals:
            raise ToolError(_("'{item}' is no KEY=VALUE").format(item=item), advice, USAGE)
        texts[key] = text
    return texts


def _check_keys(name: str, keys: list[str], in_force: Body) -> None:
    for key in keys:
        if key not in in_force:
            raise ToolError(
                _("{node}: there is no key '{key}'").format(node=name, key=key),
                _("The keys are: {keys}").format(keys=", ".join(sorted(in_force))), USAGE,
            )  # fmt: skip


def _typed(old: Any, text: str) -> int | str:
    """A value of the type that the key has. Text in the place of a number: the node refuses it."""
    if isinstance(old, int):
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _signature(node: transports.Node, change: Body, folder: Path | None) -> Body:
    """The keys `serial` and `sig` of the command, none if the change needs no signature."""
    named = keys_to_sign(change)
    if not named:
        return {}
    if not folder:
        text = _("not signed: {keys}. A node with a fleet key refuses it. Add --keys FOLDER.")
        console.note(text.format(keys=", ".join(named)))
        return {}
    return FleetKeys(folder).sign(node.ask("identity")["node"], change)


def _tell_of_trial(change: Body) -> None:
    """A node tries a new link out before it keeps it (firmware/config/trial.py)."""
    if SIGNED & change.keys():
        console.note(_(
            "After the reboot the backend has to confirm a record within 10 minutes (over LoRaWAN"
            " 2 days). Otherwise the node goes back to the old values."
        ))  # fmt: skip


def _store(node: transports.Node, change: Body, signature: Body) -> None:
    """Store values and compare them with those in the node: a line may change a digit."""
    stored = node.ask("config_set", config=change, **signature)["stored"]
    if stored != change:
        raise ToolError(
            _("{node}: the line changed the values: {stored} is stored, not {change}").format(
                node=node.name, stored=stored, change=change
            ),
            _("Run the same command again."),
        )


def reboot(node: transports.Node) -> None:
    """Reboot, and wait until the node answers with another boot number. Raises ToolError."""
    before = node.ask("identity")["boot"]
    node.ask("reboot")
    until = time.monotonic() + _REBOOT_TIMEOUT_S
    time.sleep(_DOWN_S)
    while time.monotonic() < until:
        console.progress(_("{node} reboots").format(node=node.name))
        try:
            if isinstance(node, Line):
                node.wait_for_node()
            if node.ask("identity")["boot"] != before:
                console.progress("")
                return
        except ToolError:
            time.sleep(_STEP_S)
    raise ToolError(
        _("{node}: it did not come back within {n} s").format(
            node=node.name, n=round(_REBOOT_TIMEOUT_S)
        ),
        _("To see why, run: tallypost monitor"),
    )


def _compared(node: transports.Node, stored: Body) -> Body:
    """The configuration in force. Raises ToolError when it is not the stored one."""
    in_force: Body = node.ask("config_get")
    for key, value in stored.items():
        if in_force.get(key) != value:
            what = _("{node}: {key} is {old}, not {new}: the node fell back to older values")
            raise ToolError(
                what.format(node=node.name, key=key, old=repr(in_force.get(key)), new=repr(value)),
                _("To see why, run: tallypost monitor"),
            )
    return in_force


def _show(name: str, rows: dict[str, tuple[Any, Any]], as_json: bool) -> None:
    needs_reboot = any(now != later for now, later in rows.values())
    if as_json:
        values = {key: {"in_force": now, "stored": later} for key, (now, later) in rows.items()}
        console.result_json({"node": name, "values": values, "reboot_needed": needs_reboot})
        return
    shown = [
        (key, str(now), str(later) if later != now else "") for key, (now, later) in rows.items()
    ]
    title = _("Configuration of {node}").format(node=name)
    console.table(title, (_("key"), _("in force"), _("after a reboot")), shown)
    if needs_reboot:
        console.note(_("To put it in force, run: tallypost config get --reboot"))
