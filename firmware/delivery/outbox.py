"""What is still to be told over a link: two cursors in the log, requests, records as they leave.

*Sent* follows the link (the broker took it, it was on the air), *confirmed* the backend's
cumulative acknowledgement. Each link has its own, so that what one has told is told again by the
other where it has to be; the backend knows a record by node, log and number.
"""

import json
import struct

from micropython import const

from ring import ANCHOR, EVENT, INTERVAL
from wire.record import MAX_BYTES, TIME_ANCHOR, WHY_CLOCK, Interval

_ANCHOR_SEARCH = const(200)
_MAX_REQUEST = const(20_000)
_MAX_REQUESTS = const(8)


class Outbox:
    """ring, clock are handed in. link: number of its cursors in the ring, 0 mqtt, 1 lorawan.

    news: set when there is something new to send. patience_s: how long a confirmation may stay
    away before sending begins anew behind what was confirmed.
    """

    def __init__(self, ring, link, clock, *, uptime_s, boot, news, patience_s):
        self._ring = ring
        self._number = link
        self._clock = clock
        self._uptime_s = uptime_s
        self._boot = boot
        self._news = news
        self._buf = bytearray(600)
        self._rec = Interval()
        self._sent, self._confirmed = ring.cursor(link)
        self.confirms = self._confirmed > 0  # there is a backend that does
        self._least_patience_s = self._patience_s = patience_s
        self.anchor = None  # (uptime, utc) by which the records of this boot get their start
        self._again = []  # ranges of numbers to send again, on request
        self.refused_acks = 0
        self.rewinds = 0

    def done(self):
        """Up to here the link has nothing left to do: confirmed, or sent if nobody confirms."""
        return self._confirmed if self.confirms else self._sent

    def queue_depth(self):
        """Records the backend has not confirmed (or, without one, the link not sent)."""
        return self._ring.next_seq - 1 - max(self.done(), self._ring.first_seq - 1)

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

    def confirm(self, seq):
        """Everything up to `seq` is stored; raises ValueError for a number that is none yet."""
        if not 0 <= seq < self._ring.next_seq:
            raise ValueError("ack: seq %d, newest is %d" % (seq, self._ring.next_seq - 1))
        if seq > self._confirmed or not self.confirms:
            self.confirms = True
            self._confirmed = max(seq, self._confirmed)
            self._sent = max(self._sent, self._confirmed)
            self._patience_s = self._least_patience_s
            self._keep()
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

    # --- the cursors

    def _keep(self):
        self._ring.set_cursor(self._number, self._sent, self._confirmed)

    def _sent_to(self, seq):
        if seq > self._sent:
            self._sent = seq
            self._keep()

    def _rewind(self):
        """Confirmation stays away: send again, and be more patient the next time."""
        self.rewinds += 1
        self._sent = self._confirmed

    # --- records

    def _look(self, seq):
        """Read a record into the buffer; kind and length, kind 0 = overwritten or damaged."""
        try:
            kind, n = self._ring.read(seq, self._buf)
            if kind == INTERVAL:
                self._rec.unpack(self._buf, n)
                self._rec.seq = seq
        except (KeyError, ValueError):
            return 0, 0
        return kind, n

    def _gone_to(self, first, last):
        """The last number of the run of records, from `first` on, that exist no longer."""
        end = max(first, self._ring.first_seq - 1)
        while end < last and not self._look(end + 1)[0]:
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

        By that one alone: a clock read anew for each record is a second off now and then, and
        their intervals would overlap.
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
