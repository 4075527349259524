"""The supervisor: feeds the watchdog while every task makes progress, and ends in a reset."""

import asyncio
import micropython

from board_parts import FakeBoard, FakeClock, FakeNvs
from core.supervisor import Progress, Supervisor


class Log(FakeClock):
    """The log, as far as the supervisor needs it. `full`: the heap holds not even a line."""

    full = False

    def __init__(self):
        super().__init__()
        self.lines = []

    def uptime_s(self):
        return self.uptime

    def error(self, text, *args):
        if self.full:
            raise MemoryError
        self.lines.append(text % args)


async def _for_ever(_progress):
    while True:
        await asyncio.sleep(1)


def _supervised(*bounds_s):
    """A supervisor with tasks of these bounds, started; its log, and the progress of each."""
    board, log = FakeBoard(FakeNvs()), Log()
    supervisor, progress = Supervisor(board, log), []

    def run(handle):
        progress.append(handle)
        return _for_ever(handle)

    for bound_s in bounds_s:
        supervisor.add("task %d" % len(progress), run, bound_s)
    supervisor.start()
    return supervisor, log, progress


def _check(supervisor, log, uptime):
    """Seconds later: the name of a stalled task, and how often the watchdog was fed."""
    log.uptime = uptime
    stalled = supervisor.check(uptime)
    return stalled, supervisor.watchdog.feeds


def test_the_watchdog_is_fed_while_every_task_reports_within_its_bound():
    supervisor, log, progress = _supervised(10, 60)
    for uptime in range(1, 600):
        if uptime % 10 == 0:
            progress[0].made()
        if uptime % 60 == 0:
            progress[1].made()
        assert _check(supervisor, log, uptime) == (None, uptime)


def test_a_task_silent_beyond_its_bound_is_named_and_the_watchdog_is_not_fed():
    supervisor, log, progress = _supervised(1000, 30)
    assert _check(supervisor, log, 30) == (None, 1), "at its bound it is not late yet"
    for uptime in (31, 32, 500):
        assert _check(supervisor, log, uptime) == ("task 1", 1)
    progress[1].made()
    assert _check(supervisor, log, 501) == (None, 2)


def test_one_task_does_not_answer_for_another():
    supervisor, log, progress = _supervised(30, 30)
    log.uptime = 20
    progress[0].made()
    assert _check(supervisor, log, 40) == ("task 1", 0)


def test_an_idle_task_is_exempt_until_it_reports_again():
    supervisor, log, progress = _supervised(30)
    progress[0].idle()
    assert _check(supervisor, log, 10_000_000) == (None, 1)
    progress[0].made()
    assert _check(supervisor, log, 10_000_030) == (None, 2)
    assert _check(supervisor, log, 10_000_031) == ("task 0", 2)


def test_reports_and_checks_allocate_nothing():
    supervisor, log, progress = _supervised(30, 30, 30)
    progress[0].idle()
    micropython.heap_lock()
    try:
        for uptime in range(20):
            progress[1].made()
            assert supervisor.check(uptime) is None
    finally:
        micropython.heap_unlock()


def test_the_tasks_and_the_watchdog_begin_with_the_start():
    board, begun, limits_ms = FakeBoard(FakeNvs()), [], []
    supervisor = Supervisor(board, Log())

    def watchdog(limit_ms):
        limits_ms.append(limit_ms)
        return board.dog

    board.watchdog = watchdog

    async def task(progress):
        assert isinstance(progress, Progress)
        begun.append(supervisor.watchdog)

    async def main():
        supervisor.add("task", task, 10)
        await asyncio.sleep_ms(2)
        assert begun == [] and supervisor.watchdog is None
        supervisor.start()
        await asyncio.sleep_ms(2)

    asyncio.run(main())
    assert begun == [board.dog] and limits_ms == [60_000]


async def _broken():
    raise ValueError("broken")


def _die(full):
    board, log = FakeBoard(FakeNvs()), Log()
    log.full = full
    supervisor = Supervisor(board, log)

    async def main():
        supervisor.spawn(_broken(), "link")
        await asyncio.sleep_ms(10)

    try:
        asyncio.run(main())
    except SystemExit:
        return board, log
    raise AssertionError("the board was not reset")


def test_a_task_that_dies_is_logged_and_the_board_is_reset():
    board, log = _die(full=False)
    assert board.resets == 1 and log.lines == ["fault 1: link: ValueError('broken',)"]
    assert isinstance(board.shown[0], ValueError)


def test_a_full_heap_does_not_keep_the_board_from_its_reset():
    board, log = _die(full=True)
    assert board.resets == 1 and log.lines == []


def test_a_task_that_is_cancelled_is_no_fault():
    board = FakeBoard(FakeNvs())
    supervisor = Supervisor(board, Log())

    async def main():
        task = supervisor.spawn(_for_ever(None), "detector")
        await asyncio.sleep_ms(2)
        task.cancel()
        await asyncio.sleep_ms(2)
        assert task.done()

    asyncio.run(main())
    assert board.resets == 0
