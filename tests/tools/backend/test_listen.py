"""`tallypost listen` between its collector and a broker: publishing, and lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from tests.support.nodes.reports import TOPIC, counts, interval

from tallypost.backend.collector import Collector
from tallypost.backend.listen import topics
from tallypost.backend.listener import Listener


class Wire:
    """A listener without a connection: `receive` gives it messages, `out` has its publications."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.collector = Collector(folder / "db")
        self.listener = Listener(self.collector, topics("tallypost/v1"), "")
        self.out: list[tuple[str, dict[str, Any]]] = []
        client = self.listener.client
        monkeypatch.setattr(client, "publish", self._publish)
        monkeypatch.setattr(client, "ack", lambda *_: None)
        monkeypatch.setattr(client, "loop", lambda _s: next(self._turns))

    def _publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> SimpleNamespace:
        assert qos == 1 and not retain
        self.out.append((topic, json.loads(payload)))
        return SimpleNamespace(mid=len(self.out))

    def receive(self, *seqs: int) -> None:
        for seq in seqs:
            message = mqtt.MQTTMessage(seq, f"{TOPIC}/counts".encode())
            message.payload = counts(interval(seq))
            self.listener.client.on_message(self.listener.client, None, message)

    def turn(self) -> None:
        self._turns = iter([mqtt.MQTT_ERR_SUCCESS])
        with suppress(StopIteration):
            self.listener.loop(3600)

    def confirm(self, mid: int) -> None:
        """The broker sends the PUBACK of a packet."""
        self.listener.client.on_publish(self.listener.client, None, mid, None, None)

    def acks(self) -> list[int]:
        return [body["seq"] for topic, body in self.out if topic.endswith("/ack")]


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(tmp_path, monkeypatch)
    yield wire
    wire.collector.close()


def test_a_backlog_is_acknowledged_by_one_message(wire: Wire) -> None:
    wire.receive(*range(1, 41))
    wire.turn()
    assert wire.out == [(f"{TOPIC}/ack", {"v": 1, "log": "0badcafe", "seq": 40})]


def test_an_acknowledgement_waits_until_the_broker_has_the_one_before(wire: Wire) -> None:
    wire.receive(1)
    wire.turn()
    wire.receive(2)
    wire.turn()
    wire.receive(3)
    wire.turn()
    assert wire.acks() == [1]
    wire.confirm(1)
    wire.turn()
    assert wire.acks() == [1, 3]
    wire.confirm(2)
    wire.turn()
    assert wire.acks() == [1, 3]


def test_many_nodes_are_acknowledged_at_once_as_far_as_the_broker_allows(wire: Wire) -> None:
    """All of a batch at once, and not 20 of them, the limit of paho."""
    assert wire.listener.client.max_inflight_messages == 0
    allowed = SimpleNamespace(ReceiveMaximum=30)
    client, accepted = wire.listener.client, SimpleNamespace(is_failure=False)
    client.subscribe = lambda _topics: (0, 1)  # type: ignore[assignment, method-assign]
    client.on_connect(client, None, None, accepted, allowed)
    for i in range(40):
        topic = f"tallypost/v1/n{i}"
        message = mqtt.MQTTMessage(i, f"{topic}/counts".encode())
        message.payload = counts(interval(1), node=f"n{i}")
        client.on_message(client, None, message)
    wire.turn()
    assert len(wire.acks()) == 30
    wire.confirm(1)
    wire.turn()
    assert len(wire.acks()) == 31


def test_a_request_for_missing_records_does_not_wait(wire: Wire) -> None:
    wire.receive(1)
    wire.turn()
    wire.receive(4)
    wire.turn()
    assert wire.out[1] == (
        f"{TOPIC}/cmd", {"id": "0badcafe-2", "cmd": "resend", "from": 2, "to": 3},
    )  # fmt: skip
