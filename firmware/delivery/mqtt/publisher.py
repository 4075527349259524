"""Publishes the records oldest first, and keeps each until the backend has it.

A PUBACK is no proof of delivery: a message that an access list denies is acknowledged too. When a
backend has confirmed before and then stays silent, records are retransmitted from the last
confirmed one on. Without a confirming backend each record is sent once and kept for `resend`.
"""

import asyncio
import json

from core.modules import unload_modules
from delivery.mqtt.signing import RecordSigner
from delivery.outbox import Outbox
from micropython import const
from mqtt import FrameFull, LinkDown
from ring import ANCHOR, EVENT, INTERVAL
from wire.message import envelope, parse_ack

_MQTT = const(0)
_PAUSE_MS = const(200)  # between batches of a backlog: counting comes first
_ACK_TIMEOUT_S = const(120)
_ACK_TIMEOUT_MAX_S = const(3600)


class Publisher(Outbox):
    """The outbox of MQTT. link: MqttLink. mac_key: of the node, None: records are not signed."""

    def __init__(self, ring, link, node, clock, *, uptime_s, boot, mac_key=None):
        super().__init__(
            ring, _MQTT, clock, uptime_s=uptime_s, boot=boot, news=asyncio.Event(),
            ack_timeout_s=_ACK_TIMEOUT_S,
        )  # fmt: skip
        self._link = link
        self._node = node
        self._signer = RecordSigner(mac_key, node, ring.log_id) if mac_key else None

    def acknowledge(self, payload):
        """Apply an acknowledgement of the backend. Raises ValueError with the reason."""
        log_id, seq = parse_ack(payload)
        if log_id != self._ring.log_id:
            raise ValueError("ack: log %08x, mine is %08x" % (log_id, self._ring.log_id))
        self.confirm(seq)

    # --- sending

    async def run(self, progress):
        """Send records for ever. It makes progress when a message gets through."""
        while True:
            if not self._link.is_up():
                progress.idle()
                await self._link.wait_up()
                progress.made()
            try:
                sent = await self._send_some()
            except (LinkDown, MemoryError):
                await asyncio.sleep(1)
                continue
            if sent:
                progress.made()
                await asyncio.sleep_ms(_PAUSE_MS)
            else:
                unload_modules()  # those of the forms
                progress.idle()
                await self._rest()
                progress.made()

    async def _rest(self):
        """Wait for news. When the confirmation stays away, retransmit.

        News do not prolong the wait: there may be a new record before every time-out.
        """
        self._news.clear()
        if not self.confirms or self._confirmed >= self._sent:
            await self._news.wait()
            return
        try:
            wait_s = max(0, self._ack_due_s - self._uptime_s())
            await asyncio.wait_for(self._news.wait(), wait_s)
        except asyncio.TimeoutError:
            self._retransmit_from_confirmed(_ACK_TIMEOUT_MAX_S)

    async def _send_some(self):
        """Send one batch. False when there is nothing to send."""
        if self._resend_ranges:
            first, last = self._resend_ranges[0]
            following = await self._send_batch(first, last)
            if following > last:
                self._resend_ranges.pop(0)
            else:
                self._resend_ranges[0] = following, last
            return True
        first = self._sent + 1
        last = self._ring.next_seq - 1
        if first > last:
            return False
        following = await self._send_batch(first, last)
        self._sent_to(following - 1)
        return True

    async def _send_batch(self, first, last):
        """Send as many interval records as one message holds, or one event.

        Returns the number of the record that follows.
        """
        kind, n = self._read(first)
        if kind == INTERVAL:
            return await self._link.publish("counts", lambda frame: self._fill(frame, first, last))
        if kind in (EVENT, ANCHOR):
            await self._send_event(self._event_body(kind, first, n))
        elif not kind:
            end = self._lost_to(first, last)
            await self._send_event({"event": "gone", "from": first, "to": end})
            return end + 1
        return first + 1

    def _fill(self, frame, first, last):
        """Write interval records from `first` on; return the number that follows the last one."""
        from wire import jsonform  # 2,900 bytes

        jsonform.open_counts(frame, self._node, self._ring.log_id)
        seq = first
        while seq <= last and self._read(seq)[0] == INTERVAL:
            mark = frame.pos
            try:
                if seq > first:
                    frame.write(",")
                self._write_record(frame, jsonform)
                frame.write(jsonform.CLOSE)
            except FrameFull:
                if seq == first:
                    raise
                frame.pos = mark
                break
            frame.pos -= len(jsonform.CLOSE)
            seq += 1
        frame.write(jsonform.CLOSE)
        return seq

    async def _send_event(self, body):
        body = envelope(self._node, self._ring.log_id, body)
        await self._link.publish("event", lambda frame: self._write_event(frame, body))

    def _write_event(self, frame, body):
        start = frame.pos
        json.dump(body, frame)
        self._sign(frame, start)

    def _write_record(self, frame, forms):
        start = frame.pos
        self._resolve(self._rec)
        forms.write_interval(frame, self._rec)
        self._sign(frame, start)

    def _sign(self, frame, start):
        if self._signer:
            self._signer.sign(frame, start)
