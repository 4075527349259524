"""The line of a sensor: bytes for a parser, and a UART with a schedule on virtual time.

- `fed(parser, data)` feeds bytes into the parser of a radar.
- `VirtualTime(module)` stands in a module for `time` and `asyncio`: a wait only moves the clock.
- `ScriptedUart(clock, answer)` is a UART. Its `at(ms, data)` schedules data.
- `run(driver, clock)` lets a driver read until the line is silent for good.
"""

import asyncio
import time

from board_parts import FakeUart


def fed(parser, data):
    """Feed all of `data`. Yields the result of `next()` for each frame, while it is parsed."""
    data = memoryview(data)
    while len(data):
        space = parser.space()
        n = min(len(space), len(data))
        space[:n] = data[:n]
        parser.added(n)
        data = data[n:]
        while True:
            kind = parser.next()
            if not kind:
                break
            yield kind


class Idle(Exception):
    """No byte will come any more."""


class Again(Exception):
    """`tick` wants `wait` to run anew."""


class VirtualTime:
    """modules: their `time` and `asyncio` are replaced for the rest of the test."""

    TimeoutError = asyncio.TimeoutError
    ThreadSafeFlag = asyncio.ThreadSafeFlag
    ticks_add = staticmethod(time.ticks_add)
    ticks_diff = staticmethod(time.ticks_diff)

    def __init__(self, *modules, now_ms=1000):
        self.us = now_ms * 1000
        self.each_second = None  # function(now_ms) -> bool, as `tick` of a driver
        self.end_ms = None  # the clock stops here
        for module in modules:
            module.time = self
            if hasattr(module, "asyncio"):
                module.asyncio = self

    def ticks_us(self):
        return self.us

    def ticks_ms(self):
        return self.us // 1000

    def set_ms(self, ms):
        """Move the clock to a later moment, with a tick at every full second before it.

        Raises Idle at `end_ms`.
        """
        is_over = self.end_ms is not None and ms > self.end_ms
        if is_over:
            ms = self.end_ms
        while self.each_second and ms // 1000 > self.us // 1_000_000:
            self.us = (self.us // 1_000_000 + 1) * 1_000_000
            if self.each_second(self.ticks_ms()):
                raise Again
        self.us = max(self.us, ms * 1000)
        if is_over:
            raise Idle

    async def sleep_ms(self, ms):
        self.set_ms(self.ticks_ms() + ms)

    async def wait_for_ms(self, awaitable, ms):
        outer_ms = self.end_ms
        self.end_ms = self.ticks_ms() + ms
        if outer_ms is not None:
            self.end_ms = min(self.end_ms, outer_ms)
        try:
            return await awaitable
        except Idle:
            pass
        finally:
            self.end_ms = outer_ms
        if outer_ms is not None and self.ticks_ms() >= outer_ms:
            raise Idle
        raise self.TimeoutError

    def StreamReader(self, uart):
        return _Reader(self, uart)


class _Reader:
    def __init__(self, clock, uart):
        self._clock = clock
        self._uart = uart

    async def readinto(self, buf):
        while not self._uart.any():
            due_ms = self._uart.due_ms()
            if due_ms is None:
                if self._clock.end_ms is None:
                    raise Idle
                due_ms = self._clock.end_ms + 1
            self._clock.set_ms(due_ms)
        return self._uart.readinto(buf)


class ScriptedUart(FakeUart):
    """A UART on which data comes at set moments. answer(bytes) -> bytes: as of FakeUart."""

    def __init__(self, clock, answer=None):
        super().__init__(answer)
        self._clock = clock
        self._script = []  # (ms, data), oldest first

    def at(self, ms, data):
        """Schedule data. Moments may come in any order."""
        i = len(self._script)
        while i and self._script[i - 1][0] > ms:
            i -= 1
        self._script.insert(i, (ms, data))

    def due_ms(self):
        return self._script[0][0] if self._script else None

    def any(self):
        now_ms = self._clock.ticks_ms()
        while self._script and self._script[0][0] <= now_ms:
            self.inject(self._script.pop(0)[1])
        return super().any()


def run(driver, clock, until_ms=None):
    """Let a started driver read until the line is silent, or until a moment; return passages.

    `tick` is called once a second, and `wait` runs anew when `tick` says so.
    """
    clock.each_second, clock.end_ms = driver.tick, until_ms
    passages = []

    def pop():
        while (passage := driver.pop()) is not None:
            passages.append(passage)

    async def main():
        while True:
            try:
                await driver.wait()
            except Again:
                pass
            pop()

    try:
        asyncio.run(main())
    except Idle:
        pass
    clock.each_second = clock.end_ms = None
    pop()
    return passages
