"""What a line on the console leads to: a reply in one line of JSON, or several, one after another.

Three commands are for the console alone. To the first two, which are answered at once, belong
lines with their id that follow; the last of them has `end`. One of them runs at a time:

    aim      seconds (1..600; 0 ends it): what the detector sees, and who passes, aiming.py
    records  from, to: records of the log, pulling.py
    confirm  log, seq: the backend's acknowledgement, where somebody carries it by hand

Imported for a line and let go: a node without a technician has none of this in memory.
"""

import io
import json

from commands import Commands, refusal
from faults import CommandError
from health import let_go
from version import VERSION

_PIECE = 48  # bytes of a print: 4 ms at 115200 baud, in which no pin handler runs
_CHARACTER = 4  # bytes of UTF-8
_MOST_S = 600
_MOST_RECORDS = 32  # for one command: whoever asks can say when it has them


class Pieces(io.IOBase):
    """Text for the console, printed in pieces that hold whole characters. put: `Log.put`."""

    def __init__(self, put):
        self._put = put
        self._buf = bytearray(_PIECE + _CHARACTER)
        self._n = 0

    def write(self, data):
        """Append text or bytes; return their length."""
        if isinstance(data, str):
            data = data.encode()
        for byte in data:
            n = self._n
            if n >= _PIECE and (byte & 0xC0 != 0x80 or n == len(self._buf)):
                self.flush()
                n = 0
            self._buf[n] = byte
            self._n = n + 1
        return len(data)

    def flush(self):
        """Print what is there."""
        try:
            text = str(memoryview(self._buf)[: self._n], "utf-8")
        except UnicodeError:  # of a command that was garbled
            text = "?" * self._n
        self._n = 0
        self._put(text)

    def line(self, body):
        """Print a dict as a line of JSON."""
        json.dump(body, self)
        self.end()

    def end(self):
        """Print the end of a line."""
        self.write("\n")
        self.flush()


def serve(app, desk, line, n):
    """Answer a line of `n` bytes. line: None for an empty one, b"" for one that was not held."""
    out = Pieces(app.log.put)
    if line is None:
        out.write(_greeting(app))
        out.end()
        return
    if not line:
        app.refused_commands += 1
        out.line(refusal(None, "command of %d bytes: too long, or no memory" % n))
        return
    if not app.commands:
        app.commands = Commands(app)
    streams = Streams(app, desk, out)
    more = {"aim": streams.aim, "records": streams.records, "confirm": streams.confirm}
    out.line(app.commands.handle(memoryview(line)[:n], more))
    if streams.begun:
        desk.running = app.spawn(streams.run(), "serial stream")


def _greeting(app):
    name = "node " + app.node if app.node else "not provisioned"
    return 'Tallypost %s on %s, %s; commands are JSON: {"id":1,"cmd":"status"}' % (
        VERSION, app.board.NAME, name
    )  # fmt: skip


class Streams:
    """What is answered by more than a line, and what else is for the console alone."""

    def __init__(self, app, desk, out):
        self._app = app
        self._desk = desk
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
        if self._desk.running:
            self._desk.running.cancel()
            self._desk.running = None

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
        self._desk.running = None
        last["id"], last["end"] = self._name, True
        self._out.line(last)


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)
