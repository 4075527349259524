"""`tallypost pull`: the counts of a node without a network, for the database of `listen`.

Every record goes through the collector. It is checked against the schemas and stored once, and
gaps are noted. Records that the database holds are not asked for, so a pull can be interrupted and
repeated. Without --confirm nothing is confirmed to the node: it will still send all its records
when it has a network.
"""

from __future__ import annotations

import argparse
import re
import time
import zlib
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend.collector import Collector
from tallypost.connection import transports
from tallypost.connection.line import Line, connect
from tallypost.faults import ToolError
from tallypost.i18n import N_, _, ngettext
from tallypost.technician.aim import node_stopped

_ATTEMPTS_MAX = 3  # for a record that arrives damaged
_BODY = re.compile(r'"body":(\{.*\}),"crc":"([0-9a-f]{8})"\}$')
_SILENCE_MAX_S = 15
_ROOT = "pull"  # of the topics under which the collector gets the records
_DOUBTS = {"quarantine": N_("Refused: {reason}"), "doubt": N_("Doubtful: {reason}")}

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add(
        "--db", type=Path, default=Path("tallypost.sqlite"), metavar=_("FILE"),
        help=_("SQLite database (tallypost.sqlite)"),
    )  # fmt: skip
    add(
        "--all", action="store_true",
        help=_("ask for all records, also those that the database holds"),
    )  # fmt: skip
    add(
        "--confirm", action="store_true",
        help=_("confirm the records to the node: it will not send them again"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Pull records. Returns 1 if some are still missing. Raises ToolError."""
    if not args.db.parent.is_dir():
        raise ToolError(
            _("{folder}: there is no such folder").format(folder=args.db.parent),
            _("Name another file with --db."),
        )
    with connect(transports.serial_port(args), args.baud) as line:
        identity = line.ask("identity")
        if not identity["node"]:
            raise ToolError(
                _("{port}: the board is not provisioned and has counted nothing").format(
                    port=line.name
                ),
                _("Run: tallypost provision"),
            )
        pull = Pull(line, args.db, identity)
        try:
            pull.run(everything=args.all)
            confirmed = pull.confirm() if args.confirm else None
            result = pull.result() | {"db": str(args.db), "confirmed": confirmed}
        finally:
            console.progress("")
            pull.close()
    if args.json:
        console.result_json(result)
    else:
        _show(result)
    return 1 if result["missing"] or result["refused"] else 0


class Pull:
    """Copies records from a line to a database. identity: of the node."""

    def __init__(self, line: Line, db: Path, identity: Body) -> None:
        self._line = line
        self._node = identity["node"]
        self._key = self._node, identity["log"]
        self._collector = Collector(db, _ROOT, self._on_news)
        self._new = dict.fromkeys(("interval", "event", "gone", "quarantine", "doubt"), 0)
        self._range = (1, 0)

    def close(self) -> None:
        self._collector.close()

    def run(self, everything: bool) -> None:
        """Copy batch after batch. Raises ToolError."""
        held = 0 if everything else self._collector.store.confirmed(self._key)
        newest = self._newest()
        self._range = (held + 1, newest)
        following = held + 1
        while following <= newest:
            following = self._copy_batch(following, newest)
            text = _("record {seq} of {newest}")
            console.progress(text.format(seq=following - 1, newest=newest))

    def _newest(self) -> int:
        facts = self._line.ask("check")
        return int(facts["ring"]["newest"])

    def _copy_batch(self, first: int, last: int) -> int:
        """Copy some records from `first` on. Returns the number of the next one to ask for."""
        attempts = 0
        while attempts < _ATTEMPTS_MAX:
            following, is_whole = self._receive_batch(first, last)
            if is_whole:
                return following
            attempts = 1 if following > first else attempts + 1
            first = following
        raise ToolError(
            _("{port}: record {seq} arrived damaged {n} times").format(
                port=self._line.name, seq=first, n=attempts
            ),
            _("The records before it are stored. Use a shorter cable, then run the same command."),
        )

    def _receive_batch(self, first: int, last: int) -> tuple[int, bool]:
        """(the number of the next record to ask for, whether all before it came undamaged)."""
        result, lines = self._line.stream("records", **{"from": first, "to": last})
        if result["log"] != self._key[1]:
            raise self._error(_("{port}: the node has begun a new log"))
        following, silent_s = first, 0
        for body, text in lines:
            silent_s = 0 if body else silent_s + 1
            if silent_s > _SILENCE_MAX_S:
                raise node_stopped(self._line.name)
            if body.get("end"):
                if "error" in body:
                    raise self._error(_("{port}: the node stopped: {reason}"), body["error"])
                return following, following == body["next"]
            if "topic" in body and (payload := undamaged_body(text)):
                following = self._store(body, payload, following)
        return following, False

    def _error(self, what: str, reason: object = "") -> ToolError:
        what = what.format(port=self._line.name, reason=reason)
        return ToolError(what, _("Run the same command again."))

    def _store(self, body: Body, payload: str, following: int) -> int:
        """Store a record if it follows the ones before. Returns the number of the next one."""
        first, last = seq_range(body["body"])
        if first != following:
            return following
        topic = f"{_ROOT}/{self._node}/{body['topic']}"
        self._collector.on_message(topic, payload.encode(), time.time())
        return last + 1

    def _on_news(self, kind: str, _name: str, body: Body) -> None:
        self._new[kind] = self._new.get(kind, 0) + 1
        if kind in _DOUBTS:
            reason = body.get("reason") or body.get("what")
            console.note(_(_DOUBTS[kind]).format(reason=reason))

    def confirm(self) -> int:
        """Confirm the records that are held without a gap. Returns the number of the last one."""
        held = self._collector.store.confirmed(self._key)
        self._line.ask("confirm", log=self._key[1], seq=held)
        return held

    def result(self) -> Body:
        """The numbers of new records, and the ranges that are missing."""
        first, last = self._range
        store = self._collector.store
        held = store.confirmed(self._key)
        gap = store.gap(self._key, held)
        missing = [list(gap)] if gap else [[held + 1, last]] if held < last else []
        return {
            "node": self._node, "log": self._key[1], "asked": [first, last],
            "intervals": self._new["interval"], "events": self._new["event"],
            "gone": self._new["gone"], "refused": self._new["quarantine"], "missing": missing,
        }  # fmt: skip


def undamaged_body(text: str) -> str | None:
    """The body of a line as it was sent, None if its CRC-32 does not fit."""
    found = _BODY.search(text)
    if not found or zlib.crc32(found[1].encode()) != int(found[2], 16):
        return None
    return found[1]


def seq_range(record: Body) -> tuple[int, int]:
    """First and last sequence number of the records in a message."""
    if "recs" in record:
        seqs = [rec["seq"] for rec in record["recs"]]
        return min(seqs), max(seqs)
    if record.get("event") == "gone":
        return record["from"], record["to"]
    return record["seq"], record["seq"]


def _show(result: Body) -> None:
    text = _("{node}: {intervals} new intervals and {events} new events, from records {first} to"
             " {last}, stored in {db}")  # fmt: skip
    first, last = result["asked"]
    console.result(text.format(
        node=result["node"], intervals=result["intervals"], events=result["events"], first=first,
        last=last, db=result["db"],
    ))  # fmt: skip
    if gone := result["gone"]:
        text = ngettext(
            "{n} range is no longer on the node", "{n} ranges are no longer on the node", gone
        )
        console.result(text.format(n=gone))
    for first, last in result["missing"]:
        text = _("Missing: records {first} to {last}. Run the same command again.")
        console.result(text.format(first=first, last=last))
    if result["confirmed"] is not None:
        text = _("Confirmed to the node up to record {seq}")
        console.result(text.format(seq=result["confirmed"]))
