"""An MQTT 3.1.1 client: umqtt.simple builds the CONNECT, all else is awaited and bounded.

umqtt.simple blocks while it connects, and waits for a PUBACK without a limit. If a PUBACK comes
late, it loses the framing. It never pings, and stops for ever at packet id 65,536. Here all
packets are read in one place, and one publish is in flight. Packet ids wrap from 65,535 to 1. A
silent broker is noticed within 1.5 keep-alives.
"""

import asyncio
import struct

from micropython import const

from mqtt.frame import Frame, encode_length
from mqtt.reader import LinkDown, Reader

_DUP = const(8)


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
        self.address = None  # of the broker, looked up once an hour
        self.resolved_ms = 0
        self._stream = None
        self._reader = None
        self._unacked = (0, None, 0)  # packet id, mark, flags of the last publish without PUBACK
        self._delivered = None  # mark of the message that `retransmit()` has delivered
        self._frame = Frame(frame_bytes)
        self._lock = asyncio.Lock()  # one publish is in flight

    async def open(self):
        """Connect without blocking. True if the broker kept the session.

        Raises LinkDown, or Refused with the broker's code. The caller may unload mqtt.connection
        afterwards.
        """
        try:
            from mqtt import connection  # RAM: 1.3 KB, needed for a moment

            packet = self._connect_packet()
            # A kept session would send the message that was too long again.
            connection.ask_for_session(packet, is_clean=self.unread)
            self._stream = await connection.open_stream(self)
            self._reader = asyncio.StreamReader(self._stream)
            await self._write(packet)
            connack = await asyncio.wait_for_ms(self._exactly(4), self.connect_ms)
            is_kept = connection.is_session_kept(connack)
        except asyncio.TimeoutError:
            self.drop()
            raise LinkDown("no CONNACK within %d ms" % self.connect_ms)
        except MemoryError:
            self.drop()
            raise LinkDown("no memory to connect")
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
