"""A broker at the other end of a socket in memory, and a client that listens to it.

The test scripts the answers.
"""

import asyncio
import io
import struct
import sys


def length(size):
    """The remaining length of a packet (MQTT 3.1.1, 2.2.3), written without our code."""
    out = b""
    while True:
        size, digit = divmod(size, 128)
        out += bytes((digit | (0x80 if size else 0),))
        if not size:
            return out


class FakeBroker:
    """Stands for the module `socket`. Each of its sockets is connected to this broker.

    connack: answer to CONNECT, b"" = closes the connection, None = no answer. puback:
    function(pid) -> answer to a QoS 1 publish.
    """

    def __init__(self):
        self.connack = b"\x20\x02\x00\x00"
        self.puback = acknowledge
        self.pong = b"\xd0\x00"
        self.unreachable = None  # exception of `connect`
        self.nameless = None  # exception of `getaddrinfo`
        self.lookups = 0
        self.deaf = False  # a connect never ends
        self.connects = []  # body of every CONNECT
        self.published = []  # (flags, topic, packet id, payload)
        self.others = []  # every other packet
        self.sockets = []

    # --- the module `socket`

    def getaddrinfo(self, host, port):
        self.lookups += 1
        if self.nameless:
            raise self.nameless
        return [(0, 0, 0, "", (host, port))]

    def socket(self, *_args):
        self.sockets.append(FakeSocket(self))
        return self.sockets[-1]

    # --- the broker

    def send(self, data):
        """Send bytes on the newest connection."""
        self.sockets[-1].rx += data

    def answer(self, first, body):
        """Return the answer to one whole packet. first: its first byte."""
        kind = first >> 4
        if kind == 1:
            self.connects.append(body)
            return self.connack
        if kind == 12:
            self.others.append((first, body))
            return self.pong
        if kind != 3:
            self.others.append((first, body))
            return b""
        end = 2 + struct.unpack("!H", body[:2])[0]
        pid = 0
        topic = body[2:end]
        if first & 6:
            pid = struct.unpack("!H", body[end : end + 2])[0]
            end += 2
        self.published.append((first & 15, topic, pid, body[end:]))
        return self.puback(pid) if pid else b""


def acknowledge(pid):
    return struct.pack("!BBH", 0x40, 2, pid)


class FakeSocket(io.IOBase):
    """A stream. Written bytes are cut into packets for the broker, `rx` holds bytes to read."""

    def __init__(self, broker):
        self._broker = broker
        self._tx = b""
        self.rx = b""
        self.ended = False  # the other end has closed
        self.closed = False
        self.blocked = False  # accepts no byte
        self.refuses = None  # exception of `write`

    def connect(self, address):
        if self._broker.unreachable:
            raise self._broker.unreachable
        self.address = address

    def setblocking(self, on):
        self.blocking = on

    def write(self, data):
        if self.refuses:
            raise self.refuses
        if self.blocked:
            return None
        self._tx += bytes(data)
        self._cut()
        return len(data)

    def _cut(self):
        while len(self._tx) >= 2:
            size = shift = 0
            at = 1
            while True:
                byte = self._tx[at]
                size |= (byte & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if byte < 0x80:
                    break
            if len(self._tx) < at + size:
                return
            first, body = self._tx[0], self._tx[at : at + size]
            self._tx = self._tx[at + size :]
            answer = self._broker.answer(first, body)
            if first == 0x10 and answer == b"":
                self.ended = True
            self.rx += answer or b""

    def read(self, size):
        """Bytes, None while there are none, b"" after the end."""
        if not self.rx:
            return b"" if self.ended else None
        data, self.rx = self.rx[:size], self.rx[size:]
        return data

    def readinto(self, buf):
        data = self.read(len(buf))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def ioctl(self, op, flags):
        if op == 4:
            self.closed = True
            return 0
        if op != 3:
            return -22  # unknown. With 0 the poll would treat it as a file of that number
        readable = 1 if self.rx or self.ended else 0
        return (readable | (0 if self.blocked or self._broker.deaf else 4)) & flags

    def close(self):
        self.closed = True
        self.ended = True


BROKER = FakeBroker()
sys.modules["socket"] = BROKER

from mqtt import Client, LinkDown  # noqa: E402 - it takes the socket above

TOPIC = b"root/n1/event"


def new_client(keepalive=60, user=None, ack_ms=2000, password="secret"):
    BROKER.__init__()
    client = Client(
        "tallypost-n1", "broker.example", 1883,
        user=user, password=password if user else None, keepalive=keepalive, frame_bytes=512,
    )  # fmt: skip
    client.ack_ms = ack_ms
    return client, BROKER


def text(payload):
    return lambda frame: frame.write(payload)


async def down(awaitable):
    """The message of the LinkDown that `awaitable` ends with, in a bounded time."""
    try:
        await asyncio.wait_for_ms(awaitable, 3000)
    except LinkDown as error:
        return str(error)
    raise AssertionError("no LinkDown")


def with_listener(body, **options):
    """Run body(client, broker) while the client listens."""
    client, broker = new_client(**options)

    async def main():
        await client.open()
        ended = []

        async def listen():
            try:
                await client.listen()
            except LinkDown as error:
                ended.append(str(error))
                client.drop()

        task = asyncio.create_task(listen())
        await asyncio.wait_for_ms(body(client, broker), 5000)
        task.cancel()
        return ended

    return client, broker, asyncio.run(main())


async def reconnect(client):
    """Open a new connection with a listener, as the link does after a loss."""
    client.drop()
    await asyncio.sleep_ms(20)  # the listener of the old connection ends
    await client.open()
    client.ack_ms = 2000

    async def listen():
        try:
            await client.listen()
        except LinkDown:
            return

    return asyncio.create_task(listen())
