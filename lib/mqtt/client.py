"""An MQTT 3.1.1 client: umqtt.simple for the connection, bounded and awaited for everything else.

umqtt.simple blocks while it connects, waits for a PUBACK without limit, loses the framing when
one comes late, never pings and stops for ever at packet id 65,536. Here it builds the CONNECT; the
waiting is awaited, packets are read in one place, one publish is in flight, ids go round from
65,535 to 1, and silence of the broker is noticed within 1.5 keep-alives.
"""

import asyncio
import socket
import struct
import time

from micropython import const

from mqtt.frame import Frame, length
from mqtt.reach import LinkDown, connected, session_kept
from mqtt.reader import Reader

_DUP = const(8)
_RESOLVE_MS = const(3_600_000)


class Client(Reader):
    """client_id, server, port, user, password, keepalive (s) as in umqtt.simple.

    on_message(topic, payload) is called with bytes, on_refused(reason) for a message that is not
    handed over: too long for the heap, or malformed. room: bytes of the longest message, header
    and topic included.
    """

    def __init__(self, client_id, server, port, *, user, password, keepalive, room):
        super().__init__()
        # As bytes: umqtt.simple announces the length of what it is given, and text has fewer
        # characters than bytes; a user without a password needs an empty one there.
        self.user = (user or "").encode() or None
        self.password = (password or "").encode()
        self.client_id = client_id.encode()
        self.server = server
        self.port = port
        self.keepalive = keepalive
        self.pid = 0
        self.will = None  # topic, payload, retained, QoS
        self._packet = None  # the CONNECT
        self.resolve = None  # async function(host) -> address; else getaddrinfo, which blocks
        self.wrap = None  # function(connected socket) -> TLS socket, without handshake yet
        self.connect_ms = 5000  # how long connecting may take, and then the CONNACK
        self.ack_ms = 10_000  # how long a PUBACK may take
        self.connected = False
        self.retransmits = 0
        self._address = None
        self._resolved_ms = 0
        self._stream = None
        self._reader = None
        self._unacked = (0, None, 0)  # packet id, mark, flags of the last publish without PUBACK
        self._taken = None  # mark of a message that `resume()` has brought home
        self._frame = Frame(room)
        self._one = asyncio.Lock()  # one publish is in flight

    async def open(self):
        """Connect; nothing blocks. Returns whether the broker kept the session.

        Raises LinkDown, or Refused with the broker's code.
        """
        packet = self._connect_packet()
        try:
            await self._reach()
            await self._write(packet)
            kept = session_kept(await asyncio.wait_for_ms(self._exactly(4), self.connect_ms))
        except asyncio.TimeoutError:
            self.drop()
            raise LinkDown("no CONNACK within %d ms" % self.connect_ms)
        except LinkDown as error:
            self.drop()
            raise error
        self.connected = True
        return kept

    def set_last_will(self, topic, payload, retain, qos):
        """What the broker publishes when the connection ends without a word; bytes."""
        will = topic, payload, retain, qos
        if will != self.will:
            self.will = will
            self._packet = None

    def _connect_packet(self):
        """The CONNECT, as umqtt.simple builds it."""
        if not self._packet:
            from mqtt import capture  # RAM: 5 KB, the library among them, needed once

            try:
                self._packet = capture.connect_packet(self)
            finally:
                capture.let_go()
        return self._packet

    async def _reach(self):
        """Connect a socket to the broker."""
        try:
            await self._find()
            self._stream = sock = socket.socket()
            sock.setblocking(False)
            await asyncio.wait_for_ms(connected(sock, self._address), self.connect_ms)
            if self.wrap:
                self._stream = self.wrap(sock)
        except asyncio.TimeoutError:
            raise LinkDown("connect: no answer within %d ms" % self.connect_ms)
        except OSError as error:
            raise LinkDown("connect: %r" % error)
        self._reader = asyncio.StreamReader(self._stream)

    async def _find(self):
        """Find the broker's address, once an hour; where that fails the old one serves on."""
        now_ms = time.ticks_ms()
        if self._address and time.ticks_diff(now_ms, self._resolved_ms) < _RESOLVE_MS:
            return
        try:
            host = await self.resolve(self.server) if self.resolve else self.server
            self._address = socket.getaddrinfo(host, self.port)[0][-1]
        except OSError as error:
            if not self._address:
                raise error
        self._resolved_ms = now_ms

    def drop(self):
        """Close the connection without a word, so that the last will is sent."""
        self.connected = False
        if self._stream:
            self._stream.close()
            self._stream = None
            self._acked.set()

    def _next_pid(self):
        self.pid = self.pid % 65535 + 1
        return self.pid

    async def _send(self, packet):
        if not self.connected:
            raise LinkDown("not connected")
        await self._write(packet)

    async def _write(self, packet):
        try:
            self._reader.write(packet)
            if self._reader.out_buf:  # not all of it went out at once
                await asyncio.wait_for_ms(self._reader.drain(), self.ack_ms)
        except asyncio.TimeoutError:
            self.drop()
            raise LinkDown("write timed out")
        except OSError as error:
            raise LinkDown("write: %r" % error)
        except ValueError as error:  # a certificate that will not do
            raise LinkDown("tls: " + str(error).strip())

    async def publish(self, topic, fill, retain=False, qos=0):
        """Send what `fill(frame)` writes; with qos=1 return when the broker has acknowledged it.

        Returns what `fill` returned. Raises LinkDown; the same message given again after that is
        a retransmission (same packet id, DUP), unless `resume()` has delivered it meanwhile.
        Raises FrameFull when the message is longer than `room`.
        """
        async with self._one:
            if not self.connected:
                raise LinkDown("not connected")
            frame = self._frame
            frame.start(topic, qos)
            result = fill(frame)
            flags = qos << 1 | bool(retain)
            if qos:
                await self._publish_1(flags, frame.mark())
            else:
                self._unacked = (0, None, 0)  # its bytes are overwritten
                await self._send(frame.packet(flags, 0))
            return result

    async def _publish_1(self, flags, mark):
        if self._taken == mark:
            self._taken = None
            return
        _pid, unacked, _flags = self._unacked
        if unacked != mark:
            self._unacked = (self._next_pid(), mark, flags)
        await self._deliver(_DUP if unacked == mark else 0)

    async def _deliver(self, dup):
        """Send the message in the frame and wait until it is acknowledged."""
        pid, _mark, flags = self._unacked
        self.retransmits += 1 if dup else 0
        self._acked.clear()
        self._pending = pid
        await self._send(self._frame.packet(flags | dup, pid))
        try:
            await asyncio.wait_for_ms(self._acked.wait(), self.ack_ms)
        except asyncio.TimeoutError:
            self.drop()  # only a new connection may carry a retransmission
            raise LinkDown("no PUBACK within %d ms" % self.ack_ms)
        if self._pending == pid:
            raise LinkDown("connection lost before PUBACK")
        self._unacked = (0, None, 0)

    async def resume(self):
        """After `open()`: retransmit the message that was in flight (MQTT 3.1.1, 4.4)."""
        pid, mark, _flags = self._unacked
        if pid:
            async with self._one:
                await self._deliver(_DUP)
            self._taken = mark

    async def subscribe_to(self, topic):
        """Ask for a topic at QoS 1; the answer is taken by `listen()`."""
        body = struct.pack("!HH", self._next_pid(), len(topic)) + topic + b"\x01"
        await self._send(b"\x82" + length(len(body)) + body)
