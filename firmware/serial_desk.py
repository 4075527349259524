"""The serial desk: commands of a technician on the console, in the form they have over MQTT.

A line that begins with `{` is a command. An empty one is answered with what this node is, once a
second at most; anything else is noise and is dropped. Ctrl-U drops what has come of a line: who
sends a command begins with it. The log goes out on the same line; none of it begins with `{`.

What a line leads to is in serial_reply.py, which is imported for it and let go: here is only what
waits. Nothing is allocated before a command begins.
"""

import asyncio

from health import let_go
from micropython import const

_MAX_BYTES = const(2048)  # as of commands.py, which a node without MQTT does not have in memory
_PIECE = const(128)
_LF, _CR, _CTRL_U, _BRACE = const(10), const(13), const(21), const(123)


class SerialDesk:
    """app: what commands work on. console: `board.console()`; read one byte at a time, when it
    is there, for a longer read blocks until all of it is.
    """

    def __init__(self, app, console):
        self._app = app
        self._stream = asyncio.StreamReader(console)
        self._line = None  # a buffer while a command is coming, empty when it cannot be held
        self._length = 0  # bytes of the line so far
        self._last = 0
        self._greeted_s = -1
        self.running = None  # the task that streams something, see serial_reply.py

    async def run(self):
        """Read and answer, for ever."""
        one = bytearray(1)
        while True:
            if await self._stream.readinto(one):
                self.take(one[0])
            else:
                await asyncio.sleep(1)  # nobody will ever send anything on this line

    def take(self, byte):
        """A byte of the line; its end is answered."""
        last, self._last = self._last, byte
        if byte == _CR or byte == _LF and last != _CR:
            self._end()
        elif byte == _CTRL_U:
            self._line, self._length = None, 0
        elif byte != _LF:
            self._add(byte)

    def _add(self, byte):
        n = self._length
        self._length = n + 1
        if not n and byte == _BRACE:
            self._grow(bytearray())
        line = self._line
        if not line:
            return
        if n == len(line):
            line = self._grow(line)
        if n < len(line):
            line[n] = byte

    def _grow(self, line):
        """Room for as much again, as long as a command may be and the heap has some."""
        try:
            line.extend(bytes(len(line) or _PIECE))
        except MemoryError:
            line = b""
        self._line = line if len(line) <= _MAX_BYTES else b""
        return self._line

    def _end(self):
        line, n = self._line, self._length
        self._line, self._length = None, 0
        if line is None and n:
            return
        if not n:
            uptime_s = self._app.uptime_s()
            if uptime_s == self._greeted_s:
                return
            self._greeted_s = uptime_s
        self._serve(line, n)

    def _serve(self, line, n):
        try:
            from serial_reply import serve  # large, and seldom needed

            serve(self._app, self, line, n)
        except MemoryError:
            self._app.refused_commands += 1
            self._app.log.put('{"v":1,"id":null,"ok":false,"error":"no memory"}\n')
        finally:
            let_go("serial_reply")
