"""An application on a fake board, which runs until a condition holds. Its clock was never set."""

import asyncio
import json
import sys
import time

from board_parts import FakeBoard, sealed
from core import clock
from core.modules import unload
from core.supervisor import Supervisor
from counting.recovery import restore_interval
from ring import EVENT, Ring
from wire.record import Interval


class Wall:
    """Stands for the module `time` of the clock: a real-time clock that was never set."""

    seconds = 0

    @classmethod
    def time(cls):
        return cls.seconds


clock.time = Wall
UTC = 1_800_000_000
OFFSET = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
CAR = (0, 2, 402, 0, -1, 402)
MQTT = ["clock", "console", "detector", "health", "link", "publisher", "wifi"]
LORAWAN = ["lorawan", "lorawan device"]
KEYS = {"lora_dev_eui": bytes(8), "lora_join_eui": bytes(8), "lora_app_key": bytes(16)}


class Device:
    """A LoRaWAN device that never joins."""

    def __init__(self):
        self.on_down = self.on_time = self.on_reset = None

    async def run(self):
        while True:
            await asyncio.sleep(1)

    def max_payload(self):
        return 0

    def modulation(self):
        return None

    def state(self):
        return {}


class Noting(Supervisor):
    """Notes the names of the tasks that it starts, and of those that it watches."""

    def __init__(self, board, log):
        super().__init__(board, log)
        self.started, self.names, self.tasks = [], [], {}

    def watch(self, name, bound_s):
        assert bound_s > 0
        self.names.append(name)
        return super().watch(name, bound_s)

    def spawn(self, coro, name):
        self.started.append(name)
        self.tasks[name] = super().spawn(coro, name)
        return self.tasks[name]


def fresh_build():
    """The module `build`, which leaves the heap with each application that it has built."""
    unload("build")
    import build

    return build


class Board(FakeBoard):
    """A board whose clock can be set."""

    def set_utc(self, utc):
        Wall.seconds = utc - OFFSET


def new_board(link="mqtt", **settings):
    settings.update({"link": link, "detector": "beam"})
    config = json.dumps(settings).encode()
    return Board(sealed(config=config, **KEYS), Device())


def built(link="mqtt", board=None, **settings):
    """An application on a board with light barriers."""
    build = fresh_build()
    sys.modules["app"].Supervisor = Noting
    return build.build_app(board or new_board(link, **settings))


def run(app, until, timeout_ms=3000):
    """Run until until(app); return True if the board was reset before."""

    async def main():
        task = asyncio.create_task(app.run())
        begin = time.ticks_ms()
        while not until(app):
            assert time.ticks_diff(time.ticks_ms(), begin) < timeout_ms, "it takes too long"
            await asyncio.sleep_ms(1)
            if task.done():
                await task
        task.cancel()

    try:
        asyncio.run(main())
    except SystemExit:
        return True
    return False


def fed(app):
    return app.board.dog.feeds > 0


def stall(app):
    """A task reported at the start, is to report each second, and does not."""
    app.supervisor.watch("publisher", 1)
    seconds = iter(range(2, 100))
    app.uptime_s = lambda: next(seconds)


def on_flash(app):
    """The log, as the next start finds it."""
    ring = Ring(app.board.flash, app.board.random)
    ring.open()
    return ring


def events_in(ring):
    events, buf = [], bytearray(600)
    for seq in range(1, ring.next_seq):
        kind, n = ring.read(seq, buf)
        events += [json.loads(bytes(buf[:n]))] if kind == EVENT else []
    return events


def restored(app):
    """The open interval, as the next start finds it."""
    rec = Interval()
    restored = restore_interval(
        rec, app.ring, app.board.rtc_memory(), uptime=1, utc=0, length_s=900
    )
    assert restored.is_cut
    return rec


def started(app):
    """Run `App.start` up to the reset of the board."""
    try:
        app.start()
    except SystemExit:
        return
    raise AssertionError("it ended without a reset")
