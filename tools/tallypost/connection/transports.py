"""The two transports to a node, with their options: its serial port, and the broker."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tallypost import ports
from tallypost.backend.receiver import EachMessage, Publication
from tallypost.backend.listener import Listener
from tallypost.connection.line import BAUD, Refused, connect
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import _
from tallypost.security.broker_login import Login

REPLY_TIMEOUT_S = 15.0
_LOOP_STEP_S = 0.02
_MQTT_PORT, _MQTT_TLS_PORT = 1883, 8883


class Node(Protocol):
    """A node that answers commands. `name`: the node in the words of error messages."""

    name: str

    def ask(self, cmd: str, /, **fields: Any) -> Any: ...

    def __enter__(self) -> Node: ...

    def __exit__(self, *_: object) -> None: ...


def serial_options(verb: argparse.ArgumentParser) -> None:
    """The options of a verb that reaches a node over its serial port."""
    verb.add_argument(
        "--port", metavar=_("PORT"),
        help=_("serial port (the only one): a device, rfc2217://HOST:PORT, socket://HOST:PORT"),
    )  # fmt: skip
    verb.add_argument(
        "--baud", type=int, default=BAUD, metavar="N",
        help=_("baud rate of the serial port ({baud})").format(baud=BAUD),
    )  # fmt: skip


def broker_options(verb: argparse.ArgumentParser, host: str | None) -> None:
    """The options of a verb that reaches a node over the broker. host: the default."""
    add = verb.add_argument
    shown = _("host of the broker ({host})").format(host=host) if host else _("host of the broker")
    add("--host", default=host, metavar="HOST[:PORT]", help=shown)
    add(
        "--root", default="tallypost/v1", metavar=_("TOPIC"),
        help=_("root of the topics (tallypost/v1)"),
    )  # fmt: skip
    add("--user", default="", metavar=_("NAME"), help=_("user at the broker"))
    add(
        "--password-file", type=Path, metavar=_("FILE"),
        help=_("file with the password at the broker"),
    )  # fmt: skip
    add(
        "--ca", type=Path, metavar=_("FILE"),
        help=_("use TLS; the certificate of the authority, PEM"),
    )  # fmt: skip


def options(verb: argparse.ArgumentParser) -> None:
    """The options of a verb that reaches a node over either transport."""
    serial_options(verb)
    verb.add_argument(
        "--node", metavar=_("ID"), help=_("id of the node, to reach it over the broker")
    )
    broker_options(verb, "localhost")


def open_node(args: argparse.Namespace) -> Node:
    """The node that the options name. Raises ToolError."""
    if args.port and args.node:
        raise ToolError(
            _("--port and --node name two ways to a node"),
            _("Give --port for a node at hand, or --node and --host for a node far away."), USAGE,
        )  # fmt: skip
    return BrokerNode(args, args.node) if args.node else connect(serial_port(args), args.baud)


def serial_port(args: argparse.Namespace) -> str:
    """The port that is named, or the only one there is. Raises ToolError."""
    return args.port or ports.only_port()


class BrokerNode(EachMessage):
    """A node behind a broker, and the messages that it publishes.

    args: the options of `broker_options`. suffixes: its topics to listen to, beside `reply`. It
    stands in the place of the collector of a Listener.
    """

    def __init__(self, args: argparse.Namespace, node: str, suffixes: tuple[str, ...] = ()):
        self.name = node
        self._base = f"{args.root}/{node}"
        topics = [f"{self._base}/{suffix}" for suffix in ("reply", *suffixes)]
        self._replies: dict[str, dict[str, Any]] = {}
        self.messages: list[tuple[str, dict[str, Any]]] = []  # suffix, body
        login = Login(args.user, password(args.password_file), args.ca)
        self._listener = Listener(self, topics, "", login)
        self._listener.connect(*broker_address(args))

    def __enter__(self) -> BrokerNode:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.client.disconnect()

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Keep a message of the node. Nothing is answered."""
        try:
            body = json.loads(payload)
        except ValueError:
            return []
        suffix = topic.removeprefix(self._base + "/")
        if isinstance(body, dict) and suffix == "reply":
            self._replies[str(body.get("id"))] = body
        elif isinstance(body, dict):
            self.messages.append((suffix, body))
        return []

    def ask(self, cmd: str, /, **fields: Any) -> Any:
        """The result of a command. Raises Refused, and ToolError when no reply comes."""
        request_id = secrets.token_hex(4)
        command = json.dumps({"id": request_id, "cmd": cmd, **fields})
        self._listener.client.publish(f"{self._base}/cmd", command, 1)
        if not self.wait(lambda: request_id in self._replies, REPLY_TIMEOUT_S):
            raise ToolError(
                _("{node}: no reply within {seconds} s").format(
                    node=self.name, seconds=round(REPLY_TIMEOUT_S)
                ),
                _("The topic {topic} says whether the node is online.").format(
                    topic=f"{self._base}/status"
                ),
            )
        body = self._replies.pop(request_id)
        if not body.get("ok"):
            raise Refused(f"{self.name}: {body.get('error')}")
        return body.get("result")

    def wait(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        """Receive messages until a condition holds. False if it does not hold in time."""
        end = time.monotonic() + timeout_s
        while not is_done():
            if time.monotonic() > end:
                return False
            self._listener.loop(_LOOP_STEP_S)
        return True


def broker_address(args: argparse.Namespace) -> tuple[str, int]:
    """Host and port of the broker that the options name. Raises ToolError."""
    return _address(args.host, _MQTT_TLS_PORT if args.ca else _MQTT_PORT)


def _address(text: str, port: int) -> tuple[str, int]:
    """HOST or HOST:PORT. An IPv6 address with a port stands in brackets."""
    host, colon, number = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        return text.strip("[]"), port
    if not number.isdecimal() or not host:
        raise ToolError(
            _("--host {text}: this is no address").format(text=text),
            _("Give HOST or HOST:PORT."), USAGE,
        )  # fmt: skip
    return host.strip("[]"), int(number)


def password(path: Path | None) -> str | None:
    """The password in a file, None without one. Raises ToolError."""
    if not path:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ToolError(
            _("{path}: the password cannot be read: {reason}").format(
                path=path, reason=os_reason(error)
            ),
            _("Name a file that you can read with --password-file."),
        ) from error
