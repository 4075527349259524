"""Which records of the log go into one LoRaWAN frame, and the frame itself.

At slow data rates the intervals of half an hour or an hour go as one; the log keeps each of them.
"""

import asyncio

from micropython import const

from delivery.outbox import Outbox
from ring import INTERVAL
from wire.frame import MERGED_MAX, Frame
from wire.merge import can_merge, merge
from wire.record import Interval

_LORAWAN = const(1)
_ROOM = const(115)  # of the longest frame made: one lost in three has to be bearable
_CONFIRM_S = const(86_400)


class Bundles(Outbox):
    """The outbox of LoRaWAN. `_period_s`: what one record in a frame is to cover at most."""

    def __init__(self, ring, clock, node):
        super().__init__(
            ring, _LORAWAN, clock, uptime_s=node.uptime_s, boot=node.boot, news=asyncio.Event(),
            patience_s=_CONFIRM_S,
        )  # fmt: skip
        self._frame_buf = bytearray(_ROOM)
        self._frame = Frame(self._frame_buf)
        self._other = Interval()
        self._turn = 0  # class whose totals go along
        self._period_s = 900

    def resend(self, first, last):
        """As `Outbox.resend`. What is asked for twice goes once: the backend asks again."""
        held = super().resend(first, last)
        self._again.pop()
        for i in range(len(self._again)):
            low, high = self._again[i]
            if low <= last + 1 and first <= high + 1:
                self._again[i] = min(low, first), max(high, last)
                return held
        self._again.append((first, last))
        return held

    def _go_on_behind(self, other):
        """What another link's outbox has done need not be done here."""
        self._sent = max(self._sent, other.done())
        if other.confirms:
            self._confirmed = max(self._confirmed, other.done())
        self._keep()

    def _groups(self, most):
        """(last number, numbers) of what goes next, oldest first: intervals, merged and complete.

        No more of them than `most` are looked for.

        A number in front of them that is no interval stands alone, as (number, 0).
        """
        groups, span = [], 0
        last = self._ring.next_seq - 1
        for seq in range(self._sent + 1, last + 1):
            kind, _n = self._look(seq)
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
                    if len(groups) >= most:
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
        """The period of the newest interval has ended, or cannot be told."""
        return not rec.start or not (rec.start + rec.length) % self._period_s

    def _fill(self, groups, room, repeat):
        """Put as many groups as fit into a frame; return their number and the frame's length."""
        for taken in range(len(groups), 0, -1):
            self._frame.begin(self._ring.log_id, room, self._turn)
            chosen = groups[:taken]
            if self._all_fit(chosen):
                if repeat:
                    self._repeat(chosen[0][0] - chosen[0][1])
                return taken, self._frame.end()
        return 0, 0

    def _all_fit(self, groups):
        for seq, span in reversed(groups):
            self._load(seq, span)
            if not self._frame.add(self._rec, span):
                return False
        return True

    def _load(self, seq, span):
        """The record `seq` with the span - 1 before it."""
        self._take(seq)
        for older in range(seq - 1, seq - span, -1):
            self._rec, self._other = self._other, self._rec
            self._take(older)
            self._rec, self._other = self._other, self._rec
            merge(self._rec, self._other)

    def _take(self, seq):
        kind, _n = self._look(seq)
        assert kind == INTERVAL
        self._resolve(self._rec)

    def _repeat(self, seq):
        """Add the interval that was sent before, merged as far as it was."""
        if seq < 1 or self._look(seq)[0] != INTERVAL:
            return
        self._resolve(self._rec)
        span = 1
        while span < MERGED_MAX:
            self._rec, self._other = self._other, self._rec
            found = self._look(seq - span)[0] == INTERVAL
            if found:
                self._resolve(self._rec)
            self._rec, self._other = self._other, self._rec
            if not found or not can_merge(self._rec, self._other, span, self._period_s):
                break
            merge(self._rec, self._other)
            span += 1
        self._frame.add(self._rec, span)

    def _fill_back(self, first, last, room):
        """Records from `last` back, each by itself; the number to go on with, and the length."""
        self._frame.begin(self._ring.log_id, room, self._turn)
        seq = last
        while seq >= first and self._look(seq)[0] == INTERVAL:
            self._resolve(self._rec)
            if not self._frame.add(self._rec):
                break
            seq -= 1
        return seq, self._frame.end()

    def _gone_from(self, first, last):
        """The first number of the run of records, up to `last`, that exist no longer."""
        while last > first and (last <= self._ring.first_seq or not self._look(last - 1)[0]):
            last = first if last <= self._ring.first_seq else last - 1
        return last
