"""Takes a node's connection away, as another client of the same name does (MQTT 3.1.4)."""

from __future__ import annotations

import statistics
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tallypost.security.broker_login import use_tls
from tallypost.connection.transports import BrokerNode, broker_address, password
from tests.chip.chip import Chip, Failed
from tests.chip.report import Figures

CLIENT_ID = "tallypost-{node}"  # firmware/delivery/mqtt/link.py
_BACK_S = 120.0  # the longest pause between two attempts of a node is 60 s
_ACCEPTED_S = 10.0
_STEP_S = 0.1
_PROGRESS = 10


def run(chip: Chip) -> Figures:
    """Take the connection away so often, and wait each time until the node is online again."""
    took_s: list[float] = []
    with chip.broker("status") as node:
        for number in range(1, chip.args.reconnects + 1):
            took_s.append(_once(chip, node, took_s))
            if number % _PROGRESS == 0:
                chip.tell(f"{number} of {chip.args.reconnects} reconnects")
        if node.ask("ping") != "pong":
            raise Failed("no answer after the last reconnect", _figures(took_s))
    return _figures(took_s)


def _once(chip: Chip, node: BrokerNode, took_s: list[float]) -> float:
    node.wait(lambda: False, _STEP_S)  # the retained status comes first
    node.messages.clear()
    start = time.monotonic()
    _take_over(chip)
    if not node.wait(lambda: _is_online(node), _BACK_S):
        raise Failed(f"not online again within {_BACK_S:.0f} s", _figures(took_s))
    return time.monotonic() - start


def _is_online(node: BrokerNode) -> bool:
    return any(body.get("state") == "online" for _suffix, body in node.messages)


def _take_over(chip: Chip) -> None:
    """Connect under the node's name, and leave."""
    args, answers = chip.args, []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, CLIENT_ID.format(node=chip.node))
    client.on_connect = lambda _client, _data, _flags, reason, _more: answers.append(reason)
    if args.user or args.password_file:
        client.username_pw_set(args.user or None, password(args.password_file))
    if args.ca:
        use_tls(client, args.ca)
    client.connect(*broker_address(args))
    until = time.monotonic() + _ACCEPTED_S
    while not answers and time.monotonic() < until:
        client.loop(_STEP_S)
    client.disconnect()
    if not answers or answers[0].is_failure:
        raise Failed(f"the broker refuses a client of the node's name: {answers or 'no answer'}")


def _figures(took_s: list[float]) -> Figures:
    return {
        "reconnects": len(took_s),
        "median_s": round(statistics.median(took_s), 1) if took_s else None,
        "longest_s": round(max(took_s), 1) if took_s else None,
    }
