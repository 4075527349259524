"""`tallypost check`: is this node ready to be left alone? One table, one verdict, the next steps.

It asks the node for everything that the node knows about itself. It waits for parts that may still
become ready (Wi-Fi, the broker, the clock) and asks the technician to break every light barrier by
hand. With --host it also checks that the records of the node arrive there. Exit status: 0 pass,
1 a part failed or is not proven yet.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from tallypost import console
from tallypost.connection import transports
from tallypost.connection.line import Refused
from tallypost.faults import ToolError
from tallypost.i18n import N_, _
from tallypost.technician import detector_rules, health_rules
from tallypost.technician.findings import FAIL, OPEN, PASS, WARN, Body, Finding, passes

DELIVERY = N_("delivery")
_STEP_S = 2.0
_SAME_LOOKS = 2  # a failure that so many looks have in common is final
_ARRIVAL_TIMEOUT_S = 20.0
_FRAME_AGE_MAX_MS = 3000  # the node then asks its radar, which needs a moment


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add("--node", metavar=_("ID"), help=_("id of the node, to reach it over the broker alone"))
    transports.broker_options(verb, None)
    add(
        "--wait", type=float, default=60, metavar="S",
        help=_("seconds to wait for parts that are not ready yet (60)"),
    )  # fmt: skip
    add(
        "--no-wait", action="store_true",
        help=_("judge the present state; no light barrier has to be broken"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Check the node. Raises ToolError when it cannot be asked."""
    if args.node and not args.host:
        args.host = "localhost"
    with transports.open_node(args) as node:
        identity = node.ask("identity")
        facts: Body = {}
        if identity["node"]:
            findings, facts = _check(node, identity, 0 if args.no_wait else args.wait)
            if args.host:
                findings.append(_arrival(args, node, identity, facts))
        else:
            findings = health_rules.unprovisioned(identity)
    console.progress("")
    good = passes(findings)
    if args.json:
        rows = [finding.as_dict() for finding in findings]
        console.result_json(
            {"node": identity["node"], "pass": good, "findings": rows, "facts": facts}
        )
    else:
        show(identity["node"] or node.name, findings)
    return 0 if good else 1


def _check(node: transports.Node, identity: Body, wait_s: float) -> tuple[list[Finding], Body]:
    """(findings, the facts they are based on)."""
    settings = _settings(node)
    first = node.ask("check")
    facts = ReadinessPoll(node, first, wait_s).run()
    findings = health_rules.evaluate(identity, facts)
    findings[1:1] = settings
    if "beams" in first["detector"] and wait_s:
        beams = detector_rules.beam_findings(
            first["detector"]["beams"], facts["detector"]["beams"]
        )
        at = next(i for i, one in enumerate(findings) if one.part == detector_rules.DETECTOR)
        findings[at + 1 : at + 1] = beams
    return findings, facts


def _settings(node: transports.Node) -> list[Finding]:
    in_force = node.ask("config_get")
    try:
        return health_rules.config_findings(in_force, node.ask("config_stored"))
    except Refused as error:  # no other command needs so much memory of the node
        what = _("not compared: {reason}").format(reason=error.what)
        return [
            Finding(health_rules.SETTINGS, WARN, what, _("Reboot the node, then check again."))
        ]


class ReadinessPoll:
    """Asks the node again until every part is ready or has failed, or the time is over.

    first: the facts at the beginning. wait_s: seconds.
    """

    def __init__(
        self, node: transports.Node, first: Body, wait_s: float,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._node = node
        self._first = self._facts = first
        self._wait_s = wait_s
        self._clock = clock
        self._sleep = sleep
        self._same_looks = 0
        self._prompted = ""

    def run(self) -> Body:
        """The facts at the end."""
        until = self._clock() + self._wait_s
        while (left := until - self._clock()) > 0 and (waiting := self._waiting()):
            text = _("{left} s left, waiting for: {parts}")
            console.progress(text.format(left=round(left), parts=", ".join(waiting)))
            self._sleep(min(_STEP_S, left))
            before, self._facts = self._facts, self._node.ask("check")
            same = _failures(before) == _failures(self._facts)
            self._same_looks = self._same_looks + 1 if same else 0
        return self._facts

    def _waiting(self) -> list[str]:
        """The parts that may still become ready by themselves, or by the technician's hand."""
        facts = self._facts
        unsettled = self._same_looks < _SAME_LOOKS
        waiting = [name for name, failed in _network(facts) if not failed or unsettled]
        detector = facts["detector"]
        if detector["state"] == 0 or (self._is_asked(detector) and unsettled):
            waiting.append(_(detector_rules.DETECTOR))
        if detector_rules.is_unproven(detector):
            waiting.append(_(detector_rules.PASSAGES))
        if "beams" in detector:
            waiting += self._beams(detector["beams"])
        return waiting

    @staticmethod
    def _is_asked(detector: Body) -> bool:
        """Whether the node has just asked a silent radar for a sign of life."""
        return detector["state"] in (1, 2) and detector.get("heard_ms", 0) > _FRAME_AGE_MAX_MS

    def _beams(self, now: list[list[Any]]) -> list[str]:
        """The beams that are still to be broken. Prompts for the first of them, once."""
        beams = detector_rules.pending_beams(self._first["detector"]["beams"], now)
        if beams and beams[0] != self._prompted:
            self._prompted = beams[0]
            console.note(
                _("{beam}: break it with your hand, then let it go").format(beam=_(beams[0]))
            )
        return [_(beam) for beam in beams]


def _network(facts: Body) -> list[tuple[str, bool]]:
    """(name, whether it has failed, not just not come yet) of each part that is not up."""
    wifi, mqtt, lora = facts.get("wifi"), facts.get("mqtt"), facts.get("lora")
    found = []
    if wifi and not wifi["up"]:
        failed = bool(wifi["reason"]) or not wifi["ssid"]
        found.append((f"{_(health_rules.WIFI)} '{wifi['ssid']}'", failed))
    elif mqtt and not mqtt["up"]:
        found.append((f"{_(health_rules.BROKER)} {mqtt['host']}", bool(mqtt["error"])))
    elif not facts["clock"]["source"]:
        found.append((_(health_rules.CLOCK), False))
    if lora and not lora["station"]["joined"]:
        found.append((_(health_rules.LORAWAN), False))
    return found


def _failures(facts: Body) -> tuple[Any, ...]:
    wifi, mqtt = facts.get("wifi") or {}, facts.get("mqtt") or {}
    is_silent = facts["detector"].get("heard_ms", 0) > _FRAME_AGE_MAX_MS
    return (
        wifi.get("up"), wifi.get("reason"), mqtt.get("up"), bool(mqtt.get("error")),
        facts["detector"]["state"], is_silent,
    )  # fmt: skip


def _arrival(
    args: argparse.Namespace, node: transports.Node, identity: Body, facts: Body
) -> Finding:
    """Whether the records of the node arrive at the broker that the backend listens to."""
    newest = facts["ring"]["newest"]
    if not facts.get("mqtt"):
        what = _("the node sends over LoRaWAN alone")
        return Finding(DELIVERY, WARN, what, _("Check it with: tallypost listen --lorawan"))
    if not facts["mqtt"]["up"] or not newest:
        what = _("the node has no broker to send to")
        return Finding(DELIVERY, FAIL, what, _("See the findings above."))
    text = _("waiting for record {seq} at {host}")
    console.progress(text.format(seq=newest, host=args.host))
    try:
        with transports.BrokerNode(args, identity["node"], ("counts", "event", "status")) as heard:
            node.ask("resend", **{"from": newest, "to": newest})
            log = identity["log"]
            arrived = heard.wait(
                lambda: any(_holds(body, log, newest) for _suffix, body in heard.messages),
                _ARRIVAL_TIMEOUT_S,
            )
            states = [body.get("state") for suffix, body in heard.messages if suffix == "status"]
    except ToolError as error:
        return Finding(DELIVERY, FAIL, error.what, error.advice)
    return _arrival_finding(arrived, "online" in states, newest, args.host, facts["mqtt"]["host"])


def _arrival_finding(
    arrived: bool, is_online: bool, newest: int, host: str, host_of_node: str
) -> Finding:
    if arrived and is_online:
        what = _("record {seq} arrived at {host}").format(seq=newest, host=host)
        return Finding(DELIVERY, PASS, what)
    if arrived:
        return Finding(
            DELIVERY, FAIL, _("records arrive, the retained status of the node does not"),
            _("Allow the node to publish its topic status retained (access list of the broker)."),
        )  # fmt: skip
    return Finding(
        DELIVERY, FAIL, _("record {seq} did not arrive at {host}").format(seq=newest, host=host),
        _("Check that this is the broker of the node, {host}, and that the node may publish there"
          " (access list).").format(host=host_of_node),
    )  # fmt: skip


def _holds(body: Body, log: str, seq: int) -> bool:
    """Whether a message holds a record."""
    if body.get("log") != log:
        return False
    return body.get("seq") == seq or any(rec.get("seq") == seq for rec in body.get("recs", ()))


def show(name: str, findings: list[Finding]) -> None:
    """Print the table, the next steps and the verdict."""
    rows = [(_(one.part), _(one.state), one.what) for one in findings]
    title = _("Check of {node}").format(node=name)
    console.table(title, (_("part"), "", _("finding")), rows)
    failed, unproven, warned = (
        [one for one in findings if one.state == state] for state in (FAIL, OPEN, WARN)
    )
    for one in failed + unproven + warned:
        console.result(f"{_(one.state)} {_(one.part)}: {one.next}")
    if failed:
        text = _("FAIL: {failed} of {n} parts failed.")
        console.result(text.format(failed=len(failed), n=len(findings)))
    elif unproven:
        text = _("open: The node is not ready yet. Not proven: {parts}")
        console.result(text.format(parts=", ".join(_(one.part) for one in unproven)))
    elif warned:
        text = _("pass: The node is ready, with warnings about: {parts}")
        console.result(text.format(parts=", ".join(_(one.part) for one in warned)))
    else:
        console.result(_("pass: The node is ready."))
