"""Exports records of the log to a technician, in the form of MQTT: one record a line.

    {"id":7,"topic":"counts","body":{...},"crc":"1a2b3c4d"}

`topic` and `body` are those of MQTT, the body with a single record, so that one is in memory.
`crc` is the CRC-32 of the body's bytes: a serial line may lose some without notice. Lost records
are reported as `gone`. The export confirms nothing: that is for the backend to do.
"""

import asyncio
import json
from binascii import crc32

from console.streams import begin
from core.faults import CommandError
from delivery.outbox import Outbox
from ring import ANCHOR, EVENT, INTERVAL
from wire.jsonform import CLOSE, open_counts, write_interval
from wire.message import envelope

_RECORDS_MAX = 32  # of one command: the host asks for more when it has these
_PAUSE_MS = 20  # between lines: counting comes first


def records(app, body, out):
    """Begin to write records. The reply says which."""
    first, last = body.get("from"), body.get("to")
    if type(first) is not int or type(last) is not int or not 1 <= first <= last:
        raise CommandError("records: from = %r, to = %r is no range" % (first, last))
    ring = app.ring
    last = min(last, ring.next_seq - 1, first + _RECORDS_MAX - 1)
    begin(app, _export(app, first, last, body["id"], out), body["id"], out)
    return {
        "log": "%08x" % ring.log_id, "from": first, "to": last, "oldest": ring.first_seq,
        "newest": ring.next_seq - 1,
    }  # fmt: skip


def confirm(app, body, _out):
    """Apply the backend's acknowledgement, which a person carries by hand."""
    log, seq, mine = body.get("log"), body.get("seq"), "%08x" % app.ring.log_id
    if log != mine or type(seq) is not int:
        raise CommandError("confirm: log = %r, seq = %r; my log is %s" % (log, seq, mine))
    app.uplink.confirm(seq)
    return {"confirmed": app.uplink.done()}


class Summed:
    """Passes text or bytes on to `out`, and sums them up in `crc`."""

    def __init__(self, out):
        self._out = out
        self.crc = 0

    def write(self, data):
        self.crc = crc32(data, self.crc)
        return self._out.write(data)


async def _export(app, first, last, name, out):
    """Write the records first..last to `out`; return {"next": number}."""
    records = Records(app, name, out)
    while first <= last:
        first = records.write(first, last)
        await asyncio.sleep_ms(_PAUSE_MS)
    return {"next": first}


class Records(Outbox):
    """Reads the log as a link does, with buffers of its own. It leaves the cursors alone."""

    def __init__(self, app, name, out):
        super().__init__(
            app.ring, 0, app.clock, uptime_s=app.uptime_s, boot=app.boot, news=None,
            ack_timeout_s=0,
        )  # fmt: skip
        self.anchor = app.uplink.anchor
        self._node = app.node
        self._head = '{"id":%s,"topic":' % json.dumps(name)
        self._out = out

    def write(self, seq, last):
        """Write the line of one record; return the number of the record that follows."""
        kind, n = self._read(seq)
        if kind == INTERVAL:
            self._resolve(self._rec)
            self._line("counts", self._counts)
        elif kind in (EVENT, ANCHOR):
            self._event(self._event_body(kind, seq, n))
        elif not kind:
            end = self._lost_to(seq, last)
            self._event({"event": "gone", "from": seq, "to": end})
            return end + 1
        return seq + 1

    def _event(self, body):
        envelope(self._node, self._ring.log_id, body)
        self._line("event", lambda out: out.write(json.dumps(body)))

    def _counts(self, out):
        open_counts(out, self._node, self._ring.log_id)
        write_interval(out, self._rec)
        out.write(CLOSE)

    def _line(self, topic, write):
        out, body = self._out, Summed(self._out)
        out.write('%s"%s","body":' % (self._head, topic))
        write(body)
        out.write(',"crc":"%08x"}' % body.crc)
        out.end()
