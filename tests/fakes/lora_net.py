"""A LoRaWAN scheduler over a real ring, a device in virtual time, and the backend behind it."""

import asyncio
import random
import struct

from board_parts import FakeClock, FakeLog, FakeProgress
from core.faults import ConfigError
from delivery.lorawan import scheduler as module
from delivery.lorawan.airtime import airtime_ms
from delivery.lorawan.scheduler import UplinkScheduler
from nor import Nor
from ring import ANCHOR, INTERVAL, Ring
from wire.record import MAX_BYTES, Interval

UTC = 1_800_000_000 - 1_800_000_000 % 86_400
CONFIG = {"lora_airtime_s": 30, "lora_after_min": 30, "interval_min": 15}
NUMBER = {"00": 14, "01": 17, "10": 20, "11": 32}
LENGTH = {"000": 60, "001": 300, "010": 900, "011": 1800, "100": 3600}


class Done(Exception):
    """The time is up."""


class Virtual:
    """asyncio in which waiting takes no time. It calls `passed(seconds)`."""

    Event = asyncio.Event
    TimeoutError = asyncio.TimeoutError
    passed = None

    @staticmethod
    async def sleep_ms(ms):
        await asyncio.sleep_ms(0)

    @staticmethod
    async def wait_for(awaitable, seconds):
        awaitable.close()
        Virtual.passed(seconds)
        raise Virtual.TimeoutError


class Device:
    """The interface of a LoRaWAN device. outcomes: of the next frames, then True.

    lost(n): true when frame n is lost.
    """

    def __init__(self, net):
        self._net = net
        self.how, self.space = (7, 125_000), 242
        self.outcomes = []
        self.lost = lambda n: False
        self.airtime_s = None
        self.sent = []  # (uptime, port, payload) of each frame on the air
        self.on_down = self.on_time = None

    def max_payload(self):
        return self.space

    def modulation(self):
        return self.how

    def state(self):
        return {"joined": bool(self.space), "airtime_s": self.airtime_s}

    async def send(self, port, payload, confirmed=False):
        assert isinstance(payload, bytes) and 0 < len(payload) <= self.space, len(payload)
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if outcome is not True:
            if outcome is False:
                return False
            raise outcome
        self.sent.append((self._net.clock.uptime, port, payload))
        if not self.lost(len(self.sent)):
            self._net.backend(port, payload)
        return True

    def airtime(self):
        """Seconds on the air since the start."""
        return sum(airtime_ms(self.how, len(payload)) for _t, _p, payload in self.sent) / 1000


class Net:
    """Node, network and backend, with `count` intervals in the log, of so many minutes."""

    def __init__(self, count=0, blocks=40, minutes=15, utc=UTC, **config):
        module.asyncio = Virtual
        Virtual.passed = self._passed
        random.seed(5)
        self.ring = Ring(Nor(blocks), random.getrandbits)
        self.ring.open()
        self.clock = FakeClock(utc, 3)
        self.device = Device(self)
        self.length = 60 * minutes
        self.truth = {}  # number of an interval: its count
        self.resets = 0
        self.stored = []
        self.primary = None
        self.boot = 3
        self.uptime_s = self.clock.seconds
        self.log = FakeLog()
        self.times = []
        self.set_time = lambda utc_s, ms: self.times.append((utc_s, ms))
        self._config = dict(CONFIG)
        self._config.update(config)
        self.heard = []  # (port, records or payload)
        self.progress = FakeProgress()
        self.confirming = self.asking = False
        self._asked = 0
        self.held = {}  # number: (first, last) of the record that brought it
        self.start = UTC - count * self.length
        for _ in range(count):
            self.close_interval()
        self.restart()

    def restart(self, rng=lambda bits: 0):
        """rng: of the waits that spread the frames of many nodes. By default nothing waits."""
        self.link = UplinkScheduler(
            self.ring, self.device, self.clock, self._config, self, rng=rng, primary=self.primary
        )

    # --- the node

    def state(self):
        return (3, 1, 1, 3, 0xDEADBEEF, 0, -128, 80)

    def store_config(self, values):
        if values.get("interval_min") == 7:
            raise ConfigError("config: interval_min = 7, wanted one of (1, 5, 15, 60)")
        self.stored.append(values)

    def reset_soon(self):
        self.resets += 1

    def close_interval(self, **fields):
        rec = Interval()
        rec.reset(self.start, 0)
        rec.length = rec.coverage = self.length
        rec.detector, rec.time_source, rec.boot = 1, 3, 3
        seq = self.ring.next_seq
        rec.counts[2] = self.truth[seq] = seq * 7 % 50
        for name, value in fields.items():
            setattr(rec, name, value)
        buf = bytearray(MAX_BYTES)
        self.ring.append(INTERVAL, buf, rec.pack_into(buf))
        self.start += self.length

    def anchor(self, boot, uptime, utc):
        self.ring.append(ANCHOR, struct.pack("<HIIB", boot, uptime, utc, 3))

    # --- time

    def run(self, seconds, counting=False):
        """Let the link work for so long. With `counting`, intervals end at their boundaries."""
        self._end = self.clock.uptime + seconds
        self._counting = counting
        try:
            asyncio.run(self.link.run(self.progress))
        except Done:
            return self.device.sent
        raise AssertionError("it ended")

    def _passed(self, seconds):
        until = self.clock.uptime + seconds
        if self._counting:
            while self.start + self.length <= UTC + until:
                self.close_interval()
        self.clock.go(seconds)
        if until >= self._end:
            raise Done

    # --- the backend

    def backend(self, port, payload):
        if port not in (1, 2):
            self.heard.append((port, payload))
            return
        records = read(payload)
        self.heard.append((port, records))
        for first, last, count in records:
            numbers = [n for n in range(first, last + 1)]
            assert count == sum(self.truth[n] for n in numbers), (first, last)
            for n in numbers:
                if n not in self.held or first == last:
                    self.held[n] = (first, last)
        if self.confirming:
            self._confirm()

    def _confirm(self):
        self._asked += 1
        if self._asked % 4:
            return
        reached = 0
        while reached + 1 in self.held:
            reached += 1
        self.ack(reached)
        newest = max(self.held)
        if self.asking and newest > reached and self._asked % 40 == 0:
            end = reached + 1
            while end + 1 not in self.held:
                end += 1
            self.command(3, 7, struct.pack(">HII", self.ring.log_id & 0xFFFF, reached + 1, end))

    def ack(self, seq, log_id=None):
        log_id = self.ring.log_id if log_id is None else log_id
        self.device.on_down(10, struct.pack(">BHI", 1, log_id & 0xFFFF, seq))

    def command(self, code, name=7, rest=b""):
        self.device.on_down(11, bytes((1, name, code)) + rest)

    def resend(self, first, last, name=7):
        self.command(3, name, struct.pack(">HII", self.ring.log_id & 0xFFFF, first, last))

    def on(self, port):
        return [body for heard, body in self.heard if heard == port]

    def numbers(self, port=1):
        """(first, last) of all records heard on a port, in the order of their arrival."""
        return [(first, last) for records in self.on(port) for first, last, _count in records]


class _Tape:
    def __init__(self, data):
        self._bits = ""
        for byte in data:
            text = bin(byte)[2:]
            self._bits += "0" * (8 - len(text)) + text
        self._at = 0

    def raw(self, width):
        self._at += width
        assert self._at <= len(self._bits)
        return self._bits[self._at - width : self._at]

    def number(self, width):
        return int("0" + self.raw(width), 2)

    def wide(self):
        width = self.number(4)
        return 16 if width == 15 else width


def read(frame):
    """(first, last, all passages) of every record of a frame."""
    tape = _Tape(frame)
    assert tape.number(8) == 1
    tape.number(16)
    records = []
    while not records or tape.raw(1) == "1":
        if records and tape.raw(1) == "1":
            last = records[-1][0] - 1
        else:
            last = tape.number(NUMBER[tape.raw(2)])
            tape.raw(22)
            if tape.raw(1) == "1":
                tape.raw(9)
        first = last - (tape.number(6) if tape.raw(1) == "1" else 0)
        records.append((first, last, _passages(tape)))
    return records


def _passages(tape):
    code = tape.raw(3)
    if code == "111":
        tape.raw(16)
    else:
        assert code in LENGTH
    tape.raw(3)
    if tape.raw(1) == "0":
        tape.number(tape.wide())
        tape.number(tape.wide())
        tape.raw(3)
    for _ in range(2):
        if tape.raw(1) == "1":
            tape.raw(15)
    total = 0
    for _ in range(5):
        width = tape.wide()
        total += tape.number(width) + tape.number(width)
    return total
