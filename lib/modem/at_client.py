"""Sends commands to a modem and sorts the lines that come back.

A command ends with one of the codes it waits for, with a refusal, or with its deadline. Nothing
here waits for ever. Lines that answer no command (events, echo, noise) go to `on_event` or are
counted. After a silence the line is settled before the next command, so that a late answer is not
taken for the answer to another command. Lines are never logged, because modems echo keys.
"""

import asyncio
import time

from micropython import const

from modem.codes import BAD, BUSY, NOISE, VALUE, WAIT
from modem.lines import Lines

_ANSWER_MS = const(1500)
_QUIET_MS = const(120)
_DRAIN_MS = const(2000)


class AtClient:
    """uart: `any()`, `write()`, a stream for asyncio. on_event(code, line): called for every
    event.

    seen: codes since the command was written, or since `forget()`. value: the line with the
    answer. wait_ms: waiting time that the modem has told, 0 without one. is_unsettled: an answer
    may still come. noise, timeouts: counts.
    """

    def __init__(self, uart, dialect, on_event):
        self._uart = uart
        self._stream = asyncio.StreamReader(uart)
        self._dialect = dialect
        self._on_event = on_event
        self._lines = Lines()
        self._command = b""
        self._expect = b""
        self.seen = 0
        self.value = b""
        self.wait_ms = 0
        self.is_unsettled = True  # an answer may still be under way
        self.noise = 0
        self.timeouts = 0

    async def ask(self, command, ends, ms=_ANSWER_MS):
        """Write a command. Returns the code that ended it, 0 after a silence."""
        self.pump()
        self._command = command
        self._expect = self._dialect.expect(command)
        self.seen = self.wait_ms = 0
        self.value = b""
        self._uart.write(command + b"\r\n")
        return await self.until(ends, ms)

    async def until(self, ends, ms):
        """Read lines up to a code of `ends`, or a refusal. Returns the code, 0 after a silence."""
        end_ms = time.ticks_add(time.ticks_ms(), ms)
        while True:
            line = self._lines.next()
            if line is not None:
                code = self._sort(line)
                if code & (ends | BAD):
                    return code
            left_ms = time.ticks_diff(end_ms, time.ticks_ms())
            if line is None and left_ms <= 0:
                self.timeouts += 1
                self.is_unsettled = True
                return 0
            if line is None:
                await self._read(left_ms)

    def pump(self):
        """Sort the bytes that have come, without waiting. At most one full buffer of the UART."""
        budget = 4096
        while budget > 0:
            line = self._lines.next()
            if line is not None:
                self._sort(line)
            elif self._uart.any():
                n = self._uart.readinto(self._lines.space()) or 0
                self._lines.added(n)
                budget -= n or budget
            else:
                return

    async def settle(self):
        """Let late answers pass, then forget them. Ends when the line is quiet, or after 2 s of
        noise.
        """
        end_ms = time.ticks_add(time.ticks_ms(), _DRAIN_MS)
        self._command = self._expect = b""
        while time.ticks_diff(end_ms, time.ticks_ms()) > 0:
            self.pump()
            if not await self._read(_QUIET_MS):
                break
        self.pump()
        self._lines.clear()
        self.seen = 0
        self.is_unsettled = False

    def forget(self):
        """Forget the codes of the first answer. The rest of the command starts with none."""
        self.seen = 0

    def dropped(self):
        return self._lines.dropped_long + self._lines.dropped_foreign

    async def _read(self, ms):
        """Wait for bytes. Returns how many have come."""
        space = self._lines.space()
        try:
            n = await asyncio.wait_for_ms(self._stream.readinto(space), max(1, ms))
        except asyncio.TimeoutError:
            return 0
        self._lines.added(n or 0)
        return n or 0

    def _sort(self, line):
        if line == self._command:
            return NOISE  # echo
        code = self._dialect.classify(line, self._expect)
        self.seen |= code
        if code == NOISE:
            self.noise += 1
        elif code == VALUE:
            self.value = line
        elif code & (WAIT | BUSY):
            self.wait_ms = self._dialect.parse_wait_ms(line) or self.wait_ms
        else:
            self._on_event(code, line)
        return code
