"""Batches records of the log into LoRaWAN frames.

At slow data rates the intervals of half an hour or an hour are merged into one. The log keeps each
of them.
"""

import asyncio

from delivery.outbox import Outbox
from micropython import const
from ring import INTERVAL
from wire.frame import MERGED_MAX, Frame
from wire.merge import can_merge, merge
from wire.record import Interval

_LORAWAN = const(1)
_FRAME_BYTES_MAX = const(115)  # one frame lost in three has to be bearable
_ACK_TIMEOUT_S = const(86_400)


class Batcher(Outbox):
    """The outbox of LoRaWAN. `_period_s`: seconds that one record in a frame covers at most."""

    def __init__(self, ring, clock, node):
        super().__init__(
            ring, _LORAWAN, clock, uptime_s=node.uptime_s, boot=node.boot, news=asyncio.Event(),
            ack_timeout_s=_ACK_TIMEOUT_S,
        )  # fmt: skip
        self._frame_buf = bytearray(_FRAME_BYTES_MAX)
        self._frame = Frame(self._frame_buf)
        self._other = Interval()
        self._turn = 0  # class whose totals go along
        self._period_s = 900

    def resend(self, first, last):
        """As `Outbox.resend`. Overlapping ranges become one: the backend repeats its requests."""
        held = super().resend(first, last)
        ranges = self._resend_ranges
        ranges.pop()
        for i in range(len(ranges)):
            low, high = ranges[i]
            if low <= last + 1 and first <= high + 1:
                ranges[i] = min(low, first), max(high, last)
                return held
        ranges.append((first, last))
        return held

    def _continue_after(self, other):
        """Skip the records that another link's outbox has delivered."""
        self._sent = max(self._sent, other.done())
        if other.confirms:
            self._confirmed = max(self._confirmed, other.done())
        self._save_cursors()

    def _groups(self, count_max):
        """(last number, span) of the next groups, oldest first: intervals, merged and complete.

        At most `count_max` groups. A record that is no interval is a group (number, 0) of its own.
        """
        groups, span = [], 0
        last = self._ring.next_seq - 1
        for seq in range(self._sent + 1, last + 1):
            kind, _n = self._read(seq)
            if kind != INTERVAL:
                if not groups and not span:
                    return [(seq, 0)]
                break
            rec = self._rec
            self._resolve(rec)
            older = self._other
            if span and span < MERGED_MAX and can_merge(rec, older, 1, self._period_s):
                merge(rec, older)
                span += 1
            else:
                if span:
                    groups.append((seq - 1, span))
                    if len(groups) >= count_max:
                        return groups
                span = 1
            self._rec, self._other = older, rec
        else:
            if not span or not self._is_over(self._other):
                return groups
            seq = last + 1
        groups.append((seq - 1, span))
        return groups

    def _is_over(self, rec):
        """The period of the newest interval has ended, or is unknown."""
        return not rec.start or not (rec.start + rec.length) % self._period_s

    def _fill(self, groups, size, repeat):
        """Fill a frame of `size` bytes; return the number of groups in it and its length."""
        for count in range(len(groups), 0, -1):
            self._frame.begin(self._ring.log_id, size, self._turn)
            chosen = groups[:count]
            if self._all_fit(chosen):
                if repeat:
                    self._repeat(chosen[0][0] - chosen[0][1])
                return count, self._frame.end()
        return 0, 0

    def _all_fit(self, groups):
        for seq, span in reversed(groups):
            self._load(seq, span)
            if not self._frame.add(self._rec, span):
                return False
        return True

    def _load(self, seq, span):
        """Read the record `seq`, merged with the span - 1 before it."""
        self._read_interval(seq)
        for older in range(seq - 1, seq - span, -1):
            self._rec, self._other = self._other, self._rec
            self._read_interval(older)
            self._rec, self._other = self._other, self._rec
            merge(self._rec, self._other)

    def _read_interval(self, seq):
        kind, _n = self._read(seq)
        if kind != INTERVAL:
            raise AssertionError(seq)
        self._resolve(self._rec)

    def _repeat(self, seq):
        """Add the interval that was sent before, merged as it was then."""
        if seq < 1 or self._read(seq)[0] != INTERVAL:
            return
        self._resolve(self._rec)
        span = 1
        while span < MERGED_MAX:
            self._rec, self._other = self._other, self._rec
            found = self._read(seq - span)[0] == INTERVAL
            if found:
                self._resolve(self._rec)
            self._rec, self._other = self._other, self._rec
            if not found or not can_merge(self._rec, self._other, span, self._period_s):
                break
            merge(self._rec, self._other)
            span += 1
        self._frame.add(self._rec, span)

    def _fill_back(self, first, last, size):
        """Fill a frame with records from `last` back, none merged.

        Returns the number to continue with and the frame's length.
        """
        self._frame.begin(self._ring.log_id, size, self._turn)
        seq = last
        while seq >= first and self._read(seq)[0] == INTERVAL:
            self._resolve(self._rec)
            if not self._frame.add(self._rec):
                break
            seq -= 1
        return seq, self._frame.end()

    def _lost_from(self, first, last):
        """The first number of the run of lost records that ends with `last`."""
        while last > first and (last <= self._ring.first_seq or not self._read(last - 1)[0]):
            last = first if last <= self._ring.first_seq else last - 1
        return last
