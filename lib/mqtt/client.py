"""An MQTT 3.1.1 client: umqtt.simple builds the CONNECT, all else is awaited and bounded.

umqtt.simple blocks while it connects, and waits for a PUBACK without a limit. If a PUBACK comes
late, it loses the framing. It never pings, and stops for ever at packet id 65,536. Here all
packets are read in one place, and one publish is in flight. Packet ids wrap from 65,535 to 1. A
silent broker is noticed within 1.5 keep-alives.
"""

import asyncio
import socket
import struct
import time

from micropython import const

from mqtt.connection import LinkDown, connect, is_session_kept
from mqtt.frame import Frame, encode_length
from mqtt.reader import Reader

_DUP = const(8)
_CLEAN_SESSION = const(2)
_RESOLVE_MS = const(3_600_000)


class Client(Reader):
    """client_id, server, port, user, password, keepalive (s) as in umqtt.simple.

    on_message(topic, payload, is_retained) is called with bytes. on_refused(reason) is called for
    a message that is malformed, or too long for the heap. frame_bytes: longest message, with its
    header and topic.
    """

    def __init__(self, client_id, server, port, *, user, password, keepalive, frame_bytes):
        super().__init__()
        # As bytes, because umqtt.simple sends `len()` as the length, and a text may have more
        # bytes than characters. A user without a password needs an empty one.
        self.user = (user or "").encode() or None
        self.password = (password or "").encode()
        self.client_id = client_id.encode()
        self.server = server
        self.port = port
        self.keepalive = keepalive
        self.pid = 0
        self.will = None  # topic, payload, retained, QoS
        self._packet = None  # the CONNECT packet
        self.resolve = None  # async function(host) -> address; None = getaddrinfo, which blocks
        self.wrap = None  # function(connected socket) -> TLS socket, before its handshake
        self.connect_ms = 5000  # limit for connecting, and again for the CONNACK
        self.ack_ms = 10_000  # limit for a PUBACK
        self.connected = False
        self.retransmits = 0
        self._address = None
        self._resolved_ms = 0
        self._stream = None
        self._reader = None
        self._unacked = (0, None, 0)  # packet id, mark, flags of the last publish without PUBACK
        self._delivered = None  # mark of the message that `retransmit()` has delivered
        self._frame = Frame(frame_bytes)
        self._lock = asyncio.Lock()  # one publish is in flight

    async def open(self):
        """Connect without blocking. True if the broker kept the session.

        Raises LinkDown, or Refused with the broker's code.
        """
        packet = self._connect_packet()
        at = 9 if packet[1] < 0x80 else 10  # the flags (MQTT 3.1.1, 3.1.2)
        # A kept session would send the message that was too long again.
        packet[at] = packet[at] & ~_CLEAN_SESSION | (_CLEAN_SESSION if self.unread else 0)
        try:
            await self._connect()
            await self._write(packet)
            is_kept = is_session_kept(await asyncio.wait_for_ms(self._exactly(4), self.connect_ms))
        except asyncio.TimeoutError:
            self.drop()
            raise LinkDown("no CONNACK within %d ms" % self.connect_ms)
        except LinkDown as error:
            self.drop()
            raise error
        self.connected = True
        return is_kept

    def set_last_will(self, topic, payload, retain, qos):
        """Set the message that the broker publishes if the connection is lost, as bytes."""
        will = topic, payload, retain, qos
        if will != self.will:
            self.will = will
            self._packet = None

    def _connect_packet(self):
        """The CONNECT packet, built by umqtt.simple."""
        if not self._packet:
            from mqtt import capture  # RAM: 5 KB, the library among them, needed once

            try:
                self._packet = capture.connect_packet(self)
            finally:
                capture.unload()
        return self._packet

    async def _connect(self):
        """Connect a socket to the broker."""
        try:
            await self._look_up()
            self._stream = sock = socket.socket()
            sock.setblocking(False)
            await asyncio.wait_for_ms(connect(sock, self._address), self.connect_ms)
            if self.wrap:
                self._stream = self.wrap(sock)
        except asyncio.TimeoutError:
            raise LinkDown("connect: no answer within %d ms" % self.connect_ms)
        except OSError as error:
            raise LinkDown("connect: %r" % error)
        self._reader = asyncio.StreamReader(self._stream)

    async def _look_up(self):
        """Look up the broker's address once an hour. If that fails, the old one stays in use."""
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
        """Close the connection without DISCONNECT, so that the broker publishes the last will."""
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
        except ValueError as error:  # a certificate that is not accepted
            raise LinkDown("tls: " + str(error).strip())

    async def publish(self, topic, fill, retain=False, qos=0):
        """Send the message that `fill(frame)` writes. Return the result of `fill`.

        With qos=1 it returns once the broker has acknowledged the message. Raises LinkDown. The
        same message after that is a retransmission (same packet id, DUP), unless `retransmit()`
        has delivered it already. Raises FrameFull if the message is longer than `frame_bytes`.
        """
        async with self._lock:
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
        if self._delivered == mark:
            self._delivered = None
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

    async def retransmit(self):
        """After `open()`: send the message that was in flight again (MQTT 3.1.1, 4.4)."""
        pid, mark, _flags = self._unacked
        if pid:
            async with self._lock:
                await self._deliver(_DUP)
            self._delivered = mark

    async def subscribe(self, topic):
        """Subscribe to a topic at QoS 1. `listen()` reads the answer."""
        body = struct.pack("!HH", self._next_pid(), len(topic)) + topic + b"\x01"
        await self._send(b"\x82" + encode_length(len(body)) + body)
