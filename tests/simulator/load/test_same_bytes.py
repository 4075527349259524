"""The load tool's nodes and a simulated node send the same bytes.

A whole node of the simulator runs at a real mosquitto. A relay in between keeps what it sends.
The load tool then builds each packet anew from the values in it.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from simulator.load.nodes import packets, texts
from simulator.load.nodes.packets import Splitter, read_publish
from tests.support.runs.running import free_port, mosquitto, simulate

KEEPALIVE_S = 60
Packet = tuple[int, bytes]


class Recorder:
    """Relays connections to a broker and keeps the bytes that the clients send."""

    def __init__(self, broker: int) -> None:
        self.port = free_port()
        self.sent: list[bytearray] = []
        self._broker = broker
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._broker))
            kept = bytearray()
            self.sent.append(kept)
            for ends in ((client, far, kept), (far, client, bytearray())):
                threading.Thread(target=self._relay, args=ends, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        try:
            while data := source.recv(65536):
                kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def close(self) -> None:
        self._server.close()


def fields(body: bytes) -> Iterator[str]:
    """Fields with a length in front."""
    while body:
        size = int.from_bytes(body[:2], "big")
        yield body[2 : 2 + size].decode()
        body = body[2 + size :]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[int, bytes, bytes]]]:
    """The connections of a node: of each packet the first byte, the body, and all of it."""
    folder = tmp_path_factory.mktemp("node")
    with mosquitto(folder, "allow_anonymous true", "persistence false") as port:
        recorder = Recorder(port)
        options = ("--nodes", "1", "--hours", "10", "--seed", "5", "--scenario", "broker_away")
        ran = simulate(folder, *options, "--broker", f"127.0.0.1:{recorder.port}")
        recorder.close()
    assert ran.status == 0, ran.err
    found = []
    for data in recorder.sent:
        split = list(Splitter().feed(bytes(data)))
        if b"tallypost-radar" in split[0][1]:
            session = [(first, body, packets.packet(first, body)) for first, body in split]
            assert bytes(data).startswith(b"".join(whole for *_, whole in session))
            found.append(session)
    return found


def publishes(sessions: Any, suffix: str) -> list[tuple[int, str, bytes, Any, bytes]]:
    """First byte, topic, packet id, JSON and all bytes of the messages to a topic."""
    found = []
    for first, body, whole in (one for session in sessions for one in session):
        if first & 0xF0 == packets.PUBLISH:
            topic, number, payload = read_publish(first, body)
            if topic.endswith(f"/{suffix}"):
                found.append((first, topic, number, json.loads(payload), whole))
    assert found, f"the node sends {suffix}"
    return found


def test_connect_is_the_same(sessions: Any) -> None:
    for (_, body, whole), *_ in sessions:
        client, topic, _will, user, password = fields(body[10:])
        node = client.removeprefix("tallypost-")
        will = topic, texts.will(node)
        assert packets.connect(client, KEEPALIVE_S, will, user, password) == whole


def test_subscriptions_are_the_same(sessions: Any) -> None:
    for session in sessions:
        base = next(iter(fields(session[0][1][10 + 2 + len("tallypost-radar-1") :])))[:-7]
        for number, suffix in enumerate(("/ack", "/cmd"), 1):
            first, body, whole = session[number]
            packet_id = int.from_bytes(body[:2], "big")
            assert packets.subscribe(packet_id, base + suffix) == whole


def test_status_and_config_are_the_same(sessions: Any) -> None:
    for first, topic, number, body, whole in publishes(sessions, "status"):
        text = texts.status(body["node"], body["log"], body["version"])
        assert first == packets.PUBLISH | packets.QOS_1 | packets.RETAIN
        assert _again(topic, text, number, packets.RETAIN) == whole
    for _first, topic, number, body, whole in publishes(sessions, "config"):
        text = texts.config(body["node"], body["hash"], body["config"])
        assert _again(topic, text, number, packets.RETAIN) == whole


def test_records_are_the_same(sessions: Any) -> None:
    found = publishes(sessions, "counts")
    assert any(len(body["recs"]) > 1 for _, _, _, body, _ in found), "one with several records"
    for first, topic, number, body, whole in found:
        records = ",".join(map(_record, body["recs"]))
        text = texts.open_counts(body["node"], body["log"]) + records + texts.CLOSE
        assert _again(topic, text, number, first & packets.DUP) == whole


def test_answers_and_pings_are_the_same(sessions: Any) -> None:
    kinds = {first: (body, whole) for session in sessions for first, body, whole in session}
    body, whole = kinds[packets.PUBACK]
    assert packets.puback(body) == whole
    assert kinds[packets.PINGREQ[0]][1] == packets.PINGREQ


def _again(topic: str, text: str, number: bytes, flags: int) -> bytes:
    packet_id = int.from_bytes(number, "big")
    return packets.publish(topic, text.encode(), packet_id, packets.QOS_1 | flags)


def _record(values: dict[str, Any]) -> str:
    """A record from the values in it, as the load tool writes it, with the MAC of the node."""
    start = _unix(values["start"]) if values["start"] else 0
    both = [values["speed"][direction] for direction in texts.DIRECTIONS]
    text = texts.head(values["seq"], start, values["len"], values["cov"], values["why"])
    text += texts.tally("counts", _slots(values["counts"]))
    text += texts.tally("total", _slots(values["total"]))
    text += texts.speeds([(one["mean"], one["raw"], one["n"], one["hist"]) for one in both])
    if "spacing" in values:
        spaces = [values["spacing"][direction] for direction in texts.DIRECTIONS]
        text += texts.spacing([tuple(one.values()) for one in spaces])
    age = values["time"]["age"]
    text += texts.tail(values["uptime"], age, values["det"], values["cfg"], values["boot"])
    return f'{text[:-1]},"mac":"{values["mac"]}"}}'  # the nodes of the load tool do not sign


def _slots(both: dict[str, dict[str, int]]) -> list[int]:
    return [both[direction][name] for direction in texts.DIRECTIONS for name in texts.CLASSES]


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
