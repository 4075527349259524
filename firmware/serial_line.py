"""What a line on the console leads to: a reply in one line of JSON, or several, one after another.

Three commands are for the console alone. To the first two, which are answered at once, belong
lines with their id that follow; the last of them has `end`. One of them runs at a time:

    aim      seconds (1..600; 0 ends it): what the detector sees, and who passes, aiming.py
    records  from, to: records of the log, pulling.py
    confirm  log, seq: the backend's acknowledgement, where somebody carries it by hand

Imported for a line and let go: a node without a technician has none of this in memory.
"""

import asyncio
import io
import json

from commands import Commands
from faults import CommandError, refusal
from health import let_go
from version import VERSION

_BRACE, _LF, _CR, _CTRL_U = 123, 10, 13, 21
_FIRST_BYTES = 128  # of the buffer for a line, which doubles
_MOST_BYTES = 2048  # as over MQTT, see commands.py
_LINE_S = 10  # from its first byte to its end
_PIECE = 48  # bytes written at once: 4 ms at 115200 baud, in which no pin handler runs
_MOST_S = 600
_MOST_RECORDS = 32  # for one command: whoever asks can say when it has them
_ALWAYS = ("identity", "log", "ping")  # what a board without an identity answers


class Pieces(io.IOBase):
    """Text for the console, written in pieces. write: of the console."""

    def __init__(self, write):
        self._write = write
        self._buf = bytearray(_PIECE)
        self._n = 0

    def write(self, data):
        """Append text or bytes; return their length."""
        if isinstance(data, str):
            data = data.encode()
        for byte in data:
            if self._n == _PIECE:
                self.flush()
            self._buf[self._n] = byte
            self._n += 1
        return len(data)

    def flush(self):
        """Write what is there."""
        self._write(memoryview(self._buf)[: self._n])
        self._n = 0

    def line(self, body):
        """Write a dict as a line of JSON."""
        json.dump(body, self)
        self.end()

    def end(self):
        """Write the end of a line."""
        self.write("\r\n")
        self.flush()


async def serve(app, console, stream, one):
    """Answer a line whose first byte is in `one`: a brace, or the end of an empty line."""
    out = Pieces(console.write)
    if one[0] != _BRACE:
        out.write(_greeting(app))
        out.end()
        return
    try:
        line, n = await asyncio.wait_for(_rest(stream, one), _LINE_S)
    except asyncio.TimeoutError:
        line, n = None, 0
    if one[0] == _CTRL_U:
        return
    if not line:
        app.refused_commands += 1
        why = "command of %d bytes, at most %d" % (n, _MOST_BYTES) if n else "command cut short"
        out.line(refusal(None, why))
        return
    _carry_out(app, memoryview(line)[:n], out)


async def _rest(stream, one):
    """The line up to its end as (buffer, length); one that is too long has no buffer."""
    line, n = bytearray(_FIRST_BYTES), 0
    while one[0] not in (_CR, _LF, _CTRL_U):
        if n == len(line) and line:
            line = line + bytes(n) if n < _MOST_BYTES else b""
        if n < len(line):
            line[n] = one[0]
        n += 1
        await stream.readinto(one)
    return line, n


def _carry_out(app, line, out):
    commands, streams = Commands(app), Streams(app, out)
    known = commands.known
    known["aim"], known["records"] = streams.aim, streams.records
    known["confirm"] = streams.confirm
    if not app.node:
        for name in known:
            if name not in _ALWAYS:
                known[name] = _not_provisioned
    out.line(commands.handle(line))
    if streams.begun:
        app.streaming = app.spawn(streams.run(), "serial stream")


def _not_provisioned(_body):
    raise CommandError("not provisioned: run `tallypost provision`")


def _greeting(app):
    name = "node " + app.node if app.node else "not provisioned"
    return 'Tallypost %s on %s, %s; commands are JSON: {"id":1,"cmd":"status"}' % (
        VERSION, app.board.NAME, name
    )  # fmt: skip


class Streams:
    """What is answered by more than a line, and what else is for the console alone."""

    def __init__(self, app, out):
        self._app = app
        self._out = out
        self._name = None
        self.begun = None  # a coroutine that returns what the last line is to say

    def aim(self, body):
        seconds = body.get("seconds", 60)
        if not _is_number(seconds) or not 0 <= seconds <= _MOST_S:
            raise CommandError("aim: seconds = %r, wanted 0..%d" % (seconds, _MOST_S))
        self._end_other()
        if not seconds:
            return "ended"
        from aiming import aim  # seldom needed

        self._begin(aim(self._app, seconds, body["id"], self._out), body)
        return {"seconds": seconds, "detector": self._app.config["detector"]}

    def records(self, body):
        first, last = body.get("from"), body.get("to")
        if not _is_number(first) or not _is_number(last) or not 1 <= first <= last:
            raise CommandError("records: from = %r, to = %r is no range" % (first, last))
        self._end_other()
        from pulling import pull  # seldom needed

        ring = self._app.ring
        last = min(last, ring.next_seq - 1, first + _MOST_RECORDS - 1)
        self._begin(pull(self._app, first, last, body["id"], self._out), body)
        return {
            "log": "%08x" % ring.log_id, "from": first, "to": last, "oldest": ring.first_seq,
            "newest": ring.next_seq - 1,
        }  # fmt: skip

    def confirm(self, body):
        log, seq = body.get("log"), body.get("seq")
        mine = "%08x" % self._app.ring.log_id
        if log != mine or not _is_number(seq):
            raise CommandError("confirm: log = %r, seq = %r; my log is %s" % (log, seq, mine))
        self._app.uplink.confirm(seq)
        return {"confirmed": self._app.uplink.done()}

    def _end_other(self):
        if self._app.streaming:
            self._app.streaming.cancel()
            self._app.streaming = None

    def _begin(self, coro, body):
        self.begun, self._name = coro, body["id"]

    async def run(self):
        """Stream, and say at the end how it ended."""
        try:
            last = await self.begun
        except MemoryError:
            self._out.end()  # of the line it came in
            last = {"error": "no memory"}
        finally:
            let_go("aiming", "pulling", "radar.view")
            if not self._app.link:  # with MQTT it is in use
                let_go("wire.jsonform")
        self._app.streaming = None
        last["id"], last["end"] = self._name, True
        self._out.line(last)


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)
