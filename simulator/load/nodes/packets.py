"""MQTT 3.1.1 packets as a node writes them, and the packets of a broker, cut out of a stream.

A node has a kept session, a last will of QoS 1 that is retained, and subscribes to one topic in
each SUBSCRIBE (firmware/delivery/mqtt, lib/mqtt). Source: MQTT 3.1.1, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator

CONNACK, PUBLISH, PUBACK, SUBACK = 0x20, 0x30, 0x40, 0x90
PINGREQ = b"\xc0\x00"
QOS_1, RETAIN, DUP = 0x02, 0x01, 0x08
_CONNECT, _SUBSCRIBE = 0x10, 0x82
_WILL = 0x04 | 0x08 | 0x20  # flag, QoS 1, retained
_USER, _PASSWORD = 0x80, 0x40


class Malformed(Exception):
    """Bytes that are not MQTT."""


def text(value: bytes) -> bytes:
    """A field with its length in front."""
    return len(value).to_bytes(2, "big") + value


def packet(first: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([first]) + bytes(length) + body


def connect(
    client_id: str, keepalive_s: int, will: tuple[str, str], user: str = "", password: str = ""
) -> bytes:
    """CONNECT for a kept session. will: topic and payload."""
    flags, fields = _WILL, [client_id, *will]
    if user:
        flags |= _USER | _PASSWORD
        fields += [user, password]
    head = text(b"MQTT") + bytes([4, flags]) + keepalive_s.to_bytes(2, "big")
    return packet(_CONNECT, head + b"".join(text(field.encode()) for field in fields))


def subscribe(packet_id: int, topic: str) -> bytes:
    """SUBSCRIBE to one topic at QoS 1."""
    return packet(_SUBSCRIBE, packet_id.to_bytes(2, "big") + text(topic.encode()) + b"\x01")


def publish(topic: str, payload: bytes, packet_id: int, flags: int = QOS_1) -> bytes:
    """PUBLISH. packet_id: 0 at QoS 0. flags: low half of the first byte."""
    number = packet_id.to_bytes(2, "big") if flags & QOS_1 else b""
    return packet(PUBLISH | flags, text(topic.encode()) + number + payload)


def puback(packet_id: bytes) -> bytes:
    return packet(PUBACK, packet_id)


def read_publish(first: int, body: bytes) -> tuple[str, bytes, bytes]:
    """(topic, packet id, payload) of a PUBLISH. No packet id at QoS 0. Raises Malformed."""
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + (2 if first & 0x06 else 0)
    if start > len(body):
        raise Malformed("PUBLISH")
    return body[2:end].decode(errors="replace"), body[end:start], body[start:]


class Splitter:
    """Cuts a stream of MQTT into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The whole packets up to here: (first byte, body). Raises Malformed."""
        self._rest += data
        while (cut := self._cut()) is not None:
            yield cut

    def _cut(self) -> tuple[int, bytes] | None:
        rest, size = self._rest, 0
        for i, byte in enumerate(rest[1:5]):
            size |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                end = 2 + i + size
                if len(rest) < end:
                    return None
                self._rest = rest[end:]
                return rest[0], rest[2 + i : end]
        if len(rest) >= 5:
            raise Malformed("length")
        return None
