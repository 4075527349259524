# heap: 1m
"""The application: which tasks are watched, and how a task that stalls ends in a reset."""

import asyncio
import json
import sys
import time

from board_parts import FakeBoard, FakeNvs, sealed
from core import clock
from core.faults import LOOP_ENDED, STALLED, STARVED, STORAGE
from core.modules import unload
from core.supervisor import Supervisor
from counting.recovery import restore_interval
from nor import Nor
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
        self.started, self.names = [], []

    def watch(self, name, bound_s):
        assert bound_s > 0
        self.names.append(name)
        return super().watch(name, bound_s)

    def spawn(self, coro, name):
        self.started.append(name)
        return super().spawn(coro, name)


def _fresh_build():
    """The module `build`, which leaves the heap with each application that it has built."""
    unload("build")
    import build

    return build


class Board(FakeBoard):
    """A board whose clock can be set."""

    def set_utc(self, utc):
        Wall.seconds = utc - OFFSET


def _board(link="mqtt", **settings):
    settings.update({"link": link, "detector": "beam"})
    config = json.dumps(settings).encode()
    return Board(sealed(config=config, **KEYS), Device())


def _built(link="mqtt", board=None, **settings):
    """An application on a board with light barriers."""
    build = _fresh_build()
    sys.modules["app"].Supervisor = Noting
    return build.build_app(board or _board(link, **settings))


def _run(app, until, timeout_ms=3000):
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


def _fed(app):
    return app.board.dog.feeds > 0


def test_every_task_that_the_application_starts_is_watched():
    for link, names in (("mqtt", MQTT), ("lorawan", LORAWAN), ("both", MQTT + LORAWAN)):
        app = _built(link)
        assert not _run(app, _fed)
        names = names if link != "lorawan" else names + ["console", "detector"]
        assert sorted(app.supervisor.names) == sorted(names), link
        assert sorted(app.supervisor.started) == sorted(names), link


def test_a_node_without_traffic_or_network_stalls_nowhere():
    app = _built("both")
    assert not _run(app, _fed)
    for hours in (1, 24, 1000):  # idle tasks need not report, and the others had no time to
        late = app.supervisor.check(app.uptime_s() + 3600 * hours)
        assert late in (None, "wifi", "health", "lorawan", "lorawan device"), late
    assert app.supervisor.check(app.uptime_s()) is None


def _stall(app):
    """A task reported at the start, is to report each second, and does not."""
    app.supervisor.watch("publisher", 1)
    seconds = iter(range(2, 100))
    app.uptime_s = lambda: next(seconds)


def test_a_task_that_stalls_is_an_event_and_a_reset_and_the_watchdog_is_not_fed():
    app = _built()
    _stall(app)
    assert _run(app, _fed), "no reset"
    assert app.board.resets == 1 and app.board.dog.feeds == 0
    assert app.log.tail()[-1].endswith("error fault 2: publisher: 'no progress'")
    events = _events(_on_flash(app))
    assert [event["event"] for event in events] == ["start", "fault"]
    assert events[1]["code"] == STALLED == 2 and "publisher" in events[1]["reason"]


def _on_flash(app):
    """The log, as the next start finds it."""
    ring = Ring(app.board.flash, app.board.random)
    ring.open()
    return ring


def _events(ring):
    events, buf = [], bytearray(600)
    for seq in range(1, ring.next_seq):
        kind, n = ring.read(seq, buf)
        events += [json.loads(bytes(buf[:n]))] if kind == EVENT else []
    return events


def _restored(app):
    """The open interval, as the next start finds it."""
    rec = Interval()
    restored = restore_interval(
        rec, app.ring, app.board.rtc_memory(), uptime=1, utc=0, length_s=900
    )
    assert restored.is_cut
    return rec


def test_the_open_interval_outlives_the_reset_of_a_stalled_task():
    app = _built()
    app.counter.add(CAR)
    app.counter.add(CAR)
    _stall(app)
    assert _run(app, _fed)
    assert _restored(app).counts[2] == 2


def _started(app):
    """Run `App.start` up to the reset of the board."""
    try:
        app.start()
    except SystemExit:
        return
    raise AssertionError("it ended without a reset")


def test_an_exception_out_of_the_event_loop_is_an_event_and_a_reset():
    app = _built()
    app.counter.add(CAR)

    queue = asyncio.core._io_queue

    def starved(_ms):
        raise OSError(5)  # as lwIP does without memory

    queue.wait_io_event = starved
    try:
        _started(app)
    finally:
        del queue.wait_io_event
    assert app.board.resets == 1 and _restored(app).counts[2] == 1
    fault = _events(_on_flash(app))[-1]
    assert fault["code"] == LOOP_ENDED == 5 and fault["reason"] == "event loop: OSError(5,)"


def test_a_node_that_has_no_memory_to_connect_says_so_and_restarts_with_its_interval():
    for tls, largest in ((0, 4000), (1, 16_000)):
        app = _built(mqtt_tls=tls)
        app.counter.add(CAR)
        app.board.system = (20_000, largest, 300)
        minutes = iter(range(60, 6000, 60))
        app.uptime_s = lambda: next(minutes)
        _run(app, _fed)
        for _ in range(10):
            app.supervisor.check = lambda _uptime: None
            try:
                app._beat(1)
            except SystemExit:
                break
        assert app.board.resets == 1 and _restored(app).counts[2] == 1
        fault = _events(_on_flash(app))[-1]
        assert fault["code"] == STARVED == 6
        assert "block of %d bytes, a connection needs" % largest in fault["reason"]


def test_a_full_flash_does_not_keep_a_stalled_node_from_its_reset():
    app = _built()
    _stall(app)

    event = app.uplink.event

    def full(name, **details):
        if name == "fault":
            raise OSError("flash")
        event(name, **details)

    app.uplink.event = full
    assert _run(app, _fed) and app.board.resets == 1 and app.board.dog.feeds == 0


def test_passages_are_counted_when_the_detector_has_them():
    app = _built()
    waiting = []

    async def wait():
        if not waiting:
            waiting.append([CAR, CAR])
            return
        await asyncio.sleep(60)

    app.detector.wait = wait
    app.detector.pop = lambda: waiting[0].pop() if waiting and waiting[0] else None
    assert not _run(app, lambda app: app.counter.passages == 2 and _fed(app))


def test_a_passage_is_counted_by_the_heartbeat_while_the_detectors_task_waits():
    app = _built()
    waiting = [CAR]
    app.detector.wait = lambda: asyncio.sleep(60)
    app.detector.pop = lambda: waiting.pop() if waiting else None
    assert not _run(app, lambda app: app.counter.passages == 1)


def test_each_start_has_the_next_number_and_none_is_number_0():
    board = _board()
    assert [_built(board=board).boot for _ in range(3)] == [1, 2, 3]
    assert board.nvs("").kept["boot"] == 3, "it outlives a power cut"
    for before, number in ((65534, 65535), (65535, 1)):
        board.nvs("").kept["boot"] = before
        app = _built(board=board)
        assert app.boot == app.hello()["boot"] == number == board.nvs("").kept["boot"]


def test_a_fault_found_at_the_start_is_an_event_behind_the_start():
    board = _board()
    board.flash = Nor(24)
    board.flash.cells[700:720] = b"somebody else's data"
    app = _built(board=board)
    assert not _run(app, _fed)
    start, fault = _events(app.ring)
    assert start["event"] == "start" and fault["event"] == "fault"
    assert fault["code"] == STORAGE and "foreign data" in fault["reason"]


def test_the_clock_gives_records_their_time_and_a_step_of_it_is_an_event():
    for link in ("mqtt", "lorawan", "both"):
        Wall.seconds = 0
        app = _built(link)
        app.counter.close()  # its time is not known yet
        app.clock.set(UTC, 2)
        anchor = (app.uptime_s(), UTC)
        for outbox in (app.uplink, app.lora):
            assert outbox is None or outbox.anchor == app.counter.anchor == anchor, link
        assert _events(app.ring) == [], "the first time is no step"
        app.clock.set(UTC + 3600, 2)
        app.clock.set(UTC + 3000, 2)
        steps = [(event["event"], event["seconds"]) for event in _events(app.ring)]
        assert steps == [("clock_step", 3600), ("clock_step", -600)]


class Ended(Exception):
    """The test has seen enough."""


def test_a_board_without_an_identity_counts_nothing_and_blinks():
    class Blinking(FakeBoard):
        def led(self, on):
            super().led(on)
            if not on:
                raise Ended

    board = Blinking(FakeNvs())
    try:
        _fresh_build().build_app(board)
    except SystemExit:  # an exception out of the event loop ends in a reset
        assert isinstance(board.shown[0], Ended)
        assert board.lit == [True, False] and board.dog.feeds == 0
        assert board.flash is None and board.nvs("").commits == 0
        return
    raise AssertionError("it counts")


def test_a_health_report_that_finds_no_memory_ends_no_task():
    app = _built()
    requests = sys.modules["delivery.mqtt.requests"]
    asked = []

    async def full(*_args, **_options):
        asked.append(1)
        raise MemoryError

    class Soon:
        """Stands for the module `asyncio`: a quarter of an hour is over at once."""

        @staticmethod
        def sleep(_seconds):
            return asyncio.sleep(0)

    app.link.publish, requests.asyncio = full, Soon
    try:
        assert not _run(app, lambda _app: len(asked) > 1)
    finally:
        requests.asyncio = asyncio
    assert app.board.resets == 0
