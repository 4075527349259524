"""Delivery: records leave oldest first, and are kept until the backend says that it has them.

Two cursors: *sent* follows the broker's PUBACK, *confirmed* the backend's cumulative
acknowledgement. A PUBACK is no proof (what an access list denies is acknowledged too), so when a
backend has confirmed before and then stays silent, sending starts over behind what it confirmed.
Without a confirming backend every record is sent once and kept for `resend`.
"""

import asyncio
import json
import struct

from micropython import const

from mqtt import FrameFull, LinkDown
from ring import ANCHOR, EVENT, INTERVAL
from wire.jsonform import CLOSE, envelope, open_counts, parse_ack, write_interval
from wire.record import MAX_BYTES, TIME_ANCHOR, WHY_CLOCK, Interval

_MQTT = const(0)
_PAUSE_MS = const(200)  # between batches of a backlog: counting comes first
_CONFIRM_S = const(120)
_CONFIRM_MOST_S = const(3600)
_ANCHOR_SEARCH = const(200)
_MAX_REQUEST = const(20_000)
_MAX_REQUESTS = const(8)


class Uplink:
    """ring, link (MqttLink), clock are handed in."""

    def __init__(self, ring, link, node, clock, *, uptime_s, boot):
        self._ring = ring
        self._link = link
        self._node = node
        self._clock = clock
        self._uptime_s = uptime_s
        self._boot = boot
        self._news = asyncio.Event()
        self._buf = bytearray(600)
        self._rec = Interval()
        self._sent, self._confirmed = ring.cursor(_MQTT)
        self._confirms = self._confirmed > 0  # there is a backend that confirms
        self._patience_s = _CONFIRM_S
        self._waiting_since = 0
        self._again = []  # ranges of numbers to send again, on request
        self.refused_acks = 0
        self.rewinds = 0

    def queue_depth(self):
        """Records the backend has not confirmed (or, without one, the broker not taken)."""
        done = self._confirmed if self._confirms else self._sent
        return self._ring.next_seq - 1 - max(done, self._ring.first_seq - 1)

    def wake(self):
        self._news.set()

    def event(self, what, **details):
        """Put an event into the log; it goes out like everything else."""
        details["event"] = what
        details["uptime"] = self._uptime_s()
        details["boot"] = self._boot
        details["utc"] = self._clock.utc()
        self._ring.append(EVENT, json.dumps(details).encode())
        self.wake()

    # --- what the backend says

    def acknowledge(self, payload):
        """Take the backend's acknowledgement; raises ValueError naming what is wrong."""
        log_id, seq = parse_ack(payload)
        if log_id != self._ring.log_id:
            raise ValueError("ack: log %08x, mine is %08x" % (log_id, self._ring.log_id))
        if not 0 <= seq < self._ring.next_seq:
            raise ValueError("ack: seq %d, newest is %d" % (seq, self._ring.next_seq - 1))
        if seq > self._confirmed or not self._confirms:
            self._confirms = True
            self._confirmed = max(seq, self._confirmed)
            self._sent = max(self._sent, self._confirmed)
            self._patience_s = _CONFIRM_S
            self._waiting_since = self._uptime_s()
            self._ring.set_cursor(_MQTT, self._sent, self._confirmed)
        self.wake()

    def resend(self, first, last):
        """Send records again; returns the range that is still held. Raises ValueError."""
        if not 1 <= first <= last or last - first > _MAX_REQUEST:
            raise ValueError("resend: %r..%r is no range" % (first, last))
        if last >= self._ring.next_seq:
            raise ValueError("resend: newest is %d" % (self._ring.next_seq - 1))
        if len(self._again) == _MAX_REQUESTS:
            raise ValueError("resend: %d ranges are waiting, ask again later" % _MAX_REQUESTS)
        self._again.append((first, last))
        self.wake()
        return max(first, self._ring.first_seq), last

    # --- sending

    async def run(self):
        """Send whatever is to be sent, for ever."""
        while True:
            await self._link.wait_up()
            try:
                busy = await self._send_some()
            except LinkDown:
                await asyncio.sleep(1)
                continue
            if busy:
                await asyncio.sleep_ms(_PAUSE_MS)
            else:
                await self._rest()

    async def _rest(self):
        """Wait for news; when confirmation stays away, go back to what was confirmed."""
        self._news.clear()
        if not self._confirms or self._confirmed >= self._sent:
            await self._news.wait()
            return
        try:
            await asyncio.wait_for(self._news.wait(), self._patience_s)
        except asyncio.TimeoutError:
            self.rewinds += 1
            self._sent = self._confirmed
            self._patience_s = min(self._patience_s * 2, _CONFIRM_MOST_S)

    async def _send_some(self):
        """Send one batch; False when there is nothing to send."""
        if self._again:
            first, last = self._again[0]
            following = await self._batch(first, last)
            if following > last:
                self._again.pop(0)
            else:
                self._again[0] = following, last
            return True
        first = self._sent + 1
        last = self._ring.next_seq - 1
        if first > last:
            return False
        following = await self._batch(first, last)
        if following - 1 > self._sent:
            self._sent = following - 1
            self._ring.set_cursor(_MQTT, self._sent, self._confirmed)
        return True

    async def _batch(self, first, last):
        """Send as many interval records as one message holds, or the one thing that goes alone.

        Returns the number to go on with.
        """
        kind, n = self._look(first)
        if kind == INTERVAL:
            return await self._link.publish("counts", lambda frame: self._fill(frame, first, last))
        if kind == EVENT:
            await self._send_event(first, n)
        elif kind == ANCHOR:
            await self._send_anchor(first)
        elif not kind:
            return await self._send_gone(first, last)
        return first + 1

    def _look(self, seq):
        """Read a record into the buffer; kind and length, kind 0 = overwritten or damaged."""
        try:
            kind, n = self._ring.read(seq, self._buf)
            if kind == INTERVAL:
                self._rec.unpack(self._buf, n)
        except (KeyError, ValueError):
            return 0, 0
        return kind, n

    def _fill(self, frame, first, last):
        """Write interval records from `first` on; return the number that follows the last one."""
        open_counts(frame, self._node, self._ring.log_id)
        seq = first
        while seq <= last and self._look(seq)[0] == INTERVAL:
            mark = frame.pos
            try:
                if seq > first:
                    frame.write(",")
                self._write_record(frame, seq)
                frame.write(CLOSE)
            except FrameFull:
                if seq == first:
                    raise
                frame.pos = mark
                break
            frame.pos -= len(CLOSE)
            seq += 1
        frame.write(CLOSE)
        return seq

    async def _send_gone(self, first, last):
        """Say that records exist no longer; returns the number to go on with."""
        end = max(first, self._ring.first_seq - 1)
        while end < last and not self._look(end + 1)[0]:
            end += 1
        body = {"event": "gone", "from": first, "to": end}
        await self._link.publish("event", envelope(self._node, self._ring.log_id, body))
        return end + 1

    async def _send_event(self, seq, n):
        try:
            body = json.loads(bytes(self._buf[:n]))
        except ValueError:
            body = {"event": "unreadable"}
        body["seq"] = seq
        await self._link.publish("event", envelope(self._node, self._ring.log_id, body))

    async def _send_anchor(self, seq):
        boot, uptime, utc, source = struct.unpack_from("<HIIB", self._buf, 0)
        body = {"event": "anchor", "seq": seq, "boot": boot, "uptime": uptime, "utc": utc}
        body["source"] = source
        await self._link.publish("event", envelope(self._node, self._ring.log_id, body))

    def _write_record(self, frame, seq):
        rec = self._rec
        rec.seq = seq
        if not rec.start and not rec.why & WHY_CLOCK:
            self._resolve(rec)
        write_interval(frame, rec)

    def _resolve(self, rec):
        """Give a record from before the clock was known its start, by an anchor of its boot."""
        if rec.boot == self._boot and self._clock.utc():
            rec.start = self._clock.utc() - (self._uptime_s() - rec.uptime)
            rec.time_source = TIME_ANCHOR
            return
        buf = bytearray(MAX_BYTES)
        for seq in range(rec.seq + 1, min(rec.seq + _ANCHOR_SEARCH, self._ring.next_seq)):
            try:
                kind, _n = self._ring.read(seq, buf)
            except KeyError:
                continue
            if kind != ANCHOR:
                continue
            boot, uptime, utc, _source = struct.unpack_from("<HIIB", buf, 0)
            if boot == rec.boot:
                rec.start = utc - (uptime - rec.uptime)
                rec.time_source = TIME_ANCHOR
            return
