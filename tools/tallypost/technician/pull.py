"""`tallypost pull`: the counts out of a node without network, into the file that `listen` fills.

Every record goes through the collector: held against the schemas, stored once, gaps noted. What is
there already is not asked for, so it can be interrupted and repeated. Nothing is confirmed to the
node, which will still send it all one day, unless --confirm says so.
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
from tallypost.faults import ToolError
from tallypost.connection import transports
from tallypost.connection.line import Line, connect

_TRIES = 3  # for a record that arrives damaged
_BODY = re.compile(r'"body":(\{.*\}),"crc":"([0-9a-f]{8})"\}$')
_SILENT_S = 15  # seconds in which nothing comes
_ROOT = "pull"

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add("--db", type=Path, default=Path("tallypost.sqlite"), help="SQLite file (tallypost.sqlite)")
    add("--all", action="store_true", help="also what the file holds already")
    add("--confirm", action="store_true", help="tell the node that the backend has it all")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Pull what the file does not hold; 1 if records are missing then; raises ToolError."""
    if not args.db.parent.is_dir():
        raise ToolError(f"{args.db.parent}: no such folder", "name another file with --db")
    with connect(transports.port(args), args.baud) as line:
        identity = line.ask("identity")
        if not identity["node"]:
            raise ToolError(f"{line.name}: not provisioned, it has counted nothing")
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
    """Takes records from a line into a file. identity: of the node."""

    def __init__(self, line: Line, db: Path, identity: Body) -> None:
        self._line = line
        self._node = identity["node"]
        self._key = self._node, identity["log"]
        self._collector = Collector(db, _ROOT, self._news)
        self._new = dict.fromkeys(("interval", "event", "gone", "quarantine", "doubt"), 0)
        self._range = (1, 0)

    def close(self) -> None:
        self._collector.close()

    def run(self, everything: bool) -> None:
        """Ask for portion after portion; raises ToolError."""
        held = 0 if everything else self._collector.store.confirmed(self._key)
        newest = self._newest()
        self._range = (held + 1, newest)
        following = held + 1
        while following <= newest:
            following = self._portion(following, newest)
            console.progress(f"record {following - 1} of {newest}")

    def _newest(self) -> int:
        facts = self._line.ask("check")
        return int(facts["ring"]["newest"])

    def _portion(self, first: int, last: int) -> int:
        """Take some records from `first` on; the number to go on with."""
        tries = 0
        while tries < _TRIES:
            following, whole = self._take(first, last)
            if whole:
                return following
            tries = 1 if following > first else tries + 1
            first = following
        raise ToolError(
            f"{self._line.name}: record {first} arrives damaged, {tries} times",
            "a shorter cable; what came before it is stored",
        )

    def _take(self, first: int, last: int) -> tuple[int, bool]:
        """(the number to go on with, whether everything before it came undamaged)."""
        result, lines = self._line.stream("records", **{"from": first, "to": last})
        if result["log"] != self._key[1]:
            raise ToolError(f"{self._line.name}: the node has begun a new log", "the same again")
        following, silent = first, 0
        for body, text in lines:
            silent = 0 if body else silent + 1
            if silent > _SILENT_S:
                raise ToolError(f"{self._line.name}: the node has stopped", "the same again")
            if body.get("end"):
                if "error" in body:
                    raise ToolError(f"{self._line.name}: {body['error']}", "the same again")
                return following, following == body["next"]
            if "topic" in body and (payload := undamaged(text)):
                following = self._store(body, payload, following)
        return following, False

    def _store(self, body: Body, payload: str, following: int) -> int:
        """Store a record that follows the ones before; the number of the next one."""
        record = body["body"]
        first, last = numbers(record)
        if first == following:
            topic = f"{_ROOT}/{self._node}/{body['topic']}"
            self._collector.on_message(topic, payload.encode(), time.time())
            return last + 1
        return following

    def _news(self, kind: str, _node: str, body: Body) -> None:
        self._new[kind] = self._new.get(kind, 0) + 1
        if kind in ("quarantine", "doubt"):
            console.note(f"{kind}: {body.get('reason') or body.get('what')}")

    def confirm(self) -> int:
        """Confirm what is held without a gap; its number."""
        held = self._collector.store.confirmed(self._key)
        self._line.ask("confirm", log=self._key[1], seq=held)
        return held

    def result(self) -> Body:
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


def undamaged(text: str) -> str | None:
    """The body of a line as it was sent, if its CRC-32 says so."""
    found = _BODY.search(text)
    if not found or zlib.crc32(found[1].encode()) != int(found[2], 16):
        return None
    return found[1]


def numbers(record: Body) -> tuple[int, int]:
    """First and last sequence number that a message stands for."""
    if "recs" in record:
        seqs = [rec["seq"] for rec in record["recs"]]
        return min(seqs), max(seqs)
    if record.get("event") == "gone":
        return record["from"], record["to"]
    return record["seq"], record["seq"]


def _show(result: Body) -> None:
    console.result(
        f"{result['node']}: {result['intervals']} new intervals, {result['events']} new events"
        f" of records {result['asked'][0]} to {result['asked'][1]} in {result['db']}"
    )
    if result["gone"]:
        console.result(f"{result['gone']} ranges no longer exist on the node")
    for first, last in result["missing"]:
        console.result(f"missing: records {first} to {last}")
    if result["confirmed"] is not None:
        console.result(f"confirmed to the node up to record {result['confirmed']}")
