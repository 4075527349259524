"""The records of nodes by (node, log, seq): each is held once.

An interval that a node sends again under another number or another log is kept as `repeat`: its
number can be confirmed, and its passages are not counted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tallypost.backend import anchors
from tallypost.backend.stores.database import Body, Conflict, Database, Key, rfc3339
from tallypost.backend.stores.spans import BIN_KMH

INTERVAL, EVENT, REPEAT = "interval", "event", "repeat"
_TWINS_MAX = 200  # starts in one query
_INSERT = (
    "INSERT INTO records (node, log, seq, kind, start, len, cov, body, received, bin_kmh)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(slots=True)
class Row:
    """A record to store. text: its body as it is kept. start: None if it must not be used."""

    body: Body
    text: str
    start: str | None
    bin_kmh: int = BIN_KMH
    kind: str = INTERVAL


class Records:
    """The part of a store about records."""

    _db: Database
    _touched: set[tuple[str, str]]  # node and day whose sums have changed
    _newest_start: dict[str, str]  # by node, as long as nobody else writes

    def insert(
        self, key: Key, kind: str, body: Body, utc: float, *, is_dated: bool = True,
        text: str = "", bin_kmh: int = BIN_KMH,
    ) -> bool:  # fmt: skip
        """Store a record. False if the store holds it already. Raises Conflict.

        is_dated: whether its start may be used. Only an interval has start, length and coverage.
        text: of a signed record, as the node wrote it. It takes the place of an unsigned one.
        bin_kmh: width of a bin of its histogram.
        """
        start = self._start(key, body, utc) if kind == INTERVAL and is_dated else None
        row = Row(body, text or compact(body), start, bin_kmh, kind)
        where = (*key, body["seq"])
        found = self._db.execute(
            "SELECT kind, body FROM records WHERE node = ? AND log = ? AND seq = ?", where
        ).fetchone()
        if not found:
            self.insert_new(key, [row], utc)
            self.drop_covered(key, body["seq"])
            if body.get("event") == "anchor":
                self._date_intervals(key, body, utc)
            return True
        held = json.loads(found[1])
        is_proven = bool(text) and "mac" not in held
        held_kind = INTERVAL if found[0] == REPEAT else found[0]
        is_other = held_kind != kind or _timeless(held) != _timeless(body)
        if is_other and not is_proven:
            raise Conflict(f"seq {body['seq']} of log {key[1]} is held with other contents")
        if is_proven or (held.get("start") is None and start):  # resolved in the meantime
            self._replace(key, row, found[0] if held_kind == kind else kind)
        return is_other

    def _replace(self, key: Key, row: Row, kind: str) -> None:
        self._touch(key[0], row.start)
        self._newest_start.pop(key[0], None)
        self._db.execute(
            "UPDATE records SET kind = ?, start = ?, len = ?, cov = ?, body = ?"
            " WHERE node = ? AND log = ? AND seq = ?",
            (
                kind, row.start, row.body.get("len"), row.body.get("cov"), row.text, *key,
                row.body["seq"],
            ),
        )  # fmt: skip

    def insert_new(self, key: Key, rows: Sequence[Row], utc: float) -> None:
        """Store records that are not held yet."""
        received = rfc3339(utc)
        values = []
        for row in rows:
            body = row.body
            is_interval = row.kind != EVENT
            span = (body["len"], body["cov"]) if is_interval else (None, None)
            width = row.bin_kmh if row.bin_kmh != BIN_KMH else None
            values.append((
                *key, body["seq"], row.kind, row.start, *span, row.text, received, width,
            ))  # fmt: skip
            self._touch(key[0], row.start)
        self._db.executemany(_INSERT, values)
        starts = [row.start for row in rows if row.start]
        if starts and key[0] in self._newest_start:
            self._newest_start[key[0]] = max(self._newest_start[key[0]], *starts)

    def _touch(self, node: str, start: str | None) -> None:
        if start:
            self._touched.add((node, start[:10]))

    def _start(self, key: Key, body: Body, utc: float) -> str | None:
        """The start of an interval: its own, or by the anchor of its boot."""
        if body.get("start") is None and (anchor := anchors.find(self._db, key, body)):
            return anchors.start_by(anchor, body, utc)
        return body.get("start")

    def _date_intervals(self, key: Key, anchor: Body, utc: float) -> None:
        """Give the intervals before an anchor their start. A twin becomes a `repeat`."""
        for seq, start, body in anchors.dated_intervals(self._db, key, anchor, utc):
            twin = self.twins(key, [Row(body, "", start)])
            self._newest_start.pop(key[0], None)
            self._db.execute(
                "UPDATE records SET start = ?, kind = ? WHERE node = ? AND log = ? AND seq = ?",
                (start, REPEAT if twin else INTERVAL, *key, seq),
            )
            self._touch(key[0], start)

    # --- the same interval twice

    def twins(self, key: Key, rows: Sequence[Row]) -> dict[int, tuple[str, int]]:
        """By number: log and number of a held interval that is the same but for its number."""
        found: dict[int, tuple[str, int]] = {}
        newest = self._start_of_newest(key[0])
        rows = [row for row in rows if row.start and row.start <= newest]
        by_start = {row.start: row.body for row in rows if row.start}
        starts = list(by_start)
        for i in range(0, len(starts), _TWINS_MAX):
            some = starts[i : i + _TWINS_MAX]
            held = self._db.execute(
                "SELECT start, log, seq, body FROM records WHERE node = ? AND kind = 'interval'"
                f" AND start IN ({', '.join('?' * len(some))})",
                (key[0], *some),
            ).fetchall()
            for start, log, seq, text in held:
                body = by_start[start]
                is_itself = (log, seq) == (key[1], body["seq"])
                if not is_itself and _contents(body) == _contents(json.loads(text)):
                    found[body["seq"]] = log, seq
        return found

    def _start_of_newest(self, node: str) -> str:
        """The highest start of a node's records, "" if there is none."""
        if node not in self._newest_start:
            row = self._db.execute(
                "SELECT max(start) FROM records WHERE node = ? AND start IS NOT NULL", (node,)
            ).fetchone()
            self._newest_start[node] = row[0] or ""
        return self._newest_start[node]

    def mark_repeat(self, key: Key, seq: int) -> None:
        """Count an interval no longer: it is the twin of another one."""
        self._db.execute(
            "UPDATE records SET kind = 'repeat' WHERE node = ? AND log = ? AND seq = ?",
            (*key, seq),
        )

    # --- short records around single ones

    def drop_covered(self, key: Key, seq: int) -> None:
        """Drop the short records around `seq` if all their numbers are held as single records."""
        rows = self._db.execute(
            "SELECT first, last, start FROM short WHERE node = ? AND log = ? AND first <= ?"
            " AND last >= ? ORDER BY last - first",
            (*key, seq, seq),
        ).fetchall()
        for first, last, start in rows:
            self._touch(key[0], start)
            if self.numbers_held(key, first, last) == set(range(first, last + 1)):
                self._db.execute(
                    "DELETE FROM short WHERE node = ? AND log = ? AND first = ? AND last = ?",
                    (*key, first, last),
                )

    def numbers_held(self, key: Key, first: int, last: int) -> set[int]:
        """Numbers of a range that are held by records, or by short records inside it."""
        where = (*key, first, last)
        rows = self._db.execute(
            "SELECT seq FROM records WHERE node = ? AND log = ? AND seq BETWEEN ? AND ?", where
        ).fetchall()
        found = {int(seq) for (seq,) in rows}
        rows = self._db.execute(
            "SELECT first, last FROM short WHERE node = ? AND log = ? AND first >= ?"
            " AND last <= ?",
            where,
        ).fetchall()
        for low, high in rows:
            if (low, high) != (first, last):
                found.update(range(low, high + 1))
        return found

    def before(self, key: Key, seq: int) -> tuple[int, Body] | None:
        """The last interval before `seq`, if all records between the two are held."""
        row = self._db.execute(
            "SELECT seq, body FROM records WHERE node = ? AND log = ? AND seq < ?"
            " AND kind <> 'event' ORDER BY seq DESC LIMIT 1",
            (*key, seq),
        ).fetchone()
        if not row:
            return None
        between = self._db.execute(
            "SELECT count(*) FROM records WHERE node = ? AND log = ? AND seq > ? AND seq < ?",
            (*key, row[0], seq),
        ).fetchone()[0]
        return (row[0], json.loads(row[1])) if between == seq - row[0] - 1 else None

    def note_doubt(self, key: Key, seq: int, reason: str) -> None:
        self._db.execute("INSERT INTO doubts VALUES (?, ?, ?, ?)", (*key, seq, reason))

    # --- reading

    def intervals(self, node: str) -> Iterator[tuple[str, Body]]:
        """(log, interval) of a node, in the order of the sequence numbers. `start` as it is known
        now."""
        rows = self._db.execute(
            "SELECT log, body, start FROM records WHERE node = ? AND kind = 'interval'"
            " ORDER BY log, seq",
            (node,),
        ).fetchall()
        for log, body, start in rows:
            held = json.loads(body)
            yield log, held | {"start": held["start"] or start}


def compact(body: Body) -> str:
    """A body as it is kept: JSON without blanks."""
    return orjson.dumps(body).decode()


def _contents(body: Body) -> dict[str, Any]:
    """An interval without its number, and without the values that may be resolved later."""
    return {key: value for key, value in _timeless(body).items() if key != "seq"}


def _timeless(body: Body) -> Body:
    """A record without the values that may be resolved later, and without the MAC over them."""
    return {key: value for key, value in body.items() if key not in ("start", "time", "mac")}
