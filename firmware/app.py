"""The application: builds every part and every task, and watches over them.

`second` is the heart: detector time-outs, intervals, and the watchdog, which is fed only while the
tasks that matter make progress. A task that ends is a fault: it is noted and the node starts over.
"""

import asyncio
import gc
import time

import config as configuration
from clock import Clock
from commands import Commands
from counting import Counter
from faults import STORAGE, TASK_DIED
from health import Health
from link_mqtt import MqttLink
from log import Log
from micropython import const
from mqtt import Backoff, FrameFull, LinkDown
from ring import Ring, RingError
from uplink import Uplink
from version import VERSION
from wifi import Wifi

_WATCHDOG_MS = const(60_000)  # outlasts the longest name resolution
_HEALTH_S = const(900)
_ABLE = (1, 2)  # detector states in which it counts: ok, quiet
_LOST_KEYS = ("resync_bytes", "lost_edges", "edge_overflow")
_RESET_CAUSES = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")


def _detector(board, config):
    """The configured detector on the board's pins; the drivers are imported when needed (RAM)."""
    if config["detector"] == "beam":
        from beam import DualBeam

        return DualBeam(*board.beam_pins(), config)
    from radar import LD2451

    return LD2451(board.uart(), config)


class App:
    """board: the object of boards/<board>/board.py."""

    def __init__(self, board):
        self.board = board
        self.nvs = board.nvs("tallypost")
        self.log = Log()
        self.uptime_s = self.log.uptime_s
        self.node = (configuration.read_blob(self.nvs, "id") or b"").decode()
        self.boot = self._count_boot()
        self.refused_commands = 0
        self._reset_at = 0
        self._task = None  # the detector's

    def _count_boot(self):
        try:
            boot = self.nvs.get_i32("boot")
        except OSError:
            boot = 0
        boot = (boot + 1) & 0xFFFF
        self.nvs.set_i32("boot", boot)
        self.nvs.commit()
        return boot

    # --- building

    def build(self):
        """Everything between the board and the backend."""
        board, log = self.board, self.log
        self.config = config = configuration.load(self.nvs, log)
        log.level = config["log_level"]
        rng = board.random
        self.ring = Ring(board.ring_partition(), rng)
        self.ring.open()
        self.clock = Clock(board.set_utc, self.uptime_s, Backoff(rng, 4000, 300_000), log)
        self.counter = Counter(
            self.ring, self.clock, board.rtc_memory(), self.uptime_s, config,
            identity=(self.boot, board.reset_cause()),
        )  # fmt: skip
        self.clock.on_step = self._clock_set
        self.counter.restore()
        self.detector = _detector(board, config)
        secrets = {}
        for key in ("wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass"):
            secrets[key] = (configuration.read_blob(self.nvs, key) or b"").decode()
        self.wifi = Wifi(
            board.wlan(), secrets["wifi_ssid"], secrets["wifi_pass"], Backoff(rng), log
        )
        self.link = MqttLink(
            config, secrets, self.node, self.wifi, Backoff(rng), log=log,
            ca=configuration.read_blob(self.nvs, "mqtt_ca"),
        )  # fmt: skip
        self.uplink = Uplink(
            self.ring, self.link, self.node, self.clock, uptime_s=self.uptime_s, boot=self.boot
        )
        self.counter.on_record = self.uplink.wake
        self.commands = Commands(self)
        self.health = Health()
        self.link.on_message = self._message
        self.link.hello = self.hello()

    def hello(self):
        """The payload of `status`."""
        return {
            "v": 1, "node": self.node, "state": "online", "boot": self.boot, "version": VERSION,
            "board": self.board.NAME, "reset": _RESET_CAUSES[self.board.reset_cause()],
            "log": "%08x" % self.ring.log_id, "detector": self.config["detector"],
        }  # fmt: skip

    def status(self):
        body = self.hello()
        body.update(self.health.report(self))
        return body

    def reset_soon(self):
        self._reset_at = self.uptime_s() + 2

    # --- messages and the clock

    def _message(self, suffix, payload):
        if suffix == "cmd":
            reply = self.commands.handle(payload)
        elif suffix == "ack":
            try:
                self.uplink.acknowledge(payload)
                return
            except ValueError as error:
                self.uplink.refused_acks += 1
                reply = {"v": 1, "id": None, "ok": False, "error": str(error)}
        else:
            return
        self._spawn(self._reply(reply), "reply")

    async def _reply(self, body):
        try:
            try:
                await self.link.publish("reply", body, qos=0)
            except FrameFull as error:
                refusal = {"v": 1, "id": body["id"], "ok": False, "error": str(error)}
                await self.link.publish("reply", refusal, qos=0)
        except LinkDown:
            self.log.warn("a reply was lost with the link")

    def _clock_set(self, old):
        self.counter.clock_set(old)
        if old:
            self.uplink.event("clock_step", seconds=self.clock.utc() - old)

    # --- tasks

    async def run(self):
        """Start the tasks; returns never."""
        self.log.info("%s %s boot %d on %s", self.node, VERSION, self.boot, self.board.NAME)
        cause = _RESET_CAUSES[self.board.reset_cause()]
        self.uplink.event("start", reset=cause, version=VERSION, dropped=self.ring.dropped)
        self._wdt = self.board.watchdog(_WATCHDOG_MS)
        self._spawn(self.wifi.run(), "wifi")
        self._spawn(self.link.run(), "link")
        self._spawn(self.uplink.run(), "uplink")
        self._spawn(self.clock.run(self.config["ntp_host"], self.wifi.wait_up), "clock")
        self._spawn(self._report_health(), "health")
        await self.detector.start()
        gc.collect()
        detector = self.config["detector"]
        self.log.info("%s: state %d, %d bytes free", detector, self.detector.state, gc.mem_free())
        self._task = self._spawn(self._detect(), "detector")
        await self._second()

    def _spawn(self, coro, name):
        return asyncio.create_task(self._guarded(coro, name))

    async def _guarded(self, coro, name):
        """No task dies quietly."""
        try:
            await coro
        except Exception as error:
            self.fail(TASK_DIED, "%s: %r" % (name, error), error)

    def fail(self, code, text, error=None):
        """Note a fault and start over; the open interval is safe in RTC memory."""
        self.log.error("fault %d: %s", code, text)
        if error:
            self.board.print_exception(error)
        self.board.reset()

    async def _detect(self):
        detector, counter = self.detector, self.counter
        while True:
            await detector.wait()
            passage = detector.pop()
            while passage:
                counter.add(passage)
                passage = detector.pop()

    def _lost(self):
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
                self._task = self._spawn(self._detect(), "detector")
            passage = self.detector.pop()
            while passage:
                self.counter.add(passage)
                passage = self.detector.pop()
            try:
                self._count(now_ms)
            except (OSError, RingError) as error:
                self.fail(STORAGE, "ring: %r" % error, error)
            state = self._note_state(state)
            if self._reset_at and self.uptime_s() >= self._reset_at:
                self.counter.checkpoint()
                self.board.reset()
            self._wdt.feed()
            due_ms = time.ticks_add(due_ms, 1000)
            await asyncio.sleep_ms(max(1, time.ticks_diff(due_ms, time.ticks_ms())))

    def _note_state(self, was):
        """A detector that can no longer count, or can again, is an event; traffic is not."""
        state = self.detector.state
        if (state in _ABLE) != (was in _ABLE) or (state not in _ABLE and state != was):
            self.uplink.event("detector", was=was, state=state)
        return state

    def _count(self, now_ms):
        lost = self._lost() if self.uptime_s() % 16 == 0 else self.counter.lost
        self.counter.tick(now_ms, self.detector.state, lost)
        self.ring.prepare()

    async def _report_health(self):
        while True:
            await asyncio.sleep(_HEALTH_S)
            report = self.health.report(self)
            try:
                await self.link.publish("health", report, qos=0)
            except LinkDown:
                self.log.debug("no health report while the link is down")


async def wait_for_provisioning(board, log):
    """A board without an identity counts nothing: it says so, and blinks."""
    log.warn("not provisioned: no node id in NVS. Run `tallypost provision`.")
    while True:
        board.led(True)
        await asyncio.sleep_ms(100)
        board.led(False)
        await asyncio.sleep(3)


def start(board):
    """Run the application on a board; returns never."""
    app = App(board)
    if not app.node:
        asyncio.run(wait_for_provisioning(board, app.log))
    app.build()
    gc.collect()
    gc.threshold(-1)
    asyncio.run(app.run())
