"""Replaces `_asyncio`: tasks and the task queue of asyncio, on the virtual clock.

The interpreter's own C version reads the hardware clock itself. A shadowed `time` does not reach
it. The interface is the one that `asyncio/core.py` of MicroPython calls: a queue ordered by
wake-up time, first in first out among equals, and a task that can be awaited and cancelled.
"""

from micropython import const

from seam import ticks_ms

_MASK = const(0x3FFF_FFFF)
_HALF = const(0x2000_0000)


class TaskQueue:
    def __init__(self):
        self._tasks = []  # earliest first

    def push(self, task, key=None):
        if key is None:
            key = ticks_ms()
        task.ph_key = key
        task.data = None
        task.queue = self
        tasks = self._tasks
        i = 0  # most pushed tasks are due soon
        for other in tasks:
            if ((key - other.ph_key + _HALF) & _MASK) < _HALF:
                break
            i += 1
        tasks.insert(i, task)

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def pop(self):
        task = self._tasks.pop(0)
        task.queue = None
        return task

    def remove(self, task):
        self._tasks.remove(task)
        task.queue = None


class Task:
    """state: True = runs, TaskQueue = runs and others wait for it, callable, False/None = done."""

    def __init__(self, coro, context=None):
        self.coro = coro
        self.data = None  # queue or task waited for, exception to throw, or the result's exception
        self.state = True
        self.ph_key = 0
        self.queue = None
        self._context = context

    def __iter__(self):
        if not self.state:
            self.state = False  # finished, and its outcome is read now
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        waiter = self._context["cur_task"]
        self.state.push(waiter)
        waiter.data = self

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        if self is self._context["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        task._wake(self._context["_task_queue"])
        task.data = self._context["CancelledError"]()
        return True

    def _wake(self, main):
        """Move the task from its queue to the front of the running queue."""
        if hasattr(self.data, "remove"):
            self.data.remove(self)
        elif self.queue is not None:
            self.queue.remove(self)
        main.push(self)
