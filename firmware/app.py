"""The application: starts every task, and watches over them. Built by assembly.py.

`second` is the heart: detector time-outs, intervals, and the watchdog, which is fed only while the
tasks that matter make progress. A task that ends is a fault: it is noted and the node starts over.
"""

import asyncio
import gc
import time

from core.faults import STORAGE, TASK_DIED
from core.health import let_go
from core.log import Log
from micropython import const
from ring import RingError
from core.version import VERSION

_WATCHDOG_MS = const(60_000)  # outlasts the longest name resolution
_PREPARE_S = const(16)
_ABLE = (1, 2)  # detector states in which it counts: ok, quiet
_LOST_KEYS = ("resync_bytes", "lost_edges", "edge_overflow")
_RESET_CAUSES = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")


class App:
    """board: the object of boards/<board>/board.py."""

    tally = None  # cumulative totals at the start of a calibration
    streaming = None  # the task that writes to the console for a technician

    def __init__(self, board):
        self.board = board
        self.nvs = board.nvs("tallypost")
        self.log = Log()
        self.uptime_s = self.log.uptime_s
        self.refused_commands = 0
        self._reset_at = 0
        self.faults = []  # code and reason of what was found at the start
        self.tasks = []  # coroutines and their names, to be started
        self._task = None  # the detector's

    def add_fault(self, code, reason):
        """Note what was found at the start; it becomes an event."""
        self.faults.append((code, reason))
        self.log.error("fault %d: %s", code, reason)

    def hello(self):
        """The payload of `status`."""
        return {
            "v": 1, "node": self.node, "state": "online", "boot": self.boot, "version": VERSION,
            "board": self.board.NAME, "reset": _RESET_CAUSES[self.board.reset_cause()],
            "log": "%08x" % self.ring.log_id, "detector": self.config["detector"],
            "storage": self.storage,
        }  # fmt: skip

    def status(self):
        body = self.hello()
        body.update(self.health.report(self))
        return body

    def reset_soon(self):
        self._reset_at = self.uptime_s() + 2

    # --- the clock

    def clock_set(self, old):
        self.counter.clock_set(old)
        for outbox in (self.uplink, self.lora):
            if outbox:
                outbox.anchor = self.counter.anchor
        if old:
            self.uplink.event("clock_step", seconds=self.clock.utc() - old)

    # --- tasks

    async def run(self):
        """Start the tasks; returns never."""
        self.log.info("%s %s boot %d on %s", self.node, VERSION, self.boot, self.board.NAME)
        cause = _RESET_CAUSES[self.board.reset_cause()]
        self.uplink.event("start", reset=cause, version=VERSION, dropped=self.ring.dropped)
        for code, reason in self.faults:
            self.uplink.event("fault", code=code, reason=reason)
        self._wdt = self.board.watchdog(_WATCHDOG_MS)
        for coro, name in self.tasks:
            self.spawn(coro, name)
        self.tasks = None  # RAM
        await self.detector.start()
        gc.collect()
        detector = self.config["detector"]
        self.log.info("%s: state %d, %d bytes free", detector, self.detector.state, gc.mem_free())
        self._task = self.spawn(self._detect(), "detector")
        await self._second()

    def spawn(self, coro, name):
        return asyncio.create_task(self._guarded(coro, name))

    async def _guarded(self, coro, name):
        """No task dies quietly."""
        try:
            await coro
        except Exception as error:
            self.fail(TASK_DIED, name, error)

    def fail(self, code, part, error):
        """Note a fault and start over; the open interval is safe in RTC memory."""
        try:
            self.log.error("fault %d: %s: %r", code, part, error)
            self.board.print_exception(error)
        finally:  # the heap may be too full even for a line
            self.board.reset()

    async def _detect(self):
        detector, counter = self.detector, self.counter
        while True:
            await detector.wait()
            passage = detector.pop()
            while passage:
                counter.add(passage)
                passage = detector.pop()

    def losses(self):
        """Running number of bytes or edges the detector's line has lost."""
        stats = self.detector.stats()
        return sum(stats.get(key, 0) for key in _LOST_KEYS)

    async def _second(self):
        due_ms = time.ticks_ms()
        state = self.detector.state
        while True:
            now_ms = time.ticks_ms()
            if self.detector.tick(now_ms):
                self._task.cancel()
                self._task = self.spawn(self._detect(), "detector")
            passage = self.detector.pop()
            while passage:
                self.counter.add(passage)
                passage = self.detector.pop()
            uptime = self.uptime_s()
            try:
                self._count(now_ms, uptime)
            except (OSError, RingError) as error:
                self.fail(STORAGE, "ring", error)
            if self.detector.state != state:
                state = self._note_state(state)
            if self._reset_at and uptime >= self._reset_at:
                self.counter.checkpoint()
                self.board.reset()
            self._wdt.feed()
            due_ms = time.ticks_add(due_ms, 1000)
            await asyncio.sleep_ms(max(1, time.ticks_diff(due_ms, time.ticks_ms())))

    def _note_state(self, was):
        """A detector that can no longer count, or can again, is an event; traffic is not."""
        state = self.detector.state
        if state not in _ABLE or was not in _ABLE:
            self.uplink.event("detector", was=was, state=state)
        return state

    def _count(self, now_ms, uptime):
        self.counter.tick(now_ms, uptime, self.detector.state)
        if uptime % _PREPARE_S == 0:
            self.ring.prepare()


def _built(board):
    """The application with all its parts; its memory is free of what put it together."""
    from build import assemble

    app = App(board)
    assemble(app)
    let_go("build")
    return app


def start(board):
    """Run the application on a board; returns never."""
    app = _built(board)
    gc.collect()
    gc.threshold(-1)
    asyncio.run(app.run())
