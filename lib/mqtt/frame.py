"""One outgoing PUBLISH, written in place into a buffer that is kept for ever.

A payload that is first a dict, then a string, then bytes, then a packet needs memory four times.
On a heap of 100 KB there may be no hole for the fourth copy. So the payload is written here piece
by piece. `json.dump(obj, frame)` works, too. Layout (MQTT 3.1.1, 3.3):

    space for the fixed header (5) | topic length u16 | topic | packet id u16 (QoS 1) | payload
"""

import binascii
import io
import struct

from micropython import const

_HEADER_MAX = const(5)  # type and flags, and a remaining length of up to four bytes


class FrameFull(Exception):
    """The payload does not fit. The frame holds all writes before the last one."""


class Frame(io.IOBase):
    """size: bytes of the buffer, header and topic included."""

    def __init__(self, size):
        self._view = memoryview(bytearray(size))
        self._id_at = 0
        self._payload_at = 0
        self.pos = 0  # of the next byte: set it back to drop the bytes behind it

    def start(self, topic, qos):
        """Begin a message. Raises FrameFull if the topic is too long."""
        self.pos = _HEADER_MAX
        self.write(struct.pack("!H", len(topic)))
        self.write(topic)
        self._id_at = self.pos if qos else 0
        if qos:
            self.write(b"\0\0")
        self._payload_at = self.pos

    def write(self, data):
        """Append text or bytes. Return their length. Raises FrameFull."""
        if isinstance(data, str):
            data = data.encode()
        end = self.pos + len(data)
        if end > len(self._view):
            raise FrameFull("message beyond %d bytes" % len(self._view))
        self._view[self.pos : end] = data
        self.pos = end
        return len(data)

    def written(self, start):
        """A view of the bytes from position `start` on."""
        return self._view[start : self.pos]

    def mark(self):
        """Length and CRC-32 of topic and payload. A repeated message has the same mark."""
        view, payload_at = self._view, self._payload_at
        topic = binascii.crc32(view[_HEADER_MAX : self._id_at or payload_at])
        return self.pos, binascii.crc32(view[payload_at : self.pos], topic)

    def packet(self, flags, pid):
        """The whole PUBLISH as a view of the buffer. flags: low half of the first byte."""
        if self._id_at:
            struct.pack_into("!H", self._view, self._id_at, pid)
        size = self.pos - _HEADER_MAX
        lengths = 1 if size < 0x80 else 2 if size < 0x4000 else 3
        at = _HEADER_MAX - 1 - lengths
        self._view[at] = 0x30 | flags
        for i in range(1, lengths + 1):
            self._view[at + i] = size & 0x7F | (0x80 if i < lengths else 0)
            size >>= 7
        return self._view[at : self.pos]


def encode_length(size):
    """The remaining length of a packet, encoded (MQTT 3.1.1, 2.2.3)."""
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)
