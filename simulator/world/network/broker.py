"""A small, deterministic MQTT 3.1.1 broker. A checker can see its work, and faults can break it.

It covers the needs of nodes and backend: QoS 0 and 1 both ways, retained messages, last will,
durable sessions with redelivery, keep-alive, takeover. An access list keeps a node inside its own
topics. The broker acknowledges denied messages and passes nothing on, PUBLISH and SUBSCRIBE alike,
as real brokers do (MQTT-3.3.5-2). A malformed packet closes the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.world.network import hostile, mqtt
from simulator.world.network.mqtt import PACKET_MAX, Malformed, encode_length, matches

__all__ = (
    "PACKET_MAX", "AcknowledgedPublish", "Broker", "Connection", "Malformed", "Session",
    "encode_length", "matches",
)  # fmt: skip

Out = Callable[[int, bytes], None]
Closed = Callable[[int, int], None]
Subscriber = Callable[[int, str, bytes], None]


@dataclass
class Session:
    """The broker's memory of a client of `node`, connected or not. `clean`: only while it is
    connected.
    """

    node: str = ""
    clean: bool = False
    subscriptions: dict[str, int] = field(default_factory=dict)
    unacknowledged: dict[int, bytes] = field(default_factory=dict)
    packet_id: int = 0


@dataclass
class AcknowledgedPublish:
    """A message that the broker acknowledged with QoS 1. `allowed`: the access list let it
    through.
    """

    t_us: int
    topic: str
    payload: bytes
    allowed: bool


class Broker:
    """users: name -> password, empty = anybody. root: topics are root/<node>/<suffix>."""

    def __init__(self, root: str, users: dict[str, str] | None = None) -> None:
        self.root = root
        self.users = users or {}
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self.connected: dict[str, Connection] = {}
        self.acknowledged: list[AcknowledgedPublish] = []
        self.refused = 0
        self.refusal: Callable[[int], int] = lambda _t: 0  # CONNACK code at a time
        self.ack_late_us: Callable[[int], int] = lambda _t: 0  # delay of the next PUBACK
        self.is_hostile: Callable[[int], bool] = lambda _t: False  # at a time, see hostile.py
        self.call_at: Callable[[int, Callable[[], None]], None] = lambda _t, _f: None
        self._subscribers: list[Subscriber] = []

    def attach(self, subscriber: Subscriber) -> None:
        """Show a subscriber inside the world every message that the list allows."""
        self._subscribers.append(subscriber)

    def allows(self, node: str, topic: str) -> bool:
        """The access list: a node writes and reads its own topics, and no others."""
        return topic.startswith(f"{self.root}/{node}/")

    def publish(self, t_us: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send a message to every client that has subscribed to it and may have it."""
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)  # MQTT-3.3.1-10
        for subscriber in self._subscribers:
            subscriber(t_us, topic, payload)
        for client, session in self.sessions.items():
            granted = [q for f, q in session.subscriptions.items() if matches(f, topic)]
            if granted and self.allows(session.node, topic):
                connection = self.connected.get(client)
                queue_message(session, connection, t_us, (topic, payload), min(qos, max(granted)))

    def harass(self, t_us: int) -> None:
        """Send a hostile message to every client."""
        for connection in self.connected.values():
            connection.harass(t_us)

    def stop(self, t_us: int) -> None:
        """The broker goes away, and all connections with it. Durable sessions stay."""
        for connection in list(self.connected.values()):
            connection.shut(t_us, 104)


def queue_message(
    session: Session,
    connection: Connection | None,
    t_us: int,
    message: tuple[str, bytes],
    qos: int,
) -> None:
    """Queue a message for a session, and send it when the session is connected."""
    number = b""
    if qos:
        session.packet_id = session.packet_id % 65535 + 1
        number = session.packet_id.to_bytes(2, "big")
    packet = mqtt.publish(*message, 0x30 | qos << 1, number)
    if qos:
        session.unacknowledged[session.packet_id] = packet
    if connection:
        connection.out(t_us, packet)


class Connection:
    """One TCP connection to the broker. out(t_us, data) and closed(t_us, errno) lead to the
    client.
    """

    def __init__(self, broker: Broker, node: str, out: Out, closed: Closed) -> None:
        self.out = out
        self._closed = closed
        self._broker = broker
        self._node = node
        self._buffer = b""
        self._client: str | None = None
        self._session = Session()
        self._will: tuple[str, bytes, int, bool] | None = None
        self._open = True
        self.keepalive_s = 0
        self.last_us = 0

    def feed(self, t_us: int, data: bytes) -> None:
        """Bytes from the client."""
        self.last_us = t_us
        self._buffer += data
        try:
            while self._open:
                packet = mqtt.split_packet(self._buffer)
                if packet is None:
                    return
                first, body, self._buffer = packet
                self._handle(t_us, first, body)
        except (Malformed, IndexError, UnicodeDecodeError):
            self.shut(t_us, 104)

    def _handle(self, t_us: int, first: int, body: bytes) -> None:
        kind = first >> 4
        if self._client is None and kind != 1:
            raise Malformed("not connected")
        if kind == 1:
            self._connect(t_us, body)
        elif kind == 3:
            self._publish(t_us, first, body)
        elif kind == 4:
            self._session.unacknowledged.pop(int.from_bytes(body[:2], "big"), None)
        elif kind == 8:
            self._subscribe(t_us, body)
        elif kind == 12:
            self.out(t_us, b"\xd0\0")
        elif kind == 14:
            self._will = None
            self.shut(t_us, 0)
        else:
            raise Malformed(f"packet type {kind}")

    def _connect(self, t_us: int, body: bytes) -> None:
        if self._client is not None or body[:7] != b"\0\4MQTT\4":
            raise Malformed("CONNECT")
        flags = body[7]
        self.keepalive_s = int.from_bytes(body[8:10], "big")
        fields = mqtt.length_prefixed(body[10:])
        client = next(fields).decode()
        will = None
        if flags & 4:
            topic, payload = mqtt.topic_name(next(fields)), next(fields)
            will = (topic, payload, flags >> 3 & 3, bool(flags & 0x20))
        user = next(fields).decode() if flags & 0x80 else ""
        password = next(fields).decode() if flags & 0x40 else ""
        broker = self._broker
        code = broker.refusal(t_us)
        if broker.users and broker.users.get(user) != password:
            code = 5
        if code:
            broker.refused += 1
            self.out(t_us, bytes([0x20, 2, 0, code]))
            self.shut(t_us, 0)
            return
        other = broker.connected.pop(client, None)
        if other:
            other.shut(t_us, 104)
        self._session = Session(self._node, bool(flags & 2))
        held = broker.sessions.get(client)
        kept = held is not None and held.node == self._node and not self._session.clean
        if held and kept:
            self._session = held
        broker.sessions[client] = self._session
        broker.connected[client] = self
        self._client, self._will = client, will
        self.out(t_us, b"\x20\x02" + bytes([kept, 0]))
        for packet in self._session.unacknowledged.values():
            self.out(t_us, bytes([packet[0] | 8]) + packet[1:])

    def _publish(self, t_us: int, first: int, body: bytes) -> None:
        topic, number, payload = mqtt.read_publish(first, body)
        allowed = self._broker.allows(self._node, topic)
        if number:
            self._broker.acknowledged.append(AcknowledgedPublish(t_us, topic, payload, allowed))
            self._acknowledge(t_us, number)
        if allowed:
            self._broker.publish(t_us, topic, payload, first >> 1 & 3, bool(first & 1))

    def _acknowledge(self, t_us: int, number: bytes) -> None:
        """Send the PUBACK, at once or late. A late one is sent only if the connection still
        exists."""
        late_us = self._broker.ack_late_us(t_us)
        if not late_us:
            self.out(t_us, b"\x40\x02" + number)
            return

        def late() -> None:
            if self._open:
                self.out(t_us + late_us, b"\x40\x02" + number)

        self._broker.call_at(t_us + late_us, late)

    def _subscribe(self, t_us: int, body: bytes) -> None:
        if len(body) < 5:
            raise Malformed("SUBSCRIBE")
        answer = bytearray(body[:2])
        rest = body[2:]
        while rest:
            size = int.from_bytes(rest[:2], "big")
            pattern, qos = rest[2 : 2 + size].decode(), rest[2 + size] & 1
            rest = rest[3 + size :]
            self._session.subscriptions[pattern] = qos
            answer.append(qos)
            for topic, payload in self._broker.retained.items():
                if matches(pattern, topic) and self._broker.allows(self._node, topic):
                    self.out(t_us, mqtt.publish(topic, payload, 0x31))
            if self._broker.is_hostile(t_us):
                self._greet(t_us, pattern)
        self.out(t_us, mqtt.packet(0x90, bytes(answer)))

    def _greet(self, t_us: int, pattern: str) -> None:
        """The hostile manner: retained messages, the last one without an end."""
        for suffix, payload in hostile.KEPT:
            if pattern == f"{self._broker.root}/{self._node}/{suffix}":
                self.out(t_us, mqtt.publish(pattern, payload, hostile.RETAINED))
        if pattern.endswith("/cmd"):
            self.out(t_us, hostile.huge(pattern))

    def harass(self, t_us: int) -> None:
        """The hostile manner: one message that is no order."""
        suffix, payload = hostile.SENT[t_us // hostile.PERIOD_US % len(hostile.SENT)]
        topic = f"{self._broker.root}/{self._node}/{suffix}"
        self.out(t_us, mqtt.publish(topic, payload, hostile.LIVE))

    def expired(self, t_us: int) -> bool:
        """True if the client has been silent for one and a half keep-alives."""
        return bool(
            self._open and self.keepalive_s
            and t_us - self.last_us > self.keepalive_s * 1_500_000
        )  # fmt: skip

    def shut(self, t_us: int, code: int) -> None:
        """End the connection. The last will is published unless the client has sent DISCONNECT."""
        if not self._open:
            return
        self._open = False
        broker = self._broker
        if self._client and broker.connected.get(self._client) is self:
            del broker.connected[self._client]
        if self._client and self._session.clean:
            del broker.sessions[self._client]  # MQTT-3.1.2-6
        self._closed(t_us, code)
        if self._will and broker.allows(self._node, self._will[0]):
            broker.publish(t_us, *self._will)
