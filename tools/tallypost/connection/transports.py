"""The two ways to a node: over its serial port, and over the broker it is connected to."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tallypost import ports
from tallypost.backend.collector import Answer
from tallypost.backend.listen import Listener, trust
from tallypost.faults import USAGE, ToolError
from tallypost.connection.line import BAUD, Refused, connect

WAIT_S = 15.0
_STEP_S = 0.2
PORT_HELP = "serial port (the only one): a device, rfc2217://HOST:PORT, socket://HOST:PORT"


class Node(Protocol):
    """What answers commands; `name` is how errors call it."""

    name: str

    def ask(self, cmd: str, /, **fields: Any) -> Any: ...

    def __enter__(self) -> Node: ...

    def __exit__(self, *_: object) -> None: ...


def serial_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--port", help=PORT_HELP)
    verb.add_argument("--baud", type=int, default=BAUD, help=f"of the serial port ({BAUD})")


def broker_options(verb: argparse.ArgumentParser, host: str | None) -> None:
    """host: the default."""
    add = verb.add_argument
    shown = f" ({host})" if host else ""
    add("--host", default=host, metavar="HOST[:PORT]", help=f"the broker{shown}")
    add("--root", default="tallypost/v1", help="root of the topics (tallypost/v1)")
    add("--user", default="")
    add("--password-file", type=Path, metavar="FILE")
    add("--ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority, PEM")


def options(verb: argparse.ArgumentParser) -> None:
    """Of a verb that takes either way."""
    serial_options(verb)
    verb.add_argument("--node", help="the node's id, to reach it over the broker")
    broker_options(verb, "localhost")


def reach(args: argparse.Namespace) -> Node:
    """The node that the options name; raises ToolError."""
    if args.port and args.node:
        raise ToolError(
            "which node?", "--port for one at hand, or --node and --host for one far away", USAGE
        )
    return Remote(args, args.node) if args.node else connect(port(args), args.baud)


def port(args: argparse.Namespace) -> str:
    """The serial port: the one that is named, or the only one there is; raises ToolError."""
    return args.port or ports.the_only_one()


class Remote:
    """A node behind a broker, and what it publishes. Stands where the collector of a Listener
    is."""

    def __init__(self, args: argparse.Namespace, node: str, suffixes: tuple[str, ...] = ()):
        self.name = node
        self._base = f"{args.root}/{node}"
        topics = [f"{self._base}/{suffix}" for suffix in ("reply", *suffixes)]
        self._replies: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []  # suffix, body
        self._listener = Listener(self, topics, "")
        client = self._listener.client
        if args.user or args.password_file:
            client.username_pw_set(args.user or None, _secret(args.password_file))
        if args.ca:
            trust(client, args.ca)
        self._listener.connect(*_address(args.host, 8883 if args.ca else 1883))

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.client.disconnect()

    def on_message(self, topic: str, payload: bytes, _utc: float) -> list[Answer]:
        try:
            body = json.loads(payload)
        except ValueError:
            return []
        suffix = topic.removeprefix(self._base + "/")
        if isinstance(body, dict) and suffix == "reply":
            self._replies[str(body.get("id"))] = body
        elif isinstance(body, dict):
            self.heard.append((suffix, body))
        return []

    def ask(self, cmd: str, /, **fields: Any) -> Any:
        """The result of a command; raises Refused, and ToolError when no answer comes."""
        name = secrets.token_hex(4)
        command = json.dumps({"id": name, "cmd": cmd, **fields})
        self._listener.client.publish(f"{self._base}/cmd", command, 1)
        if not self.wait(lambda: name in self._replies, WAIT_S):
            raise ToolError(
                f"{self.name} does not answer", f"is it online? {self._base}/status says"
            )
        body = self._replies.pop(name)
        if not body.get("ok"):
            raise Refused(f"{self.name}: {body.get('error')}")
        return body.get("result")

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Listen until something is so; False when the time is over before."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                return False
            self._listener.loop(_STEP_S)
        return True


def _address(text: str, port: int) -> tuple[str, int]:
    """HOST or HOST:PORT; an IPv6 address with a port stands in brackets."""
    host, colon, number = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        return text.strip("[]"), port
    if not number.isdecimal() or not host:
        raise ToolError(f"--host {text}", "wanted HOST or HOST:PORT", USAGE)
    return host.strip("[]"), int(number)


def _secret(path: Path | None) -> str | None:
    if not path:
        return None
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from error
