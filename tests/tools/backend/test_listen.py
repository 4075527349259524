"""`tallypost listen` between its collector and a broker: what it publishes, and when."""

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
from tallypost.backend.listen import Listener, topics


class Wire:
    """A listener without a connection: `come` hands it messages, `out` is what it publishes."""

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

    def come(self, *seqs: int) -> None:
        for seq in seqs:
            message = mqtt.MQTTMessage(seq, f"{TOPIC}/counts".encode())
            message.payload = counts(interval(seq))
            self.listener.client.on_message(self.listener.client, None, message)

    def turn(self) -> None:
        self._turns = iter([mqtt.MQTT_ERR_SUCCESS])
        with suppress(StopIteration):
            self.listener.loop(3600)

    def taken(self, mid: int) -> None:
        """The broker has taken what went out as the mid-th."""
        self.listener.client.on_publish(self.listener.client, None, mid, None, None)

    def acks(self) -> list[int]:
        return [body["seq"] for topic, body in self.out if topic.endswith("/ack")]


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(tmp_path, monkeypatch)
    yield wire
    wire.collector.close()


def test_a_backlog_is_acknowledged_by_one_message(wire: Wire) -> None:
    wire.come(*range(1, 41))
    wire.turn()
    assert wire.out == [(f"{TOPIC}/ack", {"v": 1, "log": "0badcafe", "seq": 40})]


def test_the_next_acknowledgement_waits_until_the_broker_has_the_last(wire: Wire) -> None:
    wire.come(1)
    wire.turn()
    wire.come(2)
    wire.turn()
    wire.come(3)
    wire.turn()
    assert wire.acks() == [1]
    wire.taken(1)
    wire.turn()
    assert wire.acks() == [1, 3]
    wire.taken(2)
    wire.turn()
    assert wire.acks() == [1, 3]


def test_a_request_for_what_is_missing_does_not_wait(wire: Wire) -> None:
    wire.come(1)
    wire.turn()
    wire.come(4)
    assert wire.out[-1] == (
        f"{TOPIC}/cmd", {"id": "0badcafe-2", "cmd": "resend", "from": 2, "to": 3},
    )  # fmt: skip
