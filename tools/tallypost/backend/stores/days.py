"""Sums by day (UTC), so that a report over a year does not read every interval.

A transaction that changes the intervals of a day empties its sum. `summarise` sums up again, while
the collector has nothing else to do. A reader sums up the days without a sum by itself.
"""

from __future__ import annotations

import json

from tallypost.backend.stores.database import Body, Database
from tallypost.backend.stores.spans import DIRECTIONS, Span

PRUNED_BEFORE = "pruned_before"  # setting: the records of the days before it are deleted
_EMPTY = (
    "INSERT INTO days VALUES (?, ?, '') ON CONFLICT (node, day) DO UPDATE SET body = ''"
    " WHERE days.body <> '' AND days.day >= coalesce("
    f"(SELECT value FROM settings WHERE name = '{PRUNED_BEFORE}'), '')"
)
SINGLE = (
    "SELECT log, seq, seq, start, len, cov, body, bin_kmh FROM records r WHERE kind = 'interval'"
    " AND node = ? AND start >= ? AND start < ? AND NOT EXISTS (SELECT 1 FROM short s"
    " WHERE s.node = r.node AND s.log = r.log AND s.kind = 'interval'"
    " AND r.seq BETWEEN s.first AND s.last)"
)
MERGED = (
    "SELECT log, first, last, start, len, cov, body, NULL FROM short s WHERE kind = 'interval'"
    " AND node = ? AND start >= ? AND start < ? AND NOT EXISTS (SELECT 1 FROM short o"
    " WHERE o.node = s.node AND o.log = s.log AND o.kind = 'interval' AND o.first <= s.first"
    " AND o.last >= s.last AND (o.first < s.first OR o.last > s.last))"
)


class Days:
    """The part of a store about sums by day."""

    _db: Database
    _touched: set[tuple[str, str]]

    def _mark_days(self) -> None:
        """Empty the sums of the days that this transaction has changed."""
        if self._touched:
            self._db.executemany(_EMPTY, sorted(self._touched))
            self._touched.clear()

    def summarise(self, before: str, days_max: int = 20) -> int:
        """Sum up some days before a day. Returns how many: 0 if there is nothing left to do."""
        with self._db.transaction():
            rows = self._db.execute(
                "SELECT node, day FROM days WHERE body = '' AND day < ? ORDER BY node, day"
                f" LIMIT ?{self._db.for_update}",
                (before, days_max),
            ).fetchall()
            for node, day in rows:
                found = sums(self._db, node, day)
                text = json.dumps({name: span.packed() for name, span in found.items()})
                self._db.execute(
                    "UPDATE days SET body = ? WHERE node = ? AND day = ?", (text, node, day)
                )
        return len(rows)


def sums(db: Database, node: str, day: str) -> dict[str, Span]:
    """By direction: the sums over a node's intervals of a day, read one by one."""
    found = {name: Span() for name in DIRECTIONS}
    limits = (node, day, day + "~")  # every time of the day is in between
    for query in (SINGLE, MERGED):
        for row in db.execute(query, limits).fetchall():
            add(found, row[4], row[5], json.loads(row[6]), row[7])
    return found


def add(
    found: dict[str, Span], length: int, observed: int, body: Body, bin_kmh: int | None
) -> None:
    """Add an interval to the sums of its day."""
    for direction, span in found.items():
        span.add(length, observed, body, direction, bin_kmh)


def unpacked(text: str) -> dict[str, Span]:
    """The sums of a day as `summarise` wrote them."""
    return {name: Span.of_packed(values) for name, values in json.loads(text).items()}
