"""The application: its parts, its heartbeat, and the two loaders of seldom-needed code.

`build.py` builds the parts and starts the tasks. The heartbeat comes once a second: time-outs of
the detector, intervals, and the watchdog, which is fed only while every task makes progress
(`core/supervisor.py`).
"""

import asyncio
import gc
import time
from binascii import crc32

from core.faults import STALLED, STARVED, STORAGE, refusal
from core.log import Log
from core.memory import (
    COLLECT_BYTES_MAX, COLLECT_BYTES_MIN, CONNECTION_BYTES, TLS_CONNECTION_BYTES,
)  # fmt: skip
from core.modules import unload_modules
from core.supervisor import Supervisor
from core.version import VERSION
from micropython import const
from ring import RingError

_PREPARE_S = const(16)
_PREPARE_FROM_S = const(60)  # of uptime: an erase at each start would wear out the flash
_LONG_S = const(3600)  # of uptime: then a start was not a short one
_TOLD_MAX = const(4)  # short starts in a row that write events, then ever fewer do
_RETRY_S = const(21_600)  # of uptime, in memory: then a start tries the flash again
_FRESH_S = const(60)  # of an interval, which a restart in memory costs
_LASTS_S = const(300)  # of uptime: then a start has not failed
_FAILED_MAX = const(5)  # as in counting/build.py
_SAFE_S = const(3600)  # of safe mode, then a start tries to count again
_DETECTOR_BOUND_S = const(60)
_WATCH_S = const(60)
_ABLE = (1, 2)  # detector states in which it counts: ok, quiet
_IDS_MAX = const(8)
_COMMAND_BYTES = const(8000)  # of heap: the registry, a small command, its reply
_SCHEMA_BYTES = const(7000)  # its module, and the values that it checks
_LOST_KEYS = ("resync_bytes", "lost_edges", "edge_overflow")
_RESET_CAUSES = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")


class App:
    """board: the object of boards/<board>/board.py. The other parts are None until built."""

    def __init__(self, board):
        self.board = board
        self.nvs = board.nvs("tallypost")
        self.log = Log()
        self.uptime_s = self.log.uptime_s
        self.supervisor = Supervisor(board, self.log)
        self.supervisor.on_fault = self.note_fault
        self.node = ""  # the node id, empty on a board without an identity
        self.failed = 0  # starts in a row that did not last, this one included until it does
        self.short = 0  # starts in a row of less than an hour, this one included
        self.boot = 0  # number of this start, 1 to 65535
        self.config = None  # Settings in force
        self.ring = None
        self.storage = None  # "flash", or the reason why the ring is in memory
        self.clock = None
        self.counter = None
        self.detector = None
        self.memory = None
        self.wifi = self.link = None  # of MQTT
        self.lora = None  # the scheduler of LoRaWAN
        self.uplink = None  # the outbox of the first link: publisher of MQTT, else scheduler
        self.trial = None  # state of config/trial.py, until a record is acknowledged
        self.tally = None  # cumulative totals at the start of a calibration
        self.streaming = None  # the task that streams lines to the console
        self.faults = []  # code and reason of each fault found at the start
        self.refused_commands = 0
        self.used_ids = ()  # marks of the commands that changed the node, newest last
        self.config_set_s = -60  # uptime of the last change of the configuration
        self.starting = None  # a coroutine that starts the tasks
        self._detecting = None  # the detector's task and its progress
        self._progress = None
        self._reset_at = 0

    def add_fault(self, code, reason):
        """Note a fault found at the start. It becomes an event."""
        self.faults.append((code, reason))
        self.log.error("fault %d: %s", code, reason)

    def note_fault(self, code, reason):
        """Put a fault that ends in a reset into the log, which outlives it."""
        if self.uplink:
            self.counter.save()
            if self.is_told():
                self.uplink.event("fault", code=code, reason=reason)

    def hello(self):
        """The payload of `status`."""
        return {
            "v": 1, "node": self.node, "state": "online", "boot": self.boot, "version": VERSION,
            "board": self.board.NAME, "reset": _RESET_CAUSES[self.board.reset_cause()],
            "log": "%08x" % self.ring.log_id, "detector": self.config["detector"],
            "storage": self.storage,
        }  # fmt: skip

    def losses(self):
        """Running number of bytes or edges that the detector's line has lost."""
        stats = self.detector.stats()
        return sum(stats.get(key, 0) for key in _LOST_KEYS)

    def start_lasted(self):
        """This start is no failed one. After safe mode a start tries to count again."""
        if self.failed > _FAILED_MAX:
            self._reset_at = self.uptime_s() + _SAFE_S
        self.failed = 0
        self._keep("failed", 0)

    def _keep(self, key, number):
        try:
            self.nvs.set_i32(key, number)
            self.nvs.commit()
        except OSError as error:
            self.log.error("nvs: %r", error)

    def is_told(self):
        """True if this start may write events of its start and its end.

        In a row of short starts ever fewer do (1 to 4, 8, 16, ...): a loop must not eat the log.
        """
        return self.short <= _TOLD_MAX or not self.short & (self.short - 1)

    def reset_soon(self):
        self.start_lasted()
        self._reset_at = self.uptime_s() + 2

    def clock_set(self, old):
        """The clock was set. old: UTC before, 0 if it was unknown."""
        self.counter.clock_set(old)
        for outbox in (self.uplink, self.lora):
            if outbox:
                outbox.anchor = self.counter.anchor
        if old:
            self.uplink.event("clock_step", seconds=self.clock.utc() - old)

    # --- seldom-needed code

    def schema(self):
        """The module `config.schema`. Call `unload_modules` when it is no longer needed.

        Raises MemoryError for a node in service that has no room for it and its values.
        """
        if self.memory:
            self.memory.need(_SCHEMA_BYTES)
        from config import schema  # 6,300 bytes

        gc.collect()  # what loading has left: the values lie together, and in the heap as it is
        return schema

    def command(self, payload, out=None):
        """Carry out a command and return the reply. out: see `commands.registry.handle`."""
        unload_modules()
        try:
            if self.memory:
                self.memory.need(_COMMAND_BYTES)
            from commands.registry import handle  # 3,900 bytes

            reply, handle = handle(self, payload, out), None
            while not isinstance(reply, dict):  # a large command goes on without the registry
                path, body = reply
                unload_modules()
                gc.collect()
                module = __import__(path, None, None, ("carry_out",))
                reply, module = module.carry_out(self, body, out), None
            return reply
        except MemoryError:
            self.refused_commands += 1
            return refusal(None, "no memory")
        finally:
            unload_modules()

    @staticmethod
    def mark(name):
        """The mark of a command's id."""
        return crc32(repr(name).encode())

    def use_id(self, mark):
        """Remember the id of a command that has changed the node."""
        self.used_ids = (self.used_ids + (mark,))[-_IDS_MAX:]

    # --- tasks

    def start(self):
        """Run the application. Returns never."""
        gc.collect()
        # A quarter of the room stays in one piece: where a request finds none, the heap grows.
        room = min(self.memory.room() * 3 // 4, COLLECT_BYTES_MAX)
        gc.threshold(max(COLLECT_BYTES_MIN, room))
        self.supervisor.run(self.run())

    async def run(self):
        """Start, and then beat once a second. Returns never."""
        await self.starting
        self.starting = None  # it leaves the heap
        kind, state, free = self.config["detector"], self.detector.state, self.memory.look()
        self.log.info("%s: state %d, %d bytes free", kind, state, free)
        self._progress = self.supervisor.watch("detector", _DETECTOR_BOUND_S)
        self._detecting = self.supervisor.spawn(self._detect(), "detector")
        due_ms = time.ticks_ms()
        while True:
            state = self._beat(state)
            due_ms = time.ticks_add(due_ms, 1000)
            await asyncio.sleep_ms(max(1, time.ticks_diff(due_ms, time.ticks_ms())))

    def _beat(self, state):
        """Once a second. state: of the detector, a second ago; returns the present one."""
        now_ms = time.ticks_ms()
        if self.detector.tick(now_ms):
            self._detecting.cancel()
            self._detecting = self.supervisor.spawn(self._detect(), "detector")
        self._count_passages()
        uptime = self.uptime_s()
        try:
            self.counter.tick(now_ms, uptime, self.detector.state)
            if uptime % _PREPARE_S == 0 and uptime >= _PREPARE_FROM_S:
                self.ring.prepare()
        except (OSError, RingError) as error:
            self.supervisor.fail(STORAGE, "ring", error)
        if self.detector.state != state:
            self._report_detector(state)
        if self._reset_at and uptime >= self._reset_at:
            self.counter.save()
            self.board.reset()
        if self.trial and uptime >= self.trial[0]:
            self._try_config(uptime)
        if uptime % _WATCH_S == 0:
            self._watch(uptime)
        if self.failed and uptime >= _LASTS_S:
            self.start_lasted()
        stalled = self.supervisor.check(uptime)
        if stalled:
            self.supervisor.fail(STALLED, stalled, "no progress")
        return self.detector.state

    async def _detect(self):
        progress, detector = self._progress, self.detector
        while True:
            progress.idle()  # no traffic; the heartbeat notices a detector that is silent
            await detector.wait()
            progress.made()
            self._count_passages()

    def _count_passages(self):
        passage = self.detector.pop()
        while passage:
            self.counter.add(passage)
            passage = self.detector.pop()

    def _report_detector(self, was):
        """Report a detector that can no longer count, or can again. Traffic is no event."""
        state = self.detector.state
        if state not in _ABLE or was not in _ABLE:
            self.uplink.event("detector", was=was, state=state)

    def _try_config(self, uptime):
        try:
            __import__("config.trial", None, None, ("look",)).look(self, uptime)  # 2,000 bytes
        except MemoryError:
            self.trial[0] = uptime + _WATCH_S
        finally:
            unload_modules()

    def _watch(self, uptime):
        """Once a minute: a start that lasts, the memory of the network, the log in memory."""
        if self.short and uptime >= _LONG_S:
            self.short = 0
            self._keep("short", 0)
        if self.link:
            self._watch_memory(uptime)
        if self.storage == "nvs or ring" and uptime >= _RETRY_S and self._is_delivered(uptime):
            self.reset_soon()

    def _is_delivered(self, uptime):
        """True if a restart costs no record of a log in memory, and a minute at most."""
        return not self.uplink.queue_depth() and uptime - self.counter.rec.uptime < _FRESH_S

    def _watch_memory(self, uptime):
        """Start over when the network has had no memory to connect with for too long."""
        bytes_min = TLS_CONNECTION_BYTES if self.config["mqtt_tls"] else CONNECTION_BYTES
        reason = self.memory.starved(uptime, self.link.is_up(), bytes_min)
        if reason:
            self.supervisor.fail(STARVED, "memory", reason)
