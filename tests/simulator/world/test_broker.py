"""The world's MQTT broker, fed with packets written by hand (MQTT 3.1.1)."""

from __future__ import annotations

import pytest

from simulator.world.network.broker import Broker, Connection, encode_length, matches

ROOT = "tallypost/v1"
OWN = f"{ROOT}/n1/counts"


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + encode_length(len(body)) + body


def connect(
    client: str = "n1", *, clean: bool = False, will: tuple[str, bytes] | None = None,
    login: tuple[str, str] | None = None,
) -> bytes:  # fmt: skip
    flags = 2 * clean | (0x24 | 8 if will else 0) | (0xC0 if login else 0)
    body = text("MQTT") + bytes([4, flags, 0, 60]) + text(client)
    if will:
        body += text(will[0]) + text(will[1])
    for value in login or ():
        body += text(value)
    return packet(0x10, body)


def publish(topic: str, payload: bytes, qos: int = 1, number: int = 1, flags: int = 0) -> bytes:
    middle = number.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1 | flags, text(topic) + middle + payload)


def subscribe(pattern: str, qos: int = 1) -> bytes:
    return packet(0x82, b"\0\x07" + text(pattern) + bytes([qos]))


class Client:
    """A node's connection: its received packets, and its end."""

    def __init__(self, broker: Broker, node: str = "n1", hello: bytes | None = None) -> None:
        self.got: list[bytes] = []
        self.ended: list[int] = []
        self.link = Connection(broker, node, self._out, lambda _t, code: self.ended.append(code))
        self.link.feed(0, connect(node) if hello is None else hello)

    def _out(self, _t_us: int, data: bytes) -> None:
        self.got.append(data)

    def send(self, *packets: bytes) -> list[bytes]:
        """Feed packets. Return the packets that came back since."""
        self.got.clear()
        for data in packets:
            self.link.feed(1, data)
        return list(self.got)


@pytest.fixture
def broker() -> Broker:
    return Broker(ROOT)


@pytest.fixture
def heard(broker: Broker) -> list[tuple[str, bytes]]:
    messages: list[tuple[str, bytes]] = []
    broker.attach(lambda _t, topic, payload: messages.append((topic, payload)))
    return messages


def test_a_connection_is_accepted(broker: Broker) -> None:
    assert Client(broker).got == [b"\x20\x02\0\0"]
    assert Client(broker, "n2").send(b"\xc0\0") == [b"\xd0\0"]


def test_qos_0_is_delivered_and_qos_1_is_acknowledged_too(
    broker: Broker, heard: list[tuple[str, bytes]]
) -> None:
    client = Client(broker)
    assert client.send(publish(OWN, b"a", 0)) == []
    assert client.send(publish(OWN, b"b", 1, 0x1234)) == [b"\x40\x02\x12\x34"]
    assert heard == [(OWN, b"a"), (OWN, b"b")]
    assert [(a.payload, a.allowed) for a in broker.acknowledged] == [(b"b", True)]


def test_a_repeated_message_is_delivered_and_acknowledged_again(
    broker: Broker, heard: list[tuple[str, bytes]]
) -> None:
    client = Client(broker)
    answers = client.send(publish(OWN, b"a"), publish(OWN, b"a", flags=8))
    assert answers == [b"\x40\x02\0\x01"] * 2
    assert heard == [(OWN, b"a")] * 2  # at least once: the backend sorts it out


def test_packets_may_arrive_in_any_pieces(broker: Broker, heard: list[tuple[str, bytes]]) -> None:
    stream = connect() + publish(OWN, b"x" * 300) + b"\xc0\0" + publish(OWN, b"y", 0)
    client = Client(broker, hello=b"")
    for i in range(len(stream)):
        client.link.feed(i, stream[i : i + 1])
    assert client.got == [b"\x20\x02\0\0", b"\x40\x02\0\x01", b"\xd0\0"]
    assert heard == [(OWN, b"x" * 300), (OWN, b"y")]


def test_a_subscriber_gets_what_it_asked_for_with_the_lower_qos(broker: Broker) -> None:
    client = Client(broker)
    assert client.send(subscribe(f"{ROOT}/n1/cmd", 0)) == [b"\x90\x03\0\x07\0"]
    assert client.send(subscribe(f"{ROOT}/n1/ack", 1)) == [b"\x90\x03\0\x07\x01"]
    client.got.clear()
    for suffix in ("cmd", "ack", "other"):
        broker.publish(5, f"{ROOT}/n1/{suffix}", b"hi", 1, False)
    assert client.got == [
        publish(f"{ROOT}/n1/cmd", b"hi", 0),
        publish(f"{ROOT}/n1/ack", b"hi", 1),
    ]


def test_an_unacknowledged_message_comes_again_to_a_durable_session(broker: Broker) -> None:
    topic = f"{ROOT}/n1/ack"
    first = Client(broker)
    first.send(subscribe(topic))
    for payload in (b"1", b"2"):
        broker.publish(0, topic, payload, 1, False)
    first.send(packet(0x40, b"\0\x01"))
    first.link.shut(1, 104)
    broker.publish(2, topic, b"3", 1, False)
    assert len(first.got) == 0, "nothing goes to a closed connection"
    again = Client(broker)
    assert again.got == [
        b"\x20\x02\x01\0",
        publish(topic, b"2", 1, 2, 8),
        publish(topic, b"3", 1, 3, 8),
    ]


def test_a_clean_session_forgets(broker: Broker) -> None:
    topic = f"{ROOT}/n1/ack"
    Client(broker).send(subscribe(topic))
    broker.publish(0, topic, b"1", 1, False)
    clean = Client(broker, hello=connect(clean=True))
    assert clean.got == [b"\x20\x02\0\0"]
    broker.publish(0, topic, b"2", 1, False)
    assert clean.got == [b"\x20\x02\0\0"]


def test_a_clean_session_ends_with_its_connection(broker: Broker) -> None:
    client = Client(broker, hello=connect(clean=True))
    client.send(subscribe(f"{ROOT}/n1/ack"), b"\xe0\0")
    broker.publish(0, f"{ROOT}/n1/ack", b"1", 1, False)
    assert Client(broker).got == [b"\x20\x02\0\0"]


def test_a_retained_message_waits_for_subscribers(broker: Broker) -> None:
    Client(broker).send(publish(f"{ROOT}/n1/status", b"on", 1, flags=1))
    observer = Client(broker, "n1", connect("watcher"))
    got = observer.send(subscribe(f"{ROOT}/+/status"))
    assert publish(f"{ROOT}/n1/status", b"on", 0, flags=1) in got
    Client(broker, "n1").send(publish(f"{ROOT}/n1/counts", b"x", 1))
    got = observer.send(subscribe(f"{ROOT}/+/counts"))
    assert got == [b"\x90\x03\0\x07\x01"]


def test_an_empty_retained_message_deletes_the_old_one(broker: Broker) -> None:
    topic = f"{ROOT}/n1/status"
    Client(broker).send(publish(topic, b"on", flags=1), publish(topic, b"", flags=1))
    observer = Client(broker, "n1", connect("watcher"))
    assert observer.send(subscribe(topic)) == [b"\x90\x03\0\x07\x01"]
    assert broker.retained == {}


@pytest.mark.parametrize("end", ("lost", "garbage", "taken over", "broker stops"))
def test_the_last_will_is_published_when_a_client_vanishes(
    broker: Broker, heard: list[tuple[str, bytes]], end: str
) -> None:
    topic = f"{ROOT}/n1/status"
    client = Client(broker, hello=connect(will=(topic, b"off")))
    if end == "lost":
        client.link.shut(1, 0)
    elif end == "garbage":
        client.send(b"\x00\x00")
    elif end == "taken over":
        Client(broker)
    else:
        broker.stop(1)
    assert heard == [(topic, b"off")] and len(client.ended) == 1
    assert broker.retained == {topic: b"off"}


def test_a_disconnect_deletes_the_last_will(
    broker: Broker, heard: list[tuple[str, bytes]]
) -> None:
    client = Client(broker, hello=connect(will=(f"{ROOT}/n1/status", b"off")))
    client.send(b"\xe0\0")
    assert heard == [] and client.ended == [0]


def test_a_second_connection_of_a_client_ends_the_first(broker: Broker) -> None:
    first, second = Client(broker), Client(broker)
    assert first.ended == [104] and second.ended == []
    first.link.feed(2, publish(OWN, b"late"))
    assert broker.acknowledged == []
    assert second.send(publish(OWN, b"now")) == [b"\x40\x02\0\x01"]


def test_stop_ends_every_connection_and_keeps_durable_sessions(broker: Broker) -> None:
    clients = [Client(broker, name) for name in ("n1", "n2", "n3")]
    clients[0].send(subscribe(f"{ROOT}/n1/ack"))
    broker.stop(7)
    assert [client.ended for client in clients] == [[104]] * 3
    broker.publish(8, f"{ROOT}/n1/ack", b"kept", 1, False)
    assert Client(broker).got[1:] == [publish(f"{ROOT}/n1/ack", b"kept", 1, 1, 8)]


def test_silence_of_one_and_a_half_keepalives_is_the_end(broker: Broker) -> None:
    link = Client(broker).link  # 60 s
    assert not link.expired(90_000_000) and link.expired(90_000_001)
    link.feed(80_000_000, b"\xc0\0")
    assert not link.expired(170_000_000)


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    (
        ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/b/c", "a/b", False),
        ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/b/c", False), ("a/+", "a", False),
        ("+/+", "a/b", True), ("#", "a/b/c", True), ("a/#", "a/b/c", True), ("a/#", "a", True),
        ("a/#", "b/a", False), ("a/+", "a/", True), ("A/b", "a/b", False),
    ),
)  # fmt: skip
def test_wildcards(pattern: str, topic: str, fits: bool) -> None:
    assert matches(pattern, topic) is fits
