"""Copies a store to another one: a file of SQLite to PostgreSQL, or back.

Records go in the order of their key, some thousand in a transaction, together with the key that
was reached. So a move that was interrupted goes on from there. The other tables are small, and are
copied anew each time. At the end both stores have the same number of rows, or the records are
compared once more from the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from tallypost.backend.stores.access import Address, open_database, open_for_reading
from tallypost.backend.stores.database import Database
from tallypost.faults import ToolError
from tallypost.i18n import _

Progress = Callable[[int], None]  # gets the number of records that are copied

_RECORDS = "node, log, seq, kind, start, len, cov, body, received, bin_kmh"
_SMALL = {  # all tables but the records, with their columns; the logs come last
    "gone": "node, log, first, last",
    "nodes": "node, status, received",
    "doubts": "node, log, seq, what",
    "short": "node, log, first, last, kind, start, len, cov, body, received",
    "waiting": "node, log, port, payload, received",
    "reports": "node, kind, body, received",
    "quarantine": "received, topic, payload, reason, node, times, last",
    "dropped": "node, times, last",
    "signatures": "node, state, times, last",
    "days": "node, day, body",
    "logs": "node, log, confirmed, asked, asked_from, asked_to, newest, held, pruned",
}
_REACHED = "moved_to"  # setting of the target: the last key, as JSON
_START = ["", "", 0]
_CHUNK = 2000


def move(source: Address, target: Address, on_progress: Progress = lambda _n: None) -> int:
    """Copy a store. Returns the number of records in it. Raises ToolError."""
    old, _error = open_for_reading(source)
    new = open_database(target)
    try:
        total = _count(old, "records")
        for _attempt in range(2):
            _copy_records(old, new, on_progress)
            if _count(new, "records") >= total:
                break
            _save_reached(new, _START)  # somebody has written to the source since the first part
        for table, columns in _SMALL.items():
            _copy_small(old, new, table, columns)
        found = _count(new, "records")
        if found != total:
            raise ToolError(
                _("{target} has {found} records, {source} has {total}").format(
                    target=target, found=found, source=source, total=total
                ),
                _("Stop every collector of both, then run the same command again."),
            )
        with new.transaction():
            new.execute("DELETE FROM settings WHERE name = ?", (_REACHED,))
        return total
    finally:
        old.close()
        new.close()


def _count(db: Database, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _copy_records(old: Database, new: Database, on_progress: Progress) -> None:
    reached, copied = _reached(new), 0
    places = ", ".join("?" * len(_RECORDS.split(", ")))
    while True:
        rows = old.execute(
            f"SELECT {_RECORDS} FROM records WHERE (node, log, seq) > (?, ?, ?)"
            f" ORDER BY node, log, seq LIMIT {_CHUNK}",
            reached,
        ).fetchall()
        if not rows:
            return
        for month in {str(row[8])[:7] for row in rows}:
            new.prepare(_begin(month))
        reached = list(rows[-1][:3])
        with new.transaction():
            new.executemany(
                f"INSERT INTO records ({_RECORDS}) VALUES ({places}) ON CONFLICT DO NOTHING", rows
            )
            _save_reached(new, reached)
        copied += len(rows)
        on_progress(copied)


def _begin(month: str) -> float:
    """The second day of a month, unix seconds."""
    return datetime.fromisoformat(f"{month}-02T00:00:00Z").timestamp()


def _reached(db: Database) -> list[object]:
    row = db.execute("SELECT value FROM settings WHERE name = ?", (_REACHED,)).fetchone()
    found: list[object] = json.loads(row[0]) if row else _START
    return found


def _save_reached(db: Database, key: list[object]) -> None:
    db.execute(
        "INSERT INTO settings VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_REACHED, json.dumps(key)),
    )


def _copy_small(old: Database, new: Database, table: str, columns: str) -> None:
    rows = old.execute(f"SELECT {columns} FROM {table}").fetchall()
    places = ", ".join("?" * len(columns.split(", ")))
    with new.transaction():
        new.execute(f"DELETE FROM {table}")
        new.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)
