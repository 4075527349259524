"""A publisher over a real ring, and a link that keeps its messages. Time-outs pass at once."""

import asyncio
import json
import random
import struct

from board_parts import FakeClock, FakeProgress
from delivery.mqtt import publisher as module
from delivery.mqtt.publisher import Publisher
from mqtt import LinkDown
from mqtt.frame import Frame
from nor import Nor
from ring import ANCHOR, INTERVAL, Ring
from wire.record import MAX_BYTES, Interval

UTC = 1_800_000_000
_ANCHOR = "<HIIB"


class FakeLink:
    """Keeps messages: (suffix, body). room: bytes of a message."""

    def __init__(self, room=2048):
        self._frame = Frame(room)
        self.messages = []
        self.sizes = []
        self.fails = 0  # so many publishes from now on end with `failure`
        self.failure = LinkDown("gone")
        self.attempts = 0
        self.during = None  # function(): called while a message is on its way
        self.up = True

    def is_up(self):
        return self.up

    async def wait_up(self):
        while not self.up:
            await asyncio.sleep_ms(1)

    async def publish(self, suffix, fill, retain=False, qos=1):
        assert qos == 1 and not retain
        self.attempts += 1
        frame = self._frame
        frame.start(b"", 0)
        begin = frame.pos
        result = json.dump(fill, frame) if isinstance(fill, dict) else fill(frame)
        if self.fails:
            self.fails -= 1
            raise self.failure
        body = json.loads(bytes(frame.packet(0, 0))[begin - frame.pos :])
        self.messages.append((suffix, body))
        self.sizes.append(frame.pos)
        await asyncio.sleep_ms(0)
        if self.during:
            self.during()
        return result

    def numbers(self):
        """Numbers of all interval records, in the order in which they left."""
        return [rec["seq"] for name, body in self.messages if name == "counts"
                for rec in body["recs"]]  # fmt: skip

    def events(self):
        return [body for name, body in self.messages if name == "event"]


class News(asyncio.Event):
    """The event for which the publisher rests. Counts how often it does."""

    rests = 0

    async def wait(self):
        News.rests += 1
        await super().wait()


class Fast:
    """asyncio in which a time-out passes at once, `expire` times, and is noted."""

    waits = []
    expire = 0

    Event = News
    TimeoutError = asyncio.TimeoutError

    @staticmethod
    async def sleep(_seconds):
        await asyncio.sleep_ms(0)

    @staticmethod
    async def sleep_ms(_ms):
        await asyncio.sleep_ms(0)

    @staticmethod
    async def wait_for(awaitable, seconds):
        Fast.waits.append(seconds)
        if not Fast.expire:
            return await awaitable
        Fast.expire -= 1
        News.rests += 1
        awaitable.close()
        raise Fast.TimeoutError


class Node:
    """A ring with `count` intervals, and the publisher over it."""

    def __init__(self, count=0, room=2048, blocks=24):
        module.asyncio = Fast
        Fast.waits = []
        random.seed(4)
        self.ring = Ring(Nor(blocks), random.getrandbits)
        self.ring.open()
        self.clock = FakeClock(UTC)
        self.link = FakeLink(room)
        self.add(count)
        self.restart()

    def restart(self, mac_key=None):
        self.progress = FakeProgress()
        self.uplink = Publisher(
            self.ring, self.link, "n1", self.clock, uptime_s=self.clock.seconds, boot=3,
            mac_key=mac_key,
        )  # fmt: skip

    def add(self, count=1, start=UTC, **fields):
        buf = bytearray(MAX_BYTES)
        for _ in range(count):
            rec = Interval()
            rec.reset(start, 100)
            rec.length = rec.coverage = 900
            for name, value in fields.items():
                setattr(rec, name, value)
            self.ring.append(INTERVAL, buf, rec.pack_into(buf))

    def anchor(self, boot, uptime, utc):
        self.ring.append(ANCHOR, struct.pack(_ANCHOR, boot, uptime, utc, 2))

    def ack(self, seq, log_id=None):
        log_id = self.ring.log_id if log_id is None else log_id
        self.uplink.acknowledge(json.dumps({"v": 1, "log": "%08x" % log_id, "seq": seq}))

    def run(self, rests=1, then=None):
        """Let the publisher work until it has rested so often. After then(), once more."""

        Fast.expire = rests - 1

        async def main():
            News.rests = 0
            task = asyncio.create_task(self.uplink.run(self.progress))
            await asyncio.wait_for(_rested(task, rests), 20)
            if then:
                News.rests = 0
                then()
                await asyncio.wait_for(_rested(task, rests), 20)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return

        asyncio.run(main())
        return self.link


async def _rested(task, count):
    while News.rests < count:
        assert not task.done(), "it works for ever"
        await asyncio.sleep_ms(1)


def refused(call, *args):
    try:
        call(*args)
    except ValueError as error:
        return str(error)
    raise AssertionError("accepted: %r" % (args,))
