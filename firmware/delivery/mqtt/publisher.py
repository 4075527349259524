"""Delivery over MQTT: records leave oldest first, and are kept until the backend has them.

A PUBACK is no proof (what an access list denies is acknowledged too), so when a backend has
confirmed before and then stays silent, sending starts over behind what it confirmed. Without a
confirming backend every record is sent once and kept for `resend`.
"""

import asyncio

from micropython import const

from mqtt import FrameFull, LinkDown
from delivery.outbox import Outbox
from ring import ANCHOR, EVENT, INTERVAL
from wire.jsonform import CLOSE, envelope, open_counts, parse_ack, write_interval

_MQTT = const(0)
_PAUSE_MS = const(200)  # between batches of a backlog: counting comes first
_CONFIRM_S = const(120)
_CONFIRM_MOST_S = const(3600)


class Uplink(Outbox):
    """ring, link (MqttLink), clock are handed in."""

    def __init__(self, ring, link, node, clock, *, uptime_s, boot):
        super().__init__(
            ring, _MQTT, clock, uptime_s=uptime_s, boot=boot, news=asyncio.Event(),
            patience_s=_CONFIRM_S,
        )  # fmt: skip
        self._link = link
        self._node = node

    def acknowledge(self, payload):
        """Take the backend's acknowledgement; raises ValueError naming what is wrong."""
        log_id, seq = parse_ack(payload)
        if log_id != self._ring.log_id:
            raise ValueError("ack: log %08x, mine is %08x" % (log_id, self._ring.log_id))
        self.confirm(seq)

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
        if not self.confirms or self._confirmed >= self._sent:
            await self._news.wait()
            return
        try:
            await asyncio.wait_for(self._news.wait(), self._patience_s)
        except asyncio.TimeoutError:
            self._rewind()
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
        self._sent_to(following - 1)
        return True

    async def _batch(self, first, last):
        """Send as many interval records as one message holds, or the one thing that goes alone.

        Returns the number to go on with.
        """
        kind, n = self._look(first)
        if kind == INTERVAL:
            return await self._link.publish("counts", lambda frame: self._fill(frame, first, last))
        if kind in (EVENT, ANCHOR):
            await self._send_event(self._event_body(kind, first, n))
        elif not kind:
            end = self._gone_to(first, last)
            await self._send_event({"event": "gone", "from": first, "to": end})
            return end + 1
        return first + 1

    def _fill(self, frame, first, last):
        """Write interval records from `first` on; return the number that follows the last one."""
        open_counts(frame, self._node, self._ring.log_id)
        seq = first
        while seq <= last and self._look(seq)[0] == INTERVAL:
            mark = frame.pos
            try:
                if seq > first:
                    frame.write(",")
                self._write_record(frame)
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

    async def _send_event(self, body):
        await self._link.publish("event", envelope(self._node, self._ring.log_id, body))

    def _write_record(self, frame):
        self._resolve(self._rec)
        write_interval(frame, self._rec)
