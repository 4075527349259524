"""Commands to a radar of the HLK-LD24xx family, and its answers. In memory only while it is asked.

Settings are stored in the radar's flash. They are read first and written only if they differ. A
silent radar is asked for its firmware version. Sources: see ld24xx.py.
"""

import asyncio
import struct
import time

from micropython import const

from radar.frames import ANSWER, REPORT

_QUIET = const(2)  # states, see ld24xx.py
_SILENT = const(3)
_MISCONFIGURED = const(6)
_ENABLE = const(0x00FF)
_END = const(0x00FE)
_FIRMWARE = const(0x00A0)
_ANSWER_BIT = const(0x0100)
_ANSWER_MS = const(400)
_TRIES = const(4)  # the radar starts with the board and is deaf for its first seconds


class Dialogue:
    """uart, stream: of the radar. frames: its `Frames`.

    on_report(ms): takes a report with targets that came before an answer. timeouts: answers that
    did not come in time.
    """

    def __init__(self, uart, stream, frames, on_report):
        self._uart = uart
        self._stream = stream
        self._frames = frames
        self._on_report = on_report
        self.timeouts = 0

    async def configure(self, settings):
        """Make the radar have the settings. Return its state: quiet, silent or misconfigured.

        settings: (read, write, wanted, value) each. read, write: commands. wanted: bytes to read.
        value: bytes to write, None = `wanted`.
        """
        for _ in range(_TRIES):
            if await self._enable():
                break
        else:
            return _SILENT
        state = _QUIET
        for setting in settings:
            if not await self._ensure(*setting):
                state = _MISCONFIGURED
        await self.end()
        return state

    async def is_alive(self):
        """True if the radar answers. It then waits for commands, until `end`."""
        return await self._enable() and await self._ask(_FIRMWARE, b"")

    async def end(self):
        """Leave configuration: reports come again."""
        await self._ask(_END, b"")

    async def _enable(self):
        """Enter configuration. The command is sent twice, as the maker's own tools do."""
        await self._ask(_ENABLE, b"\x01\x00")
        return await self._ask(_ENABLE, b"\x01\x00")

    async def _ensure(self, read, write, wanted, value):
        """Read a setting, write it if it differs, read it back. True if it is as wanted."""
        for _ in range(2):
            if await self._ask(read, b"") and self._data(len(wanted)) == wanted:
                return True
            await self._ask(write, wanted if value is None else value)
        return await self._ask(read, b"") and self._data(len(wanted)) == wanted

    def _data(self, n):
        frames = self._frames
        return bytes(frames.buf[frames.at : frames.at + n])

    async def _ask(self, command, value):
        """Send a command. True if the radar confirms it in time."""
        self._uart.write(
            b"\xfd\xfc\xfb\xfa"
            + struct.pack("<HH", 2 + len(value), command)
            + value
            + b"\x04\x03\x02\x01"
        )
        try:
            return await asyncio.wait_for_ms(self._answer(command), _ANSWER_MS)
        except asyncio.TimeoutError:
            self.timeouts += 1
            return False

    async def _answer(self, command):
        """Read until the answer to the command. Reports before it are tracked, not lost."""
        frames = self._frames
        while True:
            kind = frames.next()
            if kind == ANSWER and frames.command == command | _ANSWER_BIT:
                return frames.status == 0
            if kind == REPORT and frames.count:
                self._on_report(time.ticks_ms())
            elif kind == 0:
                n = await self._stream.readinto(frames.space())
                frames.added(n or 0)
