# heap: 1m
"""Faults of the application: each is an event and a reset, and the interval is kept."""

import asyncio
import sys

from core.faults import LOOP_ENDED, STALLED, STARVED, STORAGE
from nor import Nor
from built_app import (
    CAR,
    built,
    events_in,
    fed,
    new_board,
    on_flash,
    restored,
    run,
    stall,
    started,
)


def test_a_task_that_stalls_is_an_event_and_a_reset_and_the_watchdog_is_not_fed():
    app = built()
    stall(app)
    assert run(app, fed), "no reset"
    assert app.board.resets == 1 and app.board.dog.feeds == 0
    assert app.log.tail()[-1].endswith("error fault 2: publisher: 'no progress'")
    events = events_in(on_flash(app))
    assert [event["event"] for event in events] == ["start", "fault"]
    assert events[1]["code"] == STALLED == 2 and "publisher" in events[1]["reason"]


def test_the_open_interval_outlives_the_reset_of_a_stalled_task():
    app = built()
    app.counter.add(CAR)
    app.counter.add(CAR)
    stall(app)
    assert run(app, fed)
    assert restored(app).counts[2] == 2


def test_an_exception_out_of_the_event_loop_is_an_event_and_a_reset():
    app = built()
    app.counter.add(CAR)

    queue = asyncio.core._io_queue

    def starved(_ms):
        raise OSError(5)  # as lwIP does without memory

    queue.wait_io_event = starved
    try:
        started(app)
    finally:
        del queue.wait_io_event
    assert app.board.resets == 1 and restored(app).counts[2] == 1
    fault = events_in(on_flash(app))[-1]
    assert fault["code"] == LOOP_ENDED == 5 and fault["reason"] == "event loop: OSError(5,)"


def test_a_node_that_has_no_memory_to_connect_says_so_and_restarts_with_its_interval():
    for tls, largest in ((0, 4000), (1, 16_000)):
        app = built(mqtt_tls=tls)
        app.counter.add(CAR)
        app.board.system = (20_000, largest, 300)
        app.uptime_s = iter(range(60, 6000, 60)).__next__
        run(app, fed)
        for _ in range(10):
            app.supervisor.check = lambda _uptime: None
            try:
                app._beat(1)
            except SystemExit:
                break
        assert app.board.resets == 1 and restored(app).counts[2] == 1
        fault = events_in(on_flash(app))[-1]
        assert fault["code"] == STARVED == 6
        assert "block of %d bytes, a connection needs" % largest in fault["reason"]


def test_a_full_flash_does_not_keep_a_stalled_node_from_its_reset():
    app = built()
    stall(app)

    event = app.uplink.event

    def full(name, **details):
        if name == "fault":
            raise OSError("flash")
        event(name, **details)

    app.uplink.event = full
    assert run(app, fed) and app.board.resets == 1 and app.board.dog.feeds == 0


def test_a_fault_found_at_the_start_is_an_event_behind_the_start():
    board = new_board()
    board.flash = Nor(24)
    board.flash.cells[700:720] = b"somebody else's data"
    app = built(board=board)
    assert not run(app, fed)
    start, fault = events_in(app.ring)
    assert start["event"] == "start" and fault["event"] == "fault"
    assert fault["code"] == STORAGE and "foreign data" in fault["reason"]


def test_a_health_report_that_finds_no_memory_ends_no_task():
    app = built()
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
        assert not run(app, lambda _app: len(asked) > 1)
    finally:
        requests.asyncio = asyncio
    assert app.board.resets == 0


def test_a_command_that_finds_no_room_is_refused_before_it_is_loaded():
    app = built()
    app.memory.room = lambda: 7900
    reply = app.command(b'{"id": 1, "cmd": "ping"}')
    assert not reply["ok"] and reply["error"] == "no memory"
    assert app.refused_commands == 1 and "commands.registry" not in sys.modules


def test_a_command_that_needs_the_schema_is_refused_without_room_for_it():
    app = built()
    app.memory.need = lambda size: _refuse_from(-size, -7500)
    assert app.command(b'{"id": 1, "cmd": "ping"}')["ok"]
    assert not app.command(b'{"id": 2, "cmd": "config_stored"}')["ok"]


def _refuse_from(size, limit):
    if size > limit:
        raise MemoryError
