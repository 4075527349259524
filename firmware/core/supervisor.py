"""Starts the tasks and feeds the watchdog, as long as each of them makes progress.

A long-lived task reports progress within its own bound. While it waits for something that may
never come (input, traffic, a network) it declares itself idle and is exempt. A task that is
silent beyond its bound is the fault STALLED. A task that ends with an exception is the fault
TASK_DIED. Both end in a reset.
"""

import asyncio

from core.faults import LOOP_ENDED, STORAGE, TASK_DIED
from micropython import const

from ring import RingError

_WATCHDOG_MS = const(60_000)  # longer than the longest name resolution, which blocks everything
_NEVER = const(0x3FFF_FFFF)  # the largest small int of the chip


class Progress:
    """The reports of one task.

    bound_s: seconds within which the task has to report, unless it is idle. It is longer than the
    longest wait of the task. uptime_s: function, seconds. due_s: uptime of the next report.
    """

    def __init__(self, name, bound_s, uptime_s):
        self.name = name
        self._bound_s = bound_s
        self._uptime_s = uptime_s
        self.made()

    def made(self):
        """The task has made progress. It is no longer idle."""
        self.due_s = self._uptime_s() + self._bound_s

    def idle(self):
        """The task waits for something that may never come."""
        self.due_s = _NEVER


class Supervisor:
    """board: watchdog(), reset(), print_exception(). log: of the application."""

    def __init__(self, board, log):
        self._board = board
        self._log = log
        self.watchdog = None  # of the board, from `start` on
        self.on_fault = None  # function(code, reason): called before the reset
        self._watched = []  # Progress of each long-lived task
        self._added = []  # coroutines and their names, until `start`

    def watch(self, name, bound_s):
        """Expect progress of a task; return its Progress."""
        progress = Progress(name, bound_s, self._log.uptime_s)
        self._watched.append(progress)
        return progress

    def add(self, name, run, bound_s):
        """Have `start` start the task `run(progress)`, which never ends."""
        self._added.append((run(self.watch(name, bound_s)), name))

    def start(self):
        """Start the watchdog and the tasks that were added."""
        self.watchdog = self._board.watchdog(_WATCHDOG_MS)
        for coro, name in self._added:
            self.spawn(coro, name)
        self._added = None

    def run(self, coro):
        """Run the event loop. Returns never.

        An exception out of the loop is a fault: a socket that finds no memory raises one while the
        loop waits. Without this the board would stand at a prompt.
        """
        try:
            asyncio.run(coro)
        except Exception as error:
            self.fail(LOOP_ENDED, "event loop", error)

    def spawn(self, coro, name):
        """Start a task and return it. An exception that ends it is a fault."""
        return asyncio.create_task(self._guarded(coro, name))

    async def _guarded(self, coro, name):
        try:
            await coro
        except Exception as error:
            self.fail(TASK_DIED, name, error)

    def check(self, now_s):
        """Feed the watchdog. When a task is overdue, return its name and feed nothing.

        Called once a second, allocates nothing.
        """
        for progress in self._watched:
            if now_s > progress.due_s:
                return progress.name
        self.watchdog.feed()
        return None

    def fail(self, code, part, error):
        """Log a fault, report it and reset the board. The open interval is safe in RTC memory.

        error: an exception, or a text.
        """
        try:
            self._log.error("fault %d: %s: %r", code, part, error)
            if isinstance(error, Exception):
                self._board.print_exception(error)
            if code == STORAGE or isinstance(error, RingError):
                nvs = self._board.nvs("tallypost")
                nvs.set_i32("ring_bad", 1)  # the next start counts in memory
                nvs.commit()
            if self.on_fault:
                form = "%s: %s" if isinstance(error, str) else "%s: %r"
                self.on_fault(code, form % (part, error))
        finally:  # the heap may be too full even for a line
            self._board.reset()
