"""Counts passages and observed seconds into interval records, across resets and clock steps.

An interval ends at the next UTC multiple of its length. While the time is unknown it is keyed by
(boot, uptime) and ends at a multiple of the uptime. It gets its start once the time is known.
A start is never before the end of the record before, by more than a minute. An end that lies
further in the future comes from a clock that was wrong: those records keep their times, and the
present ones get the right ones.

The open interval is checkpointed to flash every `checkpoint_s`, and copied to RTC memory at every
passage:

    "TPO1" | log id u32 | number of the last interval record u32 | length u16 | crc32 u32 (of all
    that is before it and of the packed record) | packed record (wire/record.py)

After a restart `recovery.py` reads both.
"""

import struct
import time
from array import array
from binascii import crc32

from counting.doubt import STATE_SIZE, judge
from micropython import const

from passage.queue import Headway
from ring import ANCHOR, INTERVAL
from wire.record import (
    DETECTOR_BLOCKED, DETECTOR_MISCONFIGURED, DETECTOR_OK, DETECTOR_QUIET, MAX_BYTES, WHY_BLOCKED,
    WHY_BOOT, WHY_CLOCK, WHY_MISCONFIGURED, WHY_OVERFLOW, WHY_SILENT, Interval,
)  # fmt: skip

RTC_HEAD = "<4sIIHI"
RTC_HEAD_BYTES = const(18)
RTC_MAGIC = b"TPO1"
_ANCHOR = "<HIIB"
_SHORT_S = const(2)
_AHEAD_MAX_S = const(60)  # of the last end before the present: more comes from a wrong clock
_RTC = const(1)  # as in core/clock.py


class Counter:
    """ring, clock and rtc (read() -> bytes, write(buf)) are handed in. Lengths are in seconds.

    identity: number of the boot, reset cause.
    """

    def __init__(self, ring, clock, rtc, uptime_s, config, *, identity):
        self._ring = ring
        self._clock = clock
        self._rtc = rtc
        self._uptime_s = uptime_s
        self._length = config["interval_min"] * 60
        self._checkpoint_s = config["checkpoint_s"]
        self._privacy_k = config["privacy_k"]
        self._buf = bytearray(RTC_HEAD_BYTES + MAX_BYTES)
        self._packed = memoryview(self._buf)[RTC_HEAD_BYTES:]
        self.rec = Interval()
        self._identity = identity + (config.hash,)  # boot, reset cause, configuration
        self._last_end = 0  # UTC at which the last record with a known time ended
        self._end = 0  # UTC (or uptime, while rec.start is 0) at which the open interval ends
        self._observed_ms = 0
        self._tick_ms = time.ticks_ms()
        self._checkpoint_at = 0
        self.anchor = None  # (uptime, utc) of this boot, if closed records need one
        self._unresolved = False  # this boot has closed records whose time was unknown
        self.losses = lambda: 0  # running number of bytes or edges the detector's line has lost
        self._lost = 0
        self.sight = None  # of a radar along a road, see doubt.py
        self._doubts = self._doubted = None  # what it has learned, its last reasons
        self.on_event = None  # function(name, why=): they have changed
        self.on_record = None  # function(): a record was appended
        self.on_passage = None  # function(passage): one was counted
        self.passages = self._kept = 0  # since the start: counted, and in the last checkpoint
        self._headway = Headway()

    def start(self, restored):
        """Begin to count. restored: state of `rec`, a `recovery.Restored`."""
        self._last_end = restored.last_end
        if restored.is_cut:
            self._append()
        if restored.end:
            self._identify()
            self._end = restored.end
            self._observed_ms = self.rec.coverage * 1000
        else:
            self._begin(self._uptime_s(), self._clock.utc(), WHY_BOOT)
        self._save_rtc()

    # --- the open interval

    def _identify(self):
        """Mark the record as counted since this start of the node."""
        self.rec.boot, self.rec.reset_cause, self.rec.config_hash = self._identity

    def _aligned_end(self, start):
        return start - start % self._length + self._length

    def _begin(self, uptime, utc, why=0):
        rec = self.rec
        self._forget_future(utc, utc)
        known = bool(utc) and self._last_end <= utc + _AHEAD_MAX_S
        start = max(utc - utc % self._length, self._last_end) if known else 0
        rec.reset(start, uptime)
        self._identify()
        rec.why = why if not utc or known else why | WHY_CLOCK
        self._end = self._aligned_end(start) if known else self._aligned_end(uptime)
        if known and self._end - start < 1:
            self._end += self._length
        self._observed_ms = 0

    def _forget_future(self, utc, end):
        """Let no interval of a wrong clock keep the present one from its time.

        end: the new end of the last interval. The real-time clock decides nothing, because a reset
        may set it back.
        """
        if self._last_end > utc + _AHEAD_MAX_S and utc and self._clock.source != _RTC:
            self._last_end = end

    def add(self, passage):
        """Count a passage, as `PassageQueue.pop` returns it."""
        direction, cls, speed, front_ms, occupied_ms, raw = passage
        headway = self._headway
        headway.add(direction, front_ms, occupied_ms)
        self.rec.add(direction, cls, speed, speed - raw)
        self.rec.add_headway(direction, headway.headway, headway.gap, occupied_ms)
        self.passages += 1
        self._save_rtc()
        if self.on_passage:
            self.on_passage(passage)

    def tick(self, now_ms, uptime, detector_state):
        """Once a second: count observed time and close the interval when it is over."""
        rec = self.rec
        passed_ms = time.ticks_diff(now_ms, self._tick_ms)
        self._tick_ms = now_ms
        rec.detector = detector_state
        if detector_state == DETECTOR_OK or detector_state == DETECTOR_QUIET:
            self._observed_ms += passed_ms
        else:
            rec.why |= _reason(detector_state)
            self._headway.forget()
        utc = self._clock.utc()
        if (utc if rec.start else uptime) >= self._end:
            self.close()
            self._begin(uptime, utc)
            self._checkpoint_at = uptime + self._checkpoint_s
        elif uptime >= self._checkpoint_at:
            self._checkpoint_at = uptime + self._checkpoint_s
            self.checkpoint()

    def _settle(self, end=0):
        """Bring length, coverage and state of the record up to date."""
        rec = self.rec
        if rec.start:
            rec.length = max(0, min(end or self._clock.utc(), self._end) - rec.start)
        else:
            rec.length = max(0, self._uptime_s() - rec.uptime)
        rec.coverage = min(self._observed_ms // 1000, rec.length)
        rec.time_source = self._clock.source if rec.start else 0
        rec.sync_age = self._clock.age_s()

    def _note_losses(self):
        lost = self.losses()
        if lost != self._lost:
            self._lost = lost
            self.rec.why |= WHY_OVERFLOW

    def close(self, end=0):
        """Close the open interval. end: UTC if it is not now."""
        self._note_losses()
        self._settle(end)
        why = self._doubt() if self.sight else 0
        self._append()
        if why != (self._doubted or 0):
            self._doubted = why
            self.on_event("doubt", why=why)

    def _doubt(self):
        """Add the reasons to doubt the counts."""
        if not self._doubts:
            self._doubts = array("I", [0] * STATE_SIZE)
        why = judge(self._doubts, self.sight, self.rec, self._length)
        self.rec.why |= why
        return why

    def _append(self):
        rec = self.rec
        rec.withhold(self._privacy_k)
        n = rec.pack_into(self._packed)
        self._ring.append(INTERVAL, self._packed, n)
        if rec.start:
            self._last_end = rec.start + rec.length
        else:
            self._unresolved = True
        if self.on_record:
            self.on_record()

    def save(self):
        """Save the open interval before a reset, to flash only if something was counted.

        RTC memory outlives the reset, and a node that resets again and again wears out no flash.
        """
        if self.passages != self._kept:
            self.checkpoint()
            return
        self._note_losses()
        self._save_rtc()

    def checkpoint(self):
        """Save the open interval to flash and RTC memory."""
        self._kept = self.passages
        self._note_losses()
        self._settle()
        self._ring.checkpoint(self._packed, self.rec.pack_into(self._packed))
        self._save_rtc(False)

    def _save_rtc(self, settle=True):
        if settle:
            self._settle()
        n = self.rec.pack_into(self._packed)
        buf = self._buf
        struct.pack_into(
            RTC_HEAD, buf, 0, RTC_MAGIC, self._ring.log_id, self._ring.last_interval, n, 0
        )
        crc = crc32(self._packed[:n], crc32(memoryview(buf)[:14]))
        struct.pack_into("<I", buf, 14, crc)
        self._rtc.write(memoryview(buf)[: RTC_HEAD_BYTES + n])

    # --- the clock

    def clock_set(self, old):
        """The clock was set: give the open interval its place. old: UTC before, 0 = unknown."""
        uptime, utc = self._uptime_s(), self._clock.utc()
        began = utc - (uptime - self.rec.uptime)
        if not old:
            self._forget_future(utc, began)
        earliest = self._last_end
        if self._unresolved:
            self._unresolved = False
            earliest = max(earliest, began)  # where the last one of this boot ended
            self.anchor = uptime, utc
            source = self._clock.source
            self._ring.append(ANCHOR, struct.pack(_ANCHOR, self._identity[0], uptime, utc, source))
        if old:
            self._step(old, uptime, utc)
            return
        aligned = utc - utc % self._length
        if began < aligned - _SHORT_S and self._last_end < aligned:
            self.rec.start = max(began, self._last_end)
            self._end = utc
            self.close(utc)
            self._begin(uptime, utc)
            return
        self.rec.start = max(aligned, earliest)
        self._end = self._aligned_end(self.rec.start)

    def _step(self, old, uptime, utc):
        """A known clock was wrong: close the interval by the old one, begin by the new one."""
        self.rec.why |= WHY_CLOCK
        if self.rec.start:
            self.close(old)
        elif uptime > self.rec.uptime or any(self.rec.counts):
            self.close()
        self._begin(uptime, utc, WHY_CLOCK)


def _reason(state):
    if state == DETECTOR_BLOCKED:
        return WHY_BLOCKED
    return WHY_MISCONFIGURED if state == DETECTOR_MISCONFIGURED else WHY_SILENT
