"""Answers one line of the console: with one line of JSON, or with several for a stream.

Three commands exist only on the console. Lines with their id follow the first two (streams.py):

    aim      seconds (1..600; 0 ends it): reports of the detector and passages, live_view.py
    records  from, to: records of the log, commands/log_export.py
    confirm  log, seq: the backend's acknowledgement, carried by hand, commands/log_export.py
"""

import asyncio
import io
import json

from core.faults import refusal
from core.version import VERSION
from micropython import const

_LF = const(10)
_CR = const(13)
_CTRL_U = const(21)
_BRACE = const(123)
_LINE_BYTES_MIN = const(128)  # of the buffer for a line, which doubles
_LINE_BYTES_MAX = const(2048)  # as over MQTT, see commands/registry.py
LINE_S = 10  # from its first byte to its end
_PIECE_BYTES = const(48)  # written at once: 4 ms at 115200 baud, in which no pin handler runs


class Pieces(io.IOBase):
    """Text for the console, written in pieces. write: of the console."""

    def __init__(self, write):
        self._write = write
        self._buf = bytearray(_PIECE_BYTES)
        self._n = 0

    def write(self, data):
        """Append text or bytes; return their length."""
        if isinstance(data, str):
            data = data.encode()
        for byte in data:
            if self._n == _PIECE_BYTES:
                self.flush()
            self._buf[self._n] = byte
            self._n += 1
        return len(data)

    def flush(self):
        """Write the bytes of the buffer to the console."""
        self._write(memoryview(self._buf)[: self._n])
        self._n = 0

    def write_whole(self, data):
        """Write bytes at once and forget the buffer."""
        self._n = 0
        self._write(data)

    def line(self, body):
        """Write a dict as a line of JSON."""
        json.dump(body, self)
        self.end()

    def end(self):
        """Write the end of a line."""
        self.write("\r\n")
        self.flush()


async def answer_line(app, console, stream, one):
    """Answer a line. one: its first byte, a brace or the end of an empty line."""
    out = Pieces(console.write)
    if one[0] != _BRACE:
        out.write(_greeting(app))
        out.end()
        return
    try:
        line, n = await asyncio.wait_for(_rest(stream, one), LINE_S)
    except asyncio.TimeoutError:
        line, n = None, 0
    if one[0] == _CTRL_U:
        return
    if not line:
        app.refused_commands += 1
        why = (
            "command of %d bytes, at most %d" % (n, _LINE_BYTES_MAX) if n else "command cut short"
        )
        out.line(refusal(None, why))
        return
    out.line(app.command(memoryview(line)[:n], out))


async def _rest(stream, one):
    """The line up to its end as (buffer, length). A line that is too long has no buffer."""
    line, n = bytearray(_LINE_BYTES_MIN), 0
    while one[0] not in (_CR, _LF, _CTRL_U):
        if n == len(line) and line:
            line = line + bytes(n) if n < _LINE_BYTES_MAX else b""
        if n < len(line):
            line[n] = one[0]
        n += 1
        await stream.readinto(one)
    return line, n


def _greeting(app):
    name = "node " + app.node if app.node else "not provisioned"
    return 'Tallypost %s on %s, %s; commands are JSON: {"id":1,"cmd":"status"}' % (
        VERSION, app.board.NAME, name
    )  # fmt: skip
