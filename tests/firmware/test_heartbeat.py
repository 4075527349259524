"""The heartbeat of the application: what it does once a second, and how it ends in a reset."""

import asyncio
import json
import time

import app as module
from console_node import CAR, SerialNode
from core.faults import STORAGE
from core.log import Log
from core.supervisor import Supervisor
from counting.recovery import Restored
from ring import EVENT, RingError
from sensor_line import VirtualTime
from wire.record import Interval


class Detector:
    """state: as in wire/record.py. states: those that come with the next beats."""

    def __init__(self):
        self.state = 1
        self.states = []
        self.passages = []
        self.asks = 0  # so many beats on end ask for a new `wait`
        self.waits = self.waiting = 0

    def tick(self, _now_ms):
        if self.states:
            self.state = self.states.pop(0)
        self.asks -= 1
        return self.asks >= 0

    async def wait(self):
        self.waits += 1
        self.waiting += 1
        try:
            await asyncio.sleep(60)
        finally:
            self.waiting -= 1

    def pop(self):
        return self.passages.pop(0) if self.passages else None

    def stats(self):
        return {}


class Quick:
    """Stands for the module `time` of the heartbeat: each look is a second later."""

    ticks_add, ticks_diff = time.ticks_add, time.ticks_diff
    ms = 0

    @classmethod
    def ticks_ms(cls):
        cls.ms += 1000
        return cls.ms


class Node(SerialNode):
    """A node that resets its board when it was asked to."""

    reset_soon = module.App.reset_soon


def _node():
    """A node whose heart beats without a rest. Its uptime counts the beats."""
    module.time = Quick
    node = Node()
    node.counter.start(Restored())
    node.log = Log()
    node.log.uptime_s = node.uptime_s = lambda: 1 + node.board.dog.feeds
    node.supervisor = Supervisor(node.board, node.log)
    node.detector = Detector()

    async def start():
        node.supervisor.start()

    node.starting = start()
    return node


def _run(node, until):
    """Let the heart beat until until(); return True if the board was reset before."""

    async def main():
        task = asyncio.create_task(node.run())
        while not until():
            await asyncio.sleep_ms(1)
            if task.done():
                await task
        task.cancel()

    try:
        asyncio.run(asyncio.wait_for(main(), 10))
    except SystemExit:
        return True
    return False


def _beats(node, count):
    """Let the heart beat so often, without a reset."""
    assert not _run(node, lambda: node.board.dog.feeds >= count)


def test_the_heart_beats_once_a_second_and_makes_up_for_a_late_beat():
    node, beats = _node(), []
    clock = VirtualTime(module)

    def tick(now_ms):
        beats.append(now_ms)
        if len(beats) == 3:
            clock.us += 700_000  # something has taken its time
        if len(beats) == 6:
            raise SystemExit

    node.detector.tick = tick
    assert _run(node, lambda: False)
    assert beats == [1000, 2000, 3000, 4000, 5000, 6000], beats


def test_a_detector_that_asks_for_it_is_waited_for_anew():
    node = _node()
    waiting = []

    def ask():
        if node.board.dog.feeds == 3:
            node.detector.asks = 1
        waiting.append(node.detector.waiting)
        return node.board.dog.feeds >= 10

    assert not _run(node, ask)
    assert node.detector.waits == 2 and waiting[-1] == 1, "the wait before has ended"
    assert node.supervisor.check(node.uptime_s()) is None, "its task is idle"


def test_a_detector_that_fails_or_recovers_is_an_event_and_traffic_is_none():
    node, buf, found = _node(), bytearray(600), []
    node.detector.states = [2, 1, 4, 4, 6, 1, 2]
    _beats(node, 9)
    for seq in range(node.ring.first_seq, node.ring.next_seq):
        kind, n = node.ring.read(seq, buf)
        event = json.loads(bytes(buf[:n])) if kind == EVENT else {}
        if event.get("event") == "detector":
            found.append((event["was"], event["state"]))
    assert found == [(1, 4), (4, 6), (6, 1)]


def test_a_log_that_cannot_be_written_is_a_fault_and_a_reset():
    node = _node()

    def broken(*_args):
        raise RingError("ring: flash does not hold what is written to it")

    node.ring.checkpoint = broken
    assert _run(node, lambda: node.board.dog.feeds) and node.board.resets == 1
    assert "error fault %d: ring: " % STORAGE in node.log.tail()[-1]


def test_the_log_is_erased_ahead_every_sixteen_seconds_after_the_first_minute():
    """A node that starts again and again erases nothing."""
    node, prepared = _node(), []
    node.ring.prepare = lambda: prepared.append(node.uptime_s())
    _beats(node, 100)
    assert prepared == [64, 80, 96]


def test_a_reset_that_was_asked_for_comes_two_seconds_later_and_loses_no_passage():
    node, asked = _node(), []

    def ask():
        if node.board.dog.feeds == 10 and not asked:
            node.reset_soon()
            node.detector.passages = [CAR]
            asked.append(node.uptime_s())
        return False

    assert _run(node, ask) and node.board.resets == 1
    assert node.uptime_s() == asked[0] + 2
    buf, rec = bytearray(600), Interval()
    rec.unpack(buf, node.ring.last_checkpoint(buf))
    assert rec.counts[2] == 1, "it is in flash"


def test_a_reset_without_a_passage_writes_no_checkpoint():
    node, written = _node(), []
    node.ring.checkpoint = lambda *_args: written.append(node.uptime_s())
    node.reset_soon()
    assert _run(node, lambda: False) and node.board.resets == 1
    assert written == [1], "the first beat writes one"


def test_a_start_is_a_short_one_for_an_hour():
    node, uptime = _node(), [0]
    node.short, node.uptime_s = 9, lambda: uptime[0]
    for uptime[0], short in ((60, 9), (3599, 9), (3600, 0)):
        node._watch(uptime[0])
        assert node.short == short
    assert node.nvs.kept["short"] == 0


def test_few_of_many_short_starts_write_events():
    node = _node()
    told = []
    for node.short in range(1, 1025):
        if node.is_told():
            told.append(node.short)
    assert told == [1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    events = []
    node.uplink.event = lambda name, **_details: events.append(name)
    for node.short in range(5, 9):
        node.note_fault(STORAGE, "x")
    assert events == ["fault"]


def test_a_log_in_memory_gives_way_to_the_flash_when_all_is_delivered():
    for storage, uptime, waiting, began, restarts in (
        ("nvs or ring", 21_660, 0, 21_630, True), ("nvs or ring", 21_660, 1, 21_630, False),
        ("nvs or ring", 21_660, 0, 21_000, False), ("nvs or ring", 3660, 0, 3640, False),
        ("flash", 21_660, 0, 21_630, False), ("foreign data", 21_660, 0, 21_630, False),
    ):  # fmt: skip
        assert _restarts(storage, uptime, waiting, began) == restarts, (storage, uptime)


def _restarts(storage, uptime, waiting, began):
    node, asked = _node(), []
    node.storage, node.counter.rec.uptime = storage, began
    node.uplink.queue_depth = lambda: waiting
    node.reset_soon = lambda: asked.append(1)
    node._watch(uptime)
    return bool(asked)


def test_a_passage_is_counted_by_the_heartbeat_while_the_detectors_task_waits():
    node = _node()
    node.detector.passages = [CAR, CAR]
    _beats(node, 1)
    assert node.counter.passages == 2
