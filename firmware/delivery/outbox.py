"""Delivery state of one link: its *sent* and *confirmed* cursors, and the resend requests.

*Sent* follows the link: the broker took the record, or it was on the air. *Confirmed* follows the
backend's cumulative acknowledgement. Each link has its own cursors, so a record already sent over
LoRaWAN may be sent again over MQTT. The backend removes the duplicate by (node, log, seq).
"""

import json
import struct

from micropython import const

from ring import ANCHOR, EVENT, INTERVAL
from wire.record import MAX_BYTES, TIME_ANCHOR, WHY_CLOCK, Interval

_ANCHOR_SEARCH_MAX = const(200)  # records
_RANGE_MAX = const(20_000)  # records of one resend request
_RANGES_MAX = const(8)


class Outbox:
    """Reads the records of the log for one link.

    ring, clock: of the node. link: number of its cursors in the ring, 0 = MQTT, 1 = LoRaWAN.
    news: an event that is set when there is something new to send. ack_timeout_s: how long a
    confirmation may stay away before records are retransmitted.
    """

    def __init__(self, ring, link, clock, *, uptime_s, boot, news, ack_timeout_s):
        self._ring = ring
        self._number = link
        self._clock = clock
        self._uptime_s = uptime_s
        self._boot = boot
        self._news = news
        self._buf = bytearray(600)
        self._rec = Interval()
        self._sent, self._confirmed = ring.cursor(link)
        self.confirms = self._confirmed > 0  # there is a backend that confirms
        self._ack_timeout_min_s = self._ack_timeout_s = ack_timeout_s
        self._ack_due_s = uptime_s() + ack_timeout_s  # by then a confirmation makes progress
        self.anchor = None  # (uptime, utc) by which the records of this boot get their start
        self._resend_ranges = []  # (first, last) numbers, as requested
        self.refused_acks = 0
        self.retransmissions = 0

    def done(self):
        """Number of the last record that is done: confirmed, or sent if no backend confirms."""
        return self._confirmed if self.confirms else self._sent

    def queue_depth(self):
        """Number of records that the backend has not confirmed or, without one, are not sent."""
        return self._ring.next_seq - 1 - max(self.done(), self._ring.first_seq - 1)

    def wake(self):
        self._news.set()

    def event(self, event, **details):
        """Append an event to the log. It is sent like every other record."""
        details["event"] = event
        details["uptime"] = self._uptime_s()
        details["boot"] = self._boot
        details["utc"] = self._clock.utc()
        self._ring.append(EVENT, json.dumps(details).encode())
        self.wake()

    # --- messages of the backend

    def confirm(self, seq):
        """The backend stores everything up to `seq`. Raises ValueError for a future number."""
        if not 0 <= seq < self._ring.next_seq:
            raise ValueError("ack: seq %d, newest is %d" % (seq, self._ring.next_seq - 1))
        if seq > self._confirmed or not self.confirms:
            self.confirms = True
            self._confirmed = max(seq, self._confirmed)
            self._sent = max(self._sent, self._confirmed)
            self._ack_timeout_s = self._ack_timeout_min_s
            self._expect_ack()
            self._save_cursors()
        self.wake()

    def resend(self, first, last):
        """Queue a range; return the part that the ring still holds. Raises ValueError."""
        if not 1 <= first <= last or last - first > _RANGE_MAX:
            raise ValueError("resend: %r..%r is no range" % (first, last))
        if last >= self._ring.next_seq:
            raise ValueError("resend: newest is %d" % (self._ring.next_seq - 1))
        if len(self._resend_ranges) == _RANGES_MAX:
            raise ValueError("resend: %d ranges are waiting, ask again later" % _RANGES_MAX)
        self._resend_ranges.append((first, last))
        self.wake()
        return max(first, self._ring.first_seq), last

    # --- the cursors

    def _save_cursors(self):
        self._ring.set_cursor(self._number, self._sent, self._confirmed)

    def _sent_to(self, seq):
        if seq > self._sent:
            if self._sent <= self._confirmed:
                self._expect_ack()
            self._sent = seq
            self._save_cursors()

    def _expect_ack(self):
        self._ack_due_s = self._uptime_s() + self._ack_timeout_s

    def _retransmit_from_confirmed(self, timeout_max_s):
        """No confirmation came in time: send again from there, with twice the time-out."""
        self.retransmissions += 1
        self._sent = self._confirmed
        self._ack_timeout_s = min(self._ack_timeout_s * 2, timeout_max_s)

    # --- records

    def _read(self, seq):
        """Read a record into the buffer; return kind and length. Kind 0: it is lost or damaged."""
        try:
            kind, n = self._ring.read(seq, self._buf)
            if kind == INTERVAL:
                self._rec.unpack(self._buf, n)
                self._rec.seq = seq
        except (KeyError, ValueError):
            return 0, 0
        return kind, n

    def _lost_to(self, first, last):
        """The last number of the run of lost records that begins with `first`."""
        end = max(first, self._ring.first_seq - 1)
        while end < last and not self._read(end + 1)[0]:
            end += 1
        return end

    def _event_body(self, kind, seq, n):
        """The event or anchor in the buffer as a dict."""
        if kind == ANCHOR:
            boot, uptime, utc, source = struct.unpack_from("<HIIB", self._buf, 0)
            body = {"event": "anchor", "boot": boot, "uptime": uptime, "utc": utc}
            body["source"] = source
        else:
            try:
                body = json.loads(bytes(self._buf[:n]))
            except ValueError:
                body = {"event": "unreadable"}
        body["seq"] = seq
        return body

    def _resolve(self, rec):
        """Give a record from before the clock was known its start, by the anchor of its boot.

        Only the anchor is used. A clock that is read anew for each record is a second off now and
        then, and the intervals would overlap.
        """
        if rec.start or rec.why & WHY_CLOCK:
            return
        if rec.boot == self._boot:
            if self.anchor:
                uptime, utc = self.anchor
                rec.start = utc - (uptime - rec.uptime)
                rec.time_source = TIME_ANCHOR
            return
        buf = bytearray(MAX_BYTES)
        for seq in range(rec.seq + 1, min(rec.seq + _ANCHOR_SEARCH_MAX, self._ring.next_seq)):
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
