"""`tallypost check`: is this node ready to be left alone? One table, one verdict, next steps.

It asks the node what only the node can tell, waits while something is still on its way (Wi-Fi, the
broker, the clock), has every light barrier broken by hand, and with --host looks whether what the
node sends arrives. Exit status: 0 pass, 1 fail.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from tallypost import console
from tallypost.faults import ToolError
from tallypost.technician import health_rules
from tallypost.connection import transports
from tallypost.technician.health_rules import FAIL, PASS, Finding
from tallypost.connection.line import Refused

_STEP_S = 2.0
_SETTLE = 2  # a failure that two looks have in common is one
_ARRIVE_S = 20.0
_HEARD_MS = 3000  # a radar that was not heard for so long is asked, and needs a moment

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add("--node", help="the node's id, to reach it over the broker alone")
    transports.broker_options(verb, None)
    add("--wait", type=float, default=60, metavar="S", help="for what takes its time (60)")
    add("--no-wait", action="store_true", help="judge what is now; no beam is to be broken")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Check the node; raises ToolError when it cannot be asked."""
    if args.node and not args.host:
        args.host = "localhost"
    with transports.reach(args) as node:
        identity = node.ask("identity")
        facts: Body = {}
        if identity["node"]:
            findings, facts = _check(node, identity, 0 if args.no_wait else args.wait)
            if args.host:
                findings.append(_arrival(args, node, identity, facts))
        else:
            findings = health_rules.unprovisioned(identity)
    console.progress("")
    good = health_rules.passes(findings)
    if args.json:
        rows = [finding.as_dict() for finding in findings]
        console.result_json(
            {"node": identity["node"], "pass": good, "findings": rows, "facts": facts}
        )
    else:
        show(identity["node"] or node.name, findings)
    return 0 if good else 1


def _check(node: transports.Node, identity: Body, wait_s: float) -> tuple[list[Finding], Body]:
    settings = _settings(node)
    first = node.ask("check")
    facts = Patience(node, first, wait_s).look()
    findings = health_rules.judge(identity, facts)
    findings[1:1] = settings
    if "beams" in first["detector"] and wait_s:
        seen = health_rules.beams(first["detector"]["beams"], facts["detector"]["beams"])
        at = next(i for i, finding in enumerate(findings) if finding.part == "detector")
        findings[at + 1 : at + 1] = seen
    return findings, facts


def _settings(node: transports.Node) -> list[Finding]:
    in_force = node.ask("config_get")
    try:
        return health_rules.configured(in_force, node.ask("config_stored"))
    except Refused as error:  # it takes the node more memory than anything else
        return [
            Finding(
                "settings", health_rules.WARN, f"not compared: {error.what}", "reboot, check again"
            )
        ]


class Patience:
    """Looks at the node again until nothing is on its way any more, or the time is over."""

    def __init__(
        self, node: transports.Node, first: Body, wait_s: float,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._node = node
        self._first = self._facts = first
        self._wait_s = wait_s
        self._clock = clock
        self._sleep = sleep
        self._same = 0
        self._asked = ""

    def look(self) -> Body:
        """The facts at the end."""
        until = self._clock() + self._wait_s
        while (left := until - self._clock()) > 0 and (waiting := self._waiting()):
            self._prompt(waiting)
            console.progress(f"{left:3.0f} s left, waiting for {', '.join(waiting)}")
            self._sleep(min(_STEP_S, left))
            before, self._facts = self._facts, self._node.ask("check")
            same = _failures(before) == _failures(self._facts)
            self._same = self._same + 1 if same else 0
        return self._facts

    def _waiting(self) -> list[str]:
        """What may still become good by itself, or by the technician's hand."""
        facts = self._facts
        waiting = [name for name, failed in _network(facts) if not failed or self._unsettled()]
        detector = facts["detector"]
        if detector["state"] == 0 or (self._is_asked(detector) and self._same < _SETTLE):
            waiting.append("the detector")
        if "beams" in detector:
            waiting += health_rules.pending_beams(
                self._first["detector"]["beams"], detector["beams"]
            )
        return waiting

    def _unsettled(self) -> bool:
        return self._same < _SETTLE

    @staticmethod
    def _is_asked(detector: Body) -> bool:
        """A radar that has been silent has just been asked for life."""
        return detector["state"] in (1, 2) and detector.get("heard_ms", 0) > _HEARD_MS

    def _prompt(self, waiting: list[str]) -> None:
        beams = [name for name in waiting if name.startswith("beam")]
        if beams and beams[0] != self._asked:
            self._asked = beams[0]
            console.note(f"{beams[0]}: break it with your hand, then let it go")


def _network(facts: Body) -> list[tuple[str, bool]]:
    """What is not up, and whether it has failed rather than not come yet."""
    wifi, mqtt, lora = facts.get("wifi"), facts.get("mqtt"), facts.get("lora")
    found = []
    if wifi and not wifi["up"]:
        found.append((f"Wi-Fi '{wifi['ssid']}'", bool(wifi["reason"]) or not wifi["ssid"]))
    elif mqtt and not mqtt["up"]:
        found.append((f"the broker {mqtt['host']}", bool(mqtt["error"])))
    elif not facts["clock"]["source"]:
        found.append(("the clock", False))
    if lora and not lora["station"]["joined"]:
        found.append(("LoRaWAN", False))
    return found


def _failures(facts: Body) -> tuple[Any, ...]:
    wifi, mqtt = facts.get("wifi") or {}, facts.get("mqtt") or {}
    heard = facts["detector"].get("heard_ms", 0) > _HEARD_MS
    return (
        wifi.get("up"), wifi.get("reason"), mqtt.get("up"), bool(mqtt.get("error")),
        facts["detector"]["state"], heard,
    )  # fmt: skip


def _arrival(
    args: argparse.Namespace, node: transports.Node, identity: Body, facts: Body
) -> Finding:
    """Whether what the node sends arrives where the backend listens."""
    newest = facts["ring"]["newest"]
    if not facts.get("mqtt"):
        return Finding(
            "delivery", health_rules.WARN, "over LoRaWAN alone", "tallypost listen --lorawan"
        )
    if not facts["mqtt"]["up"] or not newest:
        return Finding("delivery", FAIL, "the node has no broker to send to", "see above")
    console.progress(f"waiting for record {newest} at {args.host}")
    try:
        with transports.Remote(args, identity["node"], ("counts", "event", "status")) as backend:
            node.ask("resend", **{"from": newest, "to": newest})
            arrived = backend.wait(
                lambda: any(_holds(body, identity["log"], newest) for _, body in backend.heard),
                _ARRIVE_S,
            )
            online = [body.get("state") for suffix, body in backend.heard if suffix == "status"]
    except ToolError as error:
        return Finding("delivery", FAIL, error.what, error.advice)
    if arrived and "online" in online:
        return Finding("delivery", PASS, f"record {newest} arrived at {args.host}")
    if arrived:
        what = "records arrive, its retained status does not"
        return Finding("delivery", FAIL, what, "may it publish status retained (access list)?")
    return Finding(
        "delivery", FAIL, f"record {newest} did not arrive at {args.host}",
        f"is that the broker {facts['mqtt']['host']} of the node? may it publish (access list)?",
    )  # fmt: skip


def _holds(body: Body, log: str, seq: int) -> bool:
    if body.get("log") != log:
        return False
    return body.get("seq") == seq or any(rec.get("seq") == seq for rec in body.get("recs", ()))


def show(name: str, findings: list[Finding]) -> None:
    """The table and the verdict."""
    rows = [(f.part, f.state, f.what) for f in findings]
    console.table(f"check of {name}", ("part", "", "what"), rows)
    failed = [finding for finding in findings if finding.state == FAIL]
    doubts = [finding for finding in findings if finding.state == health_rules.WARN]
    for finding in failed + doubts:
        console.result(f"{finding.state} {finding.part}: {finding.next}")
    verdict = f"FAIL: {len(failed)} of {len(findings)} parts" if failed else "pass: it is ready"
    console.result(verdict)
