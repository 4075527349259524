"""Reads the packets of the broker, in one place, and notices its silence.

A message that is malformed, or too long for the heap, is skipped, acknowledged and reported. A
message that would take too long to skip is not read: it ends the connection, as a packet does
that breaks the framing.
"""

import asyncio
import struct
import time

from micropython import const

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_QOS_1 = const(2)
_INBOUND_MAX = const(2048)
_SKIPPED_MAX = const(16_384)  # bytes: longer than a command or an acknowledgement ever is
_TOPIC_MAX = const(256)


class LinkDown(Exception):
    """The connection is lost, or never came up. The message has the reason."""


class Reader:
    """The reading half of a `Client`, which has `_reader`, `_send(packet)` and `keepalive` (s)."""

    def __init__(self):
        self.on_message = None  # function(topic, payload, is_retained), with bytes
        self.on_refused = None  # function(reason)
        self.unread = b""  # topic of a message that was too long to be read
        self.oversized = self.malformed = 0
        self._pending = 0  # packet id of the publish in flight, 0 = none
        self._acked = asyncio.Event()  # it was acknowledged, or the connection is lost
        self._heard_ms = 0  # end of the last packet of the broker
        self._why = ""  # reason for which `_ping` has ended the listener

    async def listen(self):
        """Read packets until the connection is lost. Always ends with LinkDown.

        After half a keep-alive of silence the broker gets a ping. After one more keep-alive it
        counts as dead. A packet that never ends is silence, too.
        """
        self._why = ""
        self._heard_ms = time.ticks_ms()
        ping = asyncio.create_task(self._ping(asyncio.current_task()))
        try:
            while True:
                await self._dispatch((await self._exactly(1))[0])
                self._heard_ms = time.ticks_ms()
        except asyncio.CancelledError as error:
            raise LinkDown(self._why) if self._why else error
        finally:
            ping.cancel()

    async def _ping(self, listener):
        """Ping a silent broker. End the listener if it does not answer.

        It is a task of its own: a time limit around every read would cost 8 KB of heap a ping.
        """
        half_ms = self.keepalive * 500
        while not self._why:
            heard_ms = self._heard_ms
            quiet_ms = time.ticks_diff(time.ticks_ms(), heard_ms)
            await asyncio.sleep_ms(max(1, half_ms - quiet_ms))
            if self._heard_ms != heard_ms:
                continue
            try:
                await self._send(b"\xc0\0")
            except LinkDown as error:
                self._why = str(error)
                break
            await asyncio.sleep_ms(half_ms)
            if self._heard_ms == heard_ms:
                await asyncio.sleep_ms(half_ms)
            if self._heard_ms == heard_ms:
                self._why = "the broker is silent"
        listener.cancel()

    async def _exactly(self, size):
        try:
            return await self._reader.readexactly(size)
        except (OSError, EOFError) as error:
            raise LinkDown("read: %r" % error)
        except ValueError as error:
            raise LinkDown("tls: " + str(error).strip())

    async def _dispatch(self, first):
        """Process a packet. first: its first byte."""
        size = await self._length()
        kind = first & 0xF0
        if size > _INBOUND_MAX:
            await self._skip(first, size)
            return
        body = await self._exactly(size) if size else b""
        if kind == _PUBACK and size == 2:
            if struct.unpack("!H", body)[0] == self._pending:
                self._pending = 0
                self._acked.set()
        elif kind == _PUBLISH:
            await self._inbound(first, body)

    async def _skip(self, first, size):
        """Skip a message too long for the heap, but acknowledge it: else it comes for ever."""
        self.oversized += 1
        reason = "message of %d bytes, at most %d" % (size, _INBOUND_MAX)
        if size > _SKIPPED_MAX:
            topic = struct.unpack("!H", await self._exactly(2))[0]
            if first & 0xF0 == _PUBLISH and topic <= _TOPIC_MAX:
                self.unread = await self._exactly(topic)
            raise LinkDown(reason)
        pid = None
        if first & 0xF6 == _PUBLISH | _QOS_1:
            topic = struct.unpack("!H", await self._exactly(2))[0]
            if topic + 4 > size:
                raise LinkDown("malformed topic length")
            await self._discard(topic)
            pid = await self._exactly(2)
            size -= topic + 4
        await self._discard(size)
        if pid:
            await self._send(b"\x40\x02" + pid)
        self._refuse(reason)

    def _refuse(self, reason):
        if self.on_refused:
            self.on_refused(reason)

    async def _discard(self, size):
        while size:
            size -= len(await self._exactly(min(size, 256)))

    async def _length(self):
        """The remaining length of a packet."""
        size = shift = 0
        while True:
            byte = (await self._exactly(1))[0]
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                return size
            shift += 7
            if shift > 21:
                raise LinkDown("malformed packet length")

    async def _inbound(self, first, body):
        qos = first >> 1 & 3
        end = 2 + struct.unpack("!H", body[:2])[0] if len(body) >= 2 else 1 << 16
        start = end + (2 if qos else 0)
        if start > len(body) or qos > 1:  # the framing holds: go on
            self.malformed += 1
            self._refuse("malformed message of %d bytes" % len(body))
            return
        if qos:
            await self._send(b"\x40\x02" + body[end:start])
        if end > _TOPIC_MAX:
            self.malformed += 1
            self._refuse("topic of %d bytes" % (end - 2))
        elif self.on_message:
            self.on_message(body[2:end], body[start:], first & 1)
