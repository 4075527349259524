"""A node's delivery at a real broker: packet ids that wrap, and hostile messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.runs.delivering import ROOM_FOR_ONE, TIMEOUT_S, Backend, Node, confirmed_whole
from tests.support.runs.running import Mosquitto

OPEN = ("allow_anonymous true", "persistence false")
HELLO = 4  # packet ids that a connection takes: two subscriptions, status, config
BASE = "tallypost/v1/n1"


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """Ends everything that a test has started."""
    with ExitStack() as stack:
        yield stack


def _node(ends: ExitStack, broker: Mosquitto, **options: int) -> Node:
    node = Node(broker.port, **options)
    ends.callback(node.stop)
    node.waits_until(lambda state: state["up"])
    return node


def _backend(ends: ExitStack, folder: Path, broker: Mosquitto) -> Backend:
    backend = Backend(folder, broker.port)
    ends.callback(backend.stop)
    backend.start()
    return backend


def test_packet_ids_go_round_at_mosquitto(tmp_path: Path, ends: ExitStack) -> None:
    broker = Mosquitto(tmp_path, *OPEN)
    ends.callback(broker.stop)
    backend = _backend(ends, tmp_path, broker)
    node = _node(ends, broker, room=ROOM_FOR_ONE, pid=65_533 - HELLO)
    assert node.waits_until(lambda state: state["pid"] == 65_533)["sent"] == 0
    node.close(5)
    state = confirmed_whole(node, backend, 5)
    assert (state["pid"], state["sent"], state["connects"]) == (3, 5, 1)


class Stranger:
    """A client that may write to the node's topics and receives the node's replies."""

    def __init__(self, port: int) -> None:
        self.replies: SimpleQueue[dict[str, Any]] = SimpleQueue()
        listening: SimpleQueue[None] = SimpleQueue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, news: self.replies.put(json.loads(news.payload))
        self._client.on_subscribe = lambda *_: listening.put(None)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(f"{BASE}/reply", 1)
        listening.get(timeout=TIMEOUT_S)

    def send(self, suffix: str, payload: bytes | dict[str, Any]) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(f"{BASE}/{suffix}", data, 1).wait_for_publish(TIMEOUT_S)

    def flood(self, suffix: str, payload: dict[str, Any], count: int) -> None:
        """Send it that often, as fast as the broker takes it."""
        for _ in range(count):
            self._client.publish(f"{BASE}/{suffix}", json.dumps(payload), 1)

    def refused(self, suffix: str, payload: bytes | dict[str, Any]) -> str:
        """Send it. Return the reason of the refusal."""
        self.send(suffix, payload)
        reply = self.replies.get(timeout=TIMEOUT_S)
        assert not reply["ok"], reply
        return str(reply["error"])

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def met(tmp_path: Path, ends: ExitStack) -> tuple[Node, Backend, Stranger]:
    """A node with 20 intervals at the backend, and a stranger."""
    broker = Mosquitto(tmp_path, *OPEN)
    ends.callback(broker.stop)
    backend = _backend(ends, tmp_path, broker)
    node = _node(ends, broker)
    node.close(20)
    confirmed_whole(node, backend, 20)
    stranger = Stranger(broker.port)
    ends.callback(stranger.stop)
    return node, backend, stranger


def test_bad_acknowledgements_are_answered_counted_and_change_nothing(
    met: tuple[Node, Backend, Stranger],
) -> None:
    node, backend, stranger = met
    log = node.state()["log"]
    for payload, reason in (
        ({"v": 1, "log": "00000001", "seq": 3}, f"ack: log 00000001, mine is {log}"),
        ({"v": 1, "log": log, "seq": 21}, "ack: seq 21, newest is 20"),
        ({"v": 1, "log": log, "seq": -1}, "ack: seq -1, newest is 20"),
        ({"v": 2, "log": log, "seq": 3}, "ack: not version 1"),
        ({"v": 1, "log": log, "seq": "3"}, "ack: log must be 8 hex digits, seq a number"),
        (b"", "syntax error in JSON"),
        (b"\xff" * 100, "syntax error in JSON"),
    ):
        assert stranger.refused("ack", payload) == reason
    state = node.state()
    assert state["refused_acks"] == 7 and state["confirmed"] == 20
    node.close(20)
    assert confirmed_whole(node, backend, 40)["connects"] == 1


def test_bad_commands_are_answered_and_counted_and_delivery_goes_on(
    met: tuple[Node, Backend, Stranger],
) -> None:
    node, backend, stranger = met
    for payload, reason in (
        ({"id": 1, "cmd": "resend", "from": 1, "to": 21}, "resend: newest is 20"),
        ({"id": 1, "cmd": "resend", "from": 0, "to": 2}, "resend: 0..2 is no range"),
        ({"id": 1, "cmd": "resend", "from": "1", "to": 2}, "resend needs numbers from, to"),
        ({"id": 1, "cmd": "open"}, "unknown command; known: "),
        (b"{", "command is not JSON"),
        (b"[1]", "command needs an object with id and cmd"),
        ({"id": "x" * 1900, "cmd": "ping"}, "command id of more than 100 characters"),
        (b"x" * 3000, "message of 3023 bytes, at most 2048"),
        (b"x" * 15_000, "message of 15023 bytes, at most 2048"),
    ):
        assert stranger.refused("cmd", payload).startswith(reason)
    state = node.state()
    assert state["refused_commands"] == 9 and state["oversized"] == 2
    node.close(20)
    assert confirmed_whole(node, backend, 40)["connects"] == 1


def test_of_a_flood_of_commands_each_is_answered_or_counted(
    met: tuple[Node, Backend, Stranger],
) -> None:
    node, backend, stranger = met
    stranger.flood("cmd", {"id": 1, "cmd": "config_get"}, 300)
    node.waits_until(
        lambda state: stranger.replies.qsize() + int(state["refused_commands"]) == 300
    )
    node.close(20)
    assert confirmed_whole(node, backend, 40)["connects"] == 1
