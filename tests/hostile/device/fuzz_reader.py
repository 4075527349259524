"""Bytes of a hostile broker, through the reader of the MQTT client.

Each input is a connection. It ends with LinkDown, or with the end of the bytes.
"""

import random
import struct

from inputs import chance, damaged, main, pick
from mqtt.reader import LinkDown, Reader

_TURNS_MAX = 70_000  # reads of one connection


class _Stream:
    """The bytes of a connection. A read behind its end raises EOFError, as the stream does."""

    def __init__(self, data):
        self._data, self._at, self.turns = data, 0, 0

    async def readexactly(self, size):
        self.turns += 1
        assert self.turns < _TURNS_MAX, "reads for ever"
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        if len(data) < size:
            raise EOFError
        return data


class _Client(Reader):
    """The other half of a client, as far as its reader needs it."""

    keepalive = 60

    def __init__(self, figures):
        super().__init__()
        self._figures = figures
        self.on_message, self.on_refused = self._take, self._refuse_note

    def start(self, data):
        self._reader = _Stream(data)
        self._pending = 7

    async def _send(self, packet):
        assert len(packet) == 4 and packet[:2] == b"\x40\x02", packet
        self._figures["acknowledged"] += 1

    def _take(self, topic, payload, is_retained):
        assert len(topic) <= 256 and len(payload) <= 2048
        self._figures["messages"] += 1

    def _refuse_note(self, reason):
        assert 0 < len(reason) < 100
        self._figures["refused"] += 1

    async def packets(self):
        while True:
            await self._dispatch((await self._exactly(1))[0])


def _length(size):
    out = bytearray()
    while size >= 128:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)


def _size():
    return pick((0, 0, 1, 2, 10, 100, 255, 257, 2000, 2045, 2050, 5000, 16_380, 16_390))


def _packet():
    first = pick((0x30, 0x31, 0x32, 0x33, 0x34, 0x36, 0x3A, 0x40, 0xD0, 0x90, 0x20))
    if chance(8):
        first = random.getrandbits(8)
    if first & 0xF0 == 0x30:
        topic = pick((b"a/cmd", b"a/ack", b"\xff\xfe", b"", b"t" * 257, b"t" * 3000))
        size = len(topic) if not chance(10) else random.getrandbits(16)
        body = struct.pack("!H", size) + topic
        body += struct.pack("!H", random.getrandbits(16)) if first & 6 else b""
        body += bytes(_size() if chance(6) else random.randrange(40))
    elif first == 0x40:
        body = struct.pack("!H", pick((7, 0, 65_535)))
    else:
        body = bytes([random.getrandbits(8) for _ in range(random.randrange(8))])
    size = len(body)
    if chance(12):
        size = pick((0, 1, 2, 3, size + 1, 2049, 16_385, 65_536, 2**21, 2**28 - 1))
    return bytes((first,)) + (_length(size) if not chance(40) else b"\xff\xff\xff\xff\x7f") + body


class Connections:
    """Raises for a connection that ends in any other way."""

    def __init__(self):
        self.last = b""
        self.figures = {"messages": 0, "acknowledged": 0, "refused": 0, "broken": 0, "short": 0}
        self._client = _Client(self.figures)

    def feed(self, _i):
        data = b"".join([_packet() for _ in range(1 + random.randrange(3))])
        self.last = data = damaged(data) if chance(3) else data
        client = self._client
        client.start(data)
        try:
            client.packets().send(None)
        except LinkDown as error:
            self.figures["short" if "EOF" in str(error) else "broken"] += 1
        except StopIteration:
            raise AssertionError("the listener ended by itself") from None
        else:
            raise AssertionError("it waits for something else than bytes")


main(Connections)
