"""Counting on a fake clock, flash and RTC memory, and the rules that its records must keep."""

import random
import time

from counting import counter
from counting.recovery import restore_interval
from board_parts import FakeClock, FakeRtc
from nor import Nor
from ring import INTERVAL, Ring
from wire.record import Interval

UTC = 1_800_000_000  # a multiple of 3600
CAR = (0, 2, 500, 0, -1, 500)
WALKER = (1, 0, -1, 0, -1, -1)
OK, QUIET, SILENT, BLOCKED, MISALIGNED, MISCONFIGURED = 1, 2, 3, 4, 5, 6


class Ticks:
    """Stands for the module `time`. The ticks of a node begin at 0."""

    ticks_diff = time.ticks_diff

    @staticmethod
    def ticks_ms():
        return 0


counter.time = Ticks


class Settings(dict):
    hash = 0xC0FFEE


class Node:
    """The counting of a node, second by second. Flash and RTC memory outlive its resets."""

    def __init__(self, utc=0, minutes=15, privacy_k=1):
        self.flash = Nor(24)
        self.rtc = FakeRtc()
        self.boot = 0
        self.minutes = minutes
        self.privacy_k = privacy_k
        self.start(utc)

    def start(self, utc, uptime=0, source=2):
        random.seed(self.boot + 1)
        self.boot += 1
        self.clock = FakeClock(utc, source)
        self.clock.uptime = uptime
        self.ring = Ring(self.flash, random.getrandbits)
        self.ring.open()
        settings = Settings(interval_min=self.minutes, checkpoint_s=60, privacy_k=self.privacy_k)
        self.counter = counter.Counter(
            self.ring, self.clock, self.rtc, self.clock.seconds, settings,
            identity=(self.boot, 3),
        )  # fmt: skip
        self.now_ms = 0
        self.lost = 0
        self.counter.losses = lambda: self.lost
        self.counter.start(
            restore_interval(
                self.counter.rec, self.ring, self.rtc, uptime=uptime, utc=self.clock.utc(),
                length_s=60 * self.minutes,
            )
        )  # fmt: skip

    def reset(self, away_s=1, keep_rtc=True, known=True):
        utc = self.clock.utc() + away_s if known and self.clock.source else 0
        if not keep_rtc:
            self.rtc.data = b""
        self.start(utc)

    def seconds(self, count, state=OK):
        for _ in range(count):
            self.clock.go(1)
            self.now_ms += 1000
            self.counter.tick(self.now_ms, self.clock.seconds(), state)

    def set_clock(self, utc):
        self.counter.clock_set(self.clock.set(utc))

    def each(self):
        """The records of the ring, one by one: (number, kind, record)."""
        buf = bytearray(600)
        for seq in range(self.ring.first_seq, self.ring.next_seq):
            kind, n = self.ring.read(seq, buf)
            rec = Interval()
            if kind == INTERVAL:
                rec.unpack(buf, n)
            yield seq, kind, rec

    def records(self):
        return list(self.each())

    def closed(self):
        return [rec for _seq, kind, rec in self.each() if kind == INTERVAL]


def no_overlap(node):
    """Check that intervals with a known start neither overlap nor go back, by their numbers.

    After a clock was set back by more than a minute they begin anew: the others were counted by a
    wrong clock.
    """
    end = 0
    for _seq, kind, rec in node.each():
        if kind != INTERVAL:
            continue
        assert rec.coverage <= rec.length <= 3600
        if rec.start:
            end = 0 if rec.start < end - 60 else end
            assert rec.start >= end, (rec.start, end)
            end = rec.start + rec.length
    if node.counter.rec.start:
        assert node.counter.rec.start >= end or node.counter.rec.start < end - 60


def counted(node):
    closed = sum(sum(rec.counts) for _seq, kind, rec in node.each() if kind == INTERVAL)
    return closed + sum(node.counter.rec.counts)
