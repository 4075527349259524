# heap: 1m
"""The application: which tasks are watched, and what its heartbeat does."""

import asyncio
import gc
import sys

from board_parts import FakeBoard, FakeNvs
from core.modules import unload_modules
from wire.record import WHY_OVERFLOW, Interval
from built_app import (
    CAR,
    LORAWAN,
    MQTT,
    OFFSET,
    UTC,
    Wall,
    built,
    events_in,
    fed,
    fresh_build,
    new_board,
    run,
)


def test_every_task_that_the_application_starts_is_watched():
    for link, names in (("mqtt", MQTT), ("lorawan", LORAWAN), ("both", MQTT + LORAWAN)):
        app = built(link)
        assert not run(app, lambda app: fed(app) and _learnt(app))
        names = names if link != "lorawan" else names + ["console", "detector"]
        assert sorted(app.supervisor.names) == sorted(names), link
        assert sorted(app.supervisor.started) == sorted(names), link


def _learnt(app):
    return "console" in app.supervisor.names


def _used_by(name):
    """Bytes that stay on the heap after a module was loaded and dropped."""
    gc.collect()
    gc.collect()
    before = gc.mem_alloc()
    __import__(name)
    unload_modules()
    gc.collect()
    gc.collect()
    return gc.mem_alloc() - before


def test_the_names_of_late_modules_are_on_the_heap_when_the_start_is_over():
    app = built("both", mqtt_tls=1)
    assert _used_by("delivery.lorawan.modem_device") > 100, "of a module that is no late one"
    app.supervisor.check = lambda _uptime: None
    assert not run(app, _learnt)
    late = (
        "config.schema", "console.session", "console.live_view", "commands.registry",
        "commands.diagnostics", "commands.calibration", "commands.log_export", "names.query",
        "mqtt.connection", "delivery.mqtt.tls", "delivery.lorawan.downlink_handlers", "wire.note",
    )  # fmt: skip
    for name in late:
        assert name not in sys.modules
        assert _used_by(name) <= 0, name


def test_a_node_without_traffic_or_network_stalls_nowhere():
    app = built("both")
    assert not run(app, fed)
    for hours in (1, 24, 1000):  # idle tasks need not report, and the others had no time to
        late = app.supervisor.check(app.uptime_s() + 3600 * hours)
        assert late in (None, "wifi", "health", "lorawan", "lorawan device"), late
    assert app.supervisor.check(app.uptime_s()) is None


def test_passages_are_counted_when_the_detector_has_them():
    app = built()
    waiting = []

    async def wait():
        if not waiting:
            waiting.append([CAR, CAR])
            return
        await asyncio.sleep(60)

    app.detector.wait = wait
    app.detector.pop = lambda: waiting[0].pop() if waiting and waiting[0] else None
    assert not run(app, lambda app: app.counter.passages == 2 and fed(app))


def test_a_passage_is_counted_by_the_heartbeat_while_the_detectors_task_waits():
    app = built()
    waiting = [CAR]
    app.detector.wait = lambda: asyncio.sleep(60)
    app.detector.pop = lambda: waiting.pop() if waiting else None
    assert not run(app, lambda app: app.counter.passages == 1)


def test_each_start_has_the_next_number_and_none_is_number_0():
    board = new_board()
    assert [built(board=board).boot for _ in range(3)] == [1, 2, 3]
    assert board.nvs("").kept["boot"] == 3, "it outlives a power cut"
    for before, number in ((65534, 65535), (65535, 1)):
        board.nvs("").kept["boot"] = before
        app = built(board=board)
        assert app.boot == app.hello()["boot"] == number == board.nvs("").kept["boot"]


def test_the_clock_gives_records_their_time_and_a_step_of_it_is_an_event():
    for link in ("mqtt", "lorawan", "both"):
        Wall.seconds = 0
        app = built(link)
        app.counter.close()  # its time is not known yet
        app.clock.set(UTC, 2)
        anchor = (app.uptime_s(), UTC)
        for outbox in (app.uplink, app.lora):
            assert outbox is None or outbox.anchor == app.counter.anchor == anchor, link
        assert events_in(app.ring) == [], "the first time is no step"
        app.clock.set(UTC + 3600, 2)
        app.clock.set(UTC + 3000, 2)
        steps = [(event["event"], event["seconds"]) for event in events_in(app.ring)]
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
        fresh_build().build_app(board)
    except SystemExit:  # an exception out of the event loop ends in a reset
        assert isinstance(board.shown[0], Ended)
        assert board.lit == [True, False] and board.dog.feeds == 0
        assert board.flash is None and board.nvs("").commits == 0
        return
    raise AssertionError("it counts")


def test_edges_that_the_detector_has_lost_mark_the_interval():
    for lost in (0, 3):
        app, rec, buf = built(), Interval(), bytearray(600)
        app.detector.stats = lambda lost=lost: {"edges": 90, "edge_overflow": lost}
        app.counter.close()
        rec.unpack(buf, app.ring.read(app.ring.last_interval, buf)[1])
        assert bool(rec.why & WHY_OVERFLOW) == bool(lost)


def test_parts_are_none_until_they_are_built():
    from app import App

    app = App(new_board())
    for name in ("config", "ring", "storage", "clock", "counter", "detector", "memory", "wifi",
                 "link", "lora", "uplink", "tally", "streaming", "starting"):  # fmt: skip
        assert getattr(app, name) is None, name
    assert (app.node, app.boot, app.faults, app.refused_commands) == ("", 0, [], 0)


def test_a_reset_goes_on_with_the_interval_up_to_its_end():
    Wall.seconds = UTC + 100 - OFFSET
    board = new_board()
    built(board=board).counter.add(CAR)
    Wall.seconds += 50
    app, rec, buf = built(board=board), Interval(), bytearray(600)
    for utc, closed in ((UTC + 899, 0), (UTC + 900, 1)):
        Wall.seconds = utc - OFFSET
        app.counter.tick(1000, app.uptime_s(), 1)
        assert app.ring.last_interval == closed
    rec.unpack(buf, app.ring.read(1, buf)[1])
    assert (rec.start, rec.length, sum(rec.counts), rec.boot) == (UTC, 900, 1, 2)
