"""MQTT 3.1.1 packets: the world's broker splits, reads and builds them here. Knows no sessions."""

from __future__ import annotations

from collections.abc import Iterator

PACKET_MAX = 256 * 1024


class Malformed(Exception):
    """Bytes that are not MQTT 3.1.1."""


def split_packet(stream: bytes) -> tuple[int, bytes, bytes] | None:
    """(first byte, body, rest) of the packet in front. None until it is complete."""
    size = shift = 0
    for byte in stream[1:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    else:
        if len(stream) >= 5:
            raise Malformed("length")
        return None
    if size > PACKET_MAX:
        raise Malformed("too long")
    start = 1 + shift // 7
    end = start + size
    if len(stream) < end:
        return None
    return stream[0], stream[start:end], stream[end:]


def length_prefixed(data: bytes) -> Iterator[bytes]:
    """The length-prefixed fields of a payload. Asking for one more than there are raises
    Malformed."""
    while data:
        size = int.from_bytes(data[:2], "big")
        if len(data) < 2 + size:
            raise Malformed("field")
        yield data[2 : 2 + size]
        data = data[2 + size :]
    raise Malformed("missing field")


def topic_name(raw: bytes) -> str:
    """A topic to publish to. It has no wildcards (section 4.7.1)."""
    topic = raw.decode()
    if "+" in topic or "#" in topic:
        raise Malformed("wildcard in a topic name")
    return topic


def read_publish(first: int, body: bytes) -> tuple[str, bytes, bytes]:
    """(topic, packet identifier, payload) of a PUBLISH. No identifier at QoS 0."""
    qos = first >> 1 & 3
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + 2 * (qos > 0)
    if qos > 1 or start > len(body):
        raise Malformed("PUBLISH")
    return topic_name(body[2:end]), body[end:start], body[start:]


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + encode_length(len(body)) + body


def publish(topic: str, payload: bytes, first: int = 0x30, number: bytes = b"") -> bytes:
    """A PUBLISH. `first` holds its flags, `number` is the packet identifier at QoS 1."""
    name = topic.encode()
    return packet(first, len(name).to_bytes(2, "big") + name + number + payload)


def encode_length(size: int) -> bytes:
    """Remaining Length (section 2.2.3)."""
    out = bytearray()
    while True:
        out.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes(out)


def matches(pattern: str, topic: str) -> bool:
    """Topic filters with + and # (section 4.7)."""
    wanted, parts = pattern.split("/"), topic.split("/")
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(parts) or level not in ("+", parts[i]):
            return False
    return len(wanted) == len(parts)
