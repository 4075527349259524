"""The SQLite file of the backend: records by (node, log, seq), complete ranges and gaps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tallypost.i18n import _

RESEND_RETRY_S = 300.0  # a request without progress is repeated after this time
_LAYOUT = 2  # PRAGMA user_version
TABLES = """
CREATE TABLE records (
  node TEXT, log TEXT, seq INTEGER, kind TEXT, start TEXT, len INTEGER, cov INTEGER,
  body TEXT, received TEXT, PRIMARY KEY (node, log, seq)) WITHOUT ROWID;
CREATE TABLE gone (node TEXT, log TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (node, log, first)) WITHOUT ROWID;
CREATE TABLE logs (node TEXT, log TEXT, confirmed INTEGER DEFAULT 0,
  asked REAL DEFAULT 0, asked_from INTEGER DEFAULT 0, asked_to INTEGER DEFAULT 0,
  PRIMARY KEY (node, log)) WITHOUT ROWID;
CREATE TABLE nodes (node TEXT PRIMARY KEY, status TEXT, received TEXT);
CREATE TABLE doubts (node TEXT, log TEXT, seq INTEGER, what TEXT);
CREATE TABLE quarantine (received TEXT, topic TEXT, payload BLOB, reason TEXT);
"""

# Since layout 2: records in the short form of LoRaWAN. Each stands for the numbers first to last,
# until all of these are held as single records. Also frames whose log is not known yet.
_SHORT = """
CREATE TABLE short (
  node TEXT, log TEXT, first INTEGER, last INTEGER, kind TEXT, start TEXT, len INTEGER,
  cov INTEGER, body TEXT, received TEXT, PRIMARY KEY (node, log, first, last)) WITHOUT ROWID;
CREATE TABLE waiting (
  node TEXT, log TEXT, port INTEGER, payload BLOB, received REAL,
  PRIMARY KEY (node, log, port, payload)) WITHOUT ROWID;
DROP VIEW IF EXISTS counts;
CREATE VIEW counts AS
  WITH held AS (
    SELECT node, start, len, cov, body FROM records r WHERE kind = 'interval' AND NOT EXISTS (
      SELECT 1 FROM short s WHERE s.node = r.node AND s.log = r.log AND s.kind = 'interval'
      AND r.seq BETWEEN s.first AND s.last)
    UNION ALL
    SELECT node, start, len, cov, body FROM short s WHERE kind = 'interval' AND NOT EXISTS (
      SELECT 1 FROM short o WHERE o.node = s.node AND o.log = s.log AND o.kind = 'interval'
      AND o.first <= s.first AND o.last >= s.last AND (o.first < s.first OR o.last > s.last)))
  SELECT h.node, h.start, h.len, h.cov, way.key AS direction, cls.key AS class, cls.value AS n
  FROM held h, json_each(h.body, '$.counts') way, json_each(way.value) cls;
"""

Key = tuple[str, str]  # node, log
Body = dict[str, Any]


class Conflict(ValueError):
    """The file holds this record already, with other contents."""


class Store:
    """path: the file, made if it is missing. Raises ToolError if it cannot be used.

    Make changes inside `with store.transaction():`. They are durable after it.
    """

    def __init__(self, path: Path) -> None:
        self._db = _open(path)

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> sqlite3.Connection:
        """A context manager that commits at its end and rolls back on an exception."""
        return self._db

    # --- records

    def insert(self, key: Key, kind: str, body: Body, utc: float) -> bool:
        """Store a record. False if the file holds it already. Raises Conflict."""
        row = (*key, body["seq"], kind, body.get("start"), body.get("len"), body.get("cov"))
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, json.dumps(body), rfc3339(utc)),
        )
        if inserted.rowcount:
            self.drop_covered(key, body["seq"])
            return True
        where = (*key, body["seq"])
        found = self._db.execute(
            "SELECT kind, body FROM records WHERE node = ? AND log = ? AND seq = ?", where
        ).fetchone()
        held = json.loads(found[1])
        if found[0] != kind or _timeless(held) != _timeless(body):
            raise Conflict(f"seq {body['seq']} of log {key[1]} is held with other contents")
        if held.get("start") is None and body.get("start"):  # resolved in the meantime
            self._db.execute(
                "UPDATE records SET start = ?, body = ? WHERE node = ? AND log = ? AND seq = ?",
                (body["start"], json.dumps(body), *where),
            )
        return False

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

    def note_gone(self, key: Key, first: int, last: int) -> None:
        """Note that these records no longer exist and will never come."""
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?, ?)", (*key, first, last))

    def note_status(self, node: str, body: Body, utc: float) -> None:
        row = (node, json.dumps(body), rfc3339(utc))
        self._db.execute("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)", row)

    def note_doubt(self, key: Key, seq: int, reason: str) -> None:
        self._db.execute("INSERT INTO doubts VALUES (?, ?, ?, ?)", (*key, seq, reason))

    def quarantine(self, topic: str, payload: bytes, utc: float, reason: str) -> None:
        row = (rfc3339(utc), topic, payload, reason)
        self._db.execute("INSERT INTO quarantine VALUES (?, ?, ?, ?)", row)

    # --- complete ranges and gaps

    def confirmed(self, key: Key) -> int:
        """The number up to which every record is held or gone. 0: none."""
        row = self._db.execute(
            "SELECT confirmed FROM logs WHERE node = ? AND log = ?", key
        ).fetchone()
        return int(row[0]) if row else 0

    def advance(self, key: Key) -> int:
        """Move `confirmed` over the records that have arrived. Returns it."""
        was = confirmed = self.confirmed(key)
        while True:
            reached = self._held_to(
                key, self._past("short", key, self._past("gone", key, confirmed))
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

    def _past(self, table: str, key: Key, confirmed: int) -> int:
        """The last number of the spans in `table` that follow without a gap."""
        row = self._db.execute(
            f"SELECT max(last) FROM {table} WHERE node = ? AND log = ? AND first <= ?",
            (*key, confirmed + 1),
        ).fetchone()
        return max(confirmed, row[0] or 0)

    def gap(self, key: Key, confirmed: int) -> tuple[int, int] | None:
        """The first range of missing records, if later ones are held."""
        row = self._db.execute(
            "SELECT min(n) FROM (SELECT min(seq) AS n FROM records WHERE node = ? AND log = ?"
            " AND seq > ? UNION ALL SELECT min(first) FROM short WHERE node = ? AND log = ?"
            " AND first > ?)",
            (*key, confirmed, *key, confirmed),
        ).fetchone()
        return (confirmed + 1, row[0] - 1) if row[0] else None

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
        """(log, interval) of a node, in the order of the sequence numbers."""
        rows = self._db.execute(
            "SELECT log, body FROM records WHERE node = ? AND kind = 'interval' ORDER BY log, seq",
            (node,),
        )
        for log, body in rows:
            yield log, json.loads(body)

    def count_rows(self, table: str) -> int:
        """The number of rows of a table."""
        if table not in ("records", "gone", "doubts", "quarantine", "short", "waiting"):
            raise ValueError(f"no table '{table}'")
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        if layout not in (0, 1, _LAYOUT):
            raise ToolError(
                _("{path}: the database has layout {found}, this version reads {known}").format(
                    path=path, found=layout, known=_LAYOUT
                ),
                _("Install the version of the tools that wrote it, or name another --db."),
            )
        if layout != _LAYOUT:
            tables = (TABLES if layout == 0 else "") + _SHORT
            db.executescript(f"BEGIN; {tables} PRAGMA user_version = {_LAYOUT}; COMMIT;")
    except sqlite3.Error as error:
        raise ToolError(
            _("{path}: the database cannot be used: {reason}").format(path=path, reason=error),
            _("Name another file with --db."),
        ) from error
    return db


def _timeless(body: Body) -> Body:
    """A record without the values that may be resolved later."""
    return {key: value for key, value in body.items() if key not in ("start", "time")}


def rfc3339(utc: float) -> str:
    """Unix seconds as UTC text."""
    return datetime.fromtimestamp(int(utc), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
