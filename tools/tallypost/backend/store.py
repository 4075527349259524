"""The SQLite file of the backend: records by (node, log, seq), complete ranges and gaps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tallypost.backend import anchors
from tallypost.backend.layout import Body, Key, open_file, rfc3339
from tallypost.backend.limits import CLAIMS_MAX, LOGS_MAX, NODES_MAX

RESEND_RETRY_S = 300.0  # a request without progress is repeated after this time
RESEND_MAX = 20_000  # records in one request; a node refuses more
NUMBER_MAX = 2**32 - 1


class Conflict(ValueError):
    """The file holds this record already, with other contents."""


class Store:
    """path: the file, made if it is missing. Raises ToolError if it cannot be used.

    Make changes inside `with store.transaction():`. They are durable after it.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_file(path)
        self._nodes = -1  # how many are known; counted when it matters

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> sqlite3.Connection:
        """A context manager that commits at its end and rolls back on an exception."""
        return self._db

    # --- records

    def insert(
        self, key: Key, kind: str, body: Body, utc: float, *, is_dated: bool = True, text: str = ""
    ) -> bool:  # fmt: skip
        """Store a record. False if the file holds it already. Raises Conflict.

        is_dated: whether its start may be used. Only an interval has start, length and coverage.
        text: of a signed record, as the node wrote it. It takes the place of an unsigned one.
        """
        start = self._start(key, body, utc) if kind == "interval" and is_dated else None
        length, covered = (body["len"], body["cov"]) if kind == "interval" else (None, None)
        row = (*key, body["seq"], kind, start, length, covered)
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, text or json.dumps(body), rfc3339(utc)),
        )
        if inserted.rowcount:
            self.drop_covered(key, body["seq"])
            if body.get("event") == "anchor":
                anchors.date_intervals(self._db, key, body, utc)
            return True
        where = (*key, body["seq"])
        found = self._db.execute(
            "SELECT kind, body FROM records WHERE node = ? AND log = ? AND seq = ?", where
        ).fetchone()
        held = json.loads(found[1])
        is_proven = bool(text) and "mac" not in held
        is_other = found[0] != kind or _timeless(held) != _timeless(body)
        if is_other and not is_proven:
            raise Conflict(f"seq {body['seq']} of log {key[1]} is held with other contents")
        if is_proven or (held.get("start") is None and start):  # resolved in the meantime
            self._db.execute(
                "UPDATE records SET kind = ?, start = ?, len = ?, cov = ?, body = ?"
                " WHERE node = ? AND log = ? AND seq = ?",
                (*row[3:], text or json.dumps(body), *where),
            )
        return is_other

    def _start(self, key: Key, body: Body, utc: float) -> str | None:
        """The start of an interval: its own, or by the anchor of its boot."""
        if body.get("start") is None and (anchor := anchors.find(self._db, key, body)):
            return anchors.start_by(anchor, body, utc)
        return body.get("start")

    def drop_covered(self, key: Key, seq: int) -> None:
        """Drop the short records around `seq` if all their numbers are held as single records."""
        rows = self._db.execute(
            "SELECT first, last FROM short WHERE node = ? AND log = ? AND first <= ?"
            " AND last >= ? ORDER BY last - first",
            (*key, seq, seq),
        ).fetchall()
        for first, last in rows:
            if self.numbers_held(key, first, last) == set(range(first, last + 1)):
                self._db.execute(
                    "DELETE FROM short WHERE node = ? AND log = ? AND first = ? AND last = ?",
                    (*key, first, last),
                )

    def numbers_held(self, key: Key, first: int, last: int) -> set[int]:
        """Numbers of a range that are held by records, or by short records inside it."""
        where = (*key, first, last)
        found = {
            int(seq)
            for (seq,) in self._db.execute(
                "SELECT seq FROM records WHERE node = ? AND log = ? AND seq BETWEEN ? AND ?", where
            )
        }
        rows = self._db.execute(
            "SELECT first, last FROM short WHERE node = ? AND log = ? AND first >= ?"
            " AND last <= ?",
            where,
        )
        for low, high in rows:
            if (low, high) != (first, last):
                found.update(range(low, high + 1))
        return found

    def before(self, key: Key, seq: int) -> tuple[int, Body] | None:
        """The last interval before `seq`, if all records between the two are held."""
        row = self._db.execute(
            "SELECT seq, body FROM records WHERE node = ? AND log = ? AND seq < ?"
            " AND kind = 'interval' ORDER BY seq DESC LIMIT 1",
            (*key, seq),
        ).fetchone()
        if not row:
            return None
        between = self._db.execute(
            "SELECT count(*) FROM records WHERE node = ? AND log = ? AND seq > ? AND seq < ?",
            (*key, row[0], seq),
        ).fetchone()[0]
        return (row[0], json.loads(row[1])) if between == seq - row[0] - 1 else None

    def is_known(self, node: str) -> bool:
        """Whether the file holds anything of a node."""
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM logs WHERE node = ?)"
            " OR EXISTS (SELECT 1 FROM nodes WHERE node = ?)",
            (node, node),
        ).fetchone()
        return bool(row[0])

    def admit(self, node: str) -> bool:
        """Whether the file knows the node, or has room for another one."""
        if self.is_known(node):
            return True
        if self._nodes < 0:
            self._nodes = self._db.execute(
                "SELECT count(*) FROM (SELECT node FROM nodes UNION SELECT node FROM logs)"
            ).fetchone()[0]
        self._nodes += 1
        return self._nodes <= NODES_MAX

    def has_room(self, key: Key) -> bool:
        """Whether the log is known, or the node may begin another one."""
        row = self._db.execute(
            "SELECT count(*), max(log = ?) FROM logs WHERE node = ?", (key[1], key[0])
        ).fetchone()
        return bool(row[1]) or row[0] < LOGS_MAX

    def note_status(self, node: str, body: Body, utc: float) -> None:
        row = (node, json.dumps(body), rfc3339(utc))
        self._db.execute("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)", row)

    def note_doubt(self, key: Key, seq: int, reason: str) -> None:
        self._db.execute("INSERT INTO doubts VALUES (?, ?, ?, ?)", (*key, seq, reason))

    def note_report(self, node: str, kind: str, body: Body, utc: float) -> None:
        """Keep the last report of a kind: `health`, `config` or `reply`."""
        row = (node, kind, json.dumps(body), rfc3339(utc))
        self._db.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)", row)

    def note_signature(self, node: str, state: str, utc: float) -> None:
        """Count a record by the state of its signature."""
        self._db.execute(
            "INSERT INTO signatures VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE"
            " SET times = times + 1, last = excluded.last",
            (node, state, rfc3339(utc)),
        )

    # --- complete ranges and gaps

    def confirmed(self, key: Key) -> int:
        """The number up to which every record is held or gone. 0: none."""
        row = self._db.execute(
            "SELECT confirmed FROM logs WHERE node = ? AND log = ?", key
        ).fetchone()
        return int(row[0]) if row else 0

    def advance(self, key: Key) -> int:
        """Move `confirmed` over the records that have arrived. Returns it."""
        was = self.confirmed(key)
        newest = self.newest(key)
        confirmed = was if was <= newest else self._before_claims(key, newest)
        while True:
            reached = self._held_to(
                key, self._past("short", key, self._past("gone", key, confirmed, newest), newest)
            )
            if reached == confirmed:
                break
            confirmed = reached
        if confirmed != was or not was:
            self._db.execute(
                "INSERT INTO logs (node, log, confirmed) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET confirmed = excluded.confirmed",
                (*key, confirmed),
            )
        return confirmed

    def _held_to(self, key: Key, confirmed: int) -> int:
        rows = self._db.execute(
            "SELECT seq FROM records WHERE node = ? AND log = ? AND seq > ? ORDER BY seq",
            (*key, confirmed),
        )
        for (seq,) in rows:
            if seq != confirmed + 1:
                break
            confirmed = seq
        return confirmed

    def _past(self, table: str, key: Key, confirmed: int, newest: int) -> int:
        """The last number of the spans in `table` that follow without a gap, up to `newest`."""
        row = self._db.execute(
            f"SELECT max(last) FROM {table} WHERE node = ? AND log = ? AND first <= ?"
            " AND last <= ?",
            (*key, confirmed + 1, newest),
        ).fetchone()
        return max(confirmed, row[0] or 0)

    # --- records that are gone

    def note_gone(self, key: Key, first: int, last: int) -> bool:
        """Note the claim of a node that these records no longer exist and will never come.

        The claim counts once a later record is known. False if the node has too many claims.
        """
        n = self._db.execute(
            "SELECT count(*) FROM gone WHERE node = ? AND log = ? AND first != ?", (*key, first)
        ).fetchone()[0]
        if n >= CLAIMS_MAX:
            return False
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?, ?)", (*key, first, last))
        return True

    def withdraw_gone(self, key: Key, first: int, last: int) -> list[tuple[int, int]]:
        """Drop the claims that a record with these numbers refutes. Returns their ranges.

        `confirmed` goes back to the record before them, so that the rest is asked for again.
        """
        where = "node = ? AND log = ? AND first <= ? AND last >= ?"
        values = (*key, last, first)
        ranges = self._db.execute(f"SELECT first, last FROM gone WHERE {where}", values).fetchall()
        if ranges:
            self._db.execute(f"DELETE FROM gone WHERE {where}", values)
            self._lower(key, min(low for low, _ in ranges) - 1)
        return ranges

    def note_newest(self, key: Key, seq: int) -> list[tuple[int, int]]:
        """Note the newest number that a node reports of its log. Returns the claims beyond it."""
        self._db.execute("UPDATE logs SET newest = ? WHERE node = ? AND log = ?", (seq, *key))
        return self.withdraw_gone(key, seq + 1, NUMBER_MAX)

    def newest(self, key: Key) -> int:
        """The highest number that is known of a log: of a record, or as the node reported it."""
        row = self._db.execute(
            "SELECT max((SELECT ifnull(max(seq), 0) FROM records WHERE node = ?1 AND log = ?2),"
            " (SELECT ifnull(max(last), 0) FROM short WHERE node = ?1 AND log = ?2),"
            " (SELECT ifnull(max(newest), 0) FROM logs WHERE node = ?1 AND log = ?2))",
            key,
        ).fetchone()
        return int(row[0])

    def _before_claims(self, key: Key, newest: int) -> int:
        """The number up to which no claim beyond `newest` is needed. Drops these claims."""
        self.withdraw_gone(key, newest + 1, NUMBER_MAX)
        return min(self.confirmed(key), newest)

    def _lower(self, key: Key, seq: int) -> None:
        """Take a confirmation back, and forget the last request."""
        self._db.execute(
            "UPDATE logs SET confirmed = min(confirmed, ?), asked = 0, asked_from = 0,"
            " asked_to = 0 WHERE node = ? AND log = ?",
            (seq, *key),
        )

    def gap(self, key: Key, confirmed: int) -> tuple[int, int] | None:
        """The first range of missing records, if later ones are held."""
        row = self._db.execute(
            "SELECT min(n) FROM (SELECT min(seq) AS n FROM records WHERE node = ? AND log = ?"
            " AND seq > ? UNION ALL SELECT min(first) FROM short WHERE node = ? AND log = ?"
            " AND first > ?)",
            (*key, confirmed, *key, confirmed),
        ).fetchone()
        if not row[0]:
            return None
        return confirmed + 1, min(row[0] - 1, confirmed + RESEND_MAX)

    def should_request(self, key: Key, gap: tuple[int, int], utc: float) -> bool:
        """Whether to ask for a gap: once, and again if no record of it came for RESEND_RETRY_S."""
        asked, first, last = self._db.execute(
            "SELECT asked, asked_from, asked_to FROM logs WHERE node = ? AND log = ?", key
        ).fetchone()
        progress = gap[0] > first
        answering = gap[0] <= last and (progress or 0 <= utc - asked < RESEND_RETRY_S)
        now = asked if answering and not progress else utc
        self._db.execute(
            "UPDATE logs SET asked = ?, asked_from = ?, asked_to = ? WHERE node = ? AND log = ?",
            (now, gap[0], last if answering else gap[1], *key),
        )
        return not answering

    # --- reading

    def intervals(self, node: str) -> Iterator[tuple[str, Body]]:
        """(log, interval) of a node, in the order of the sequence numbers. `start` as it is known
        now."""
        rows = self._db.execute(
            "SELECT log, body, start FROM records WHERE node = ? AND kind = 'interval'"
            " ORDER BY log, seq",
            (node,),
        )
        for log, body, start in rows:
            held = json.loads(body)
            yield log, held | {"start": held["start"] or start}

    def count_rows(self, table: str) -> int:
        """The number of rows of a table."""
        if table not in ("records", "gone", "doubts", "quarantine", "short", "waiting", "nodes"):
            raise ValueError(f"no table '{table}'")
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _timeless(body: Body) -> Body:
    """A record without the values that may be resolved later, and without the MAC over them."""
    return {key: value for key, value in body.items() if key not in ("start", "time", "mac")}
