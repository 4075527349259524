"""How much of the backend a node may use: messages, records, and space for refused messages.

A node that works never reaches a limit. One that is faulty or hostile takes neither the disk nor
the time of the others. All limits of the kind are in this file.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from tallypost.backend.layout import rfc3339

NODES_MAX = 100_000
LOGS_MAX = 256  # of a node; a log begins when its flash is erased
CLAIMS_MAX = 2000  # ranges of a log that are gone; a node has one for each damaged place
WAITING_MAX = 1000  # frames of a node whose log is not known; 10 days of them
MESSAGES_PER_S = 10.0  # of a node, in the long run; a node sends 5 while it has a backlog
MESSAGES_BURST = 5000.0  # a broker may hold as many for a backend that was away
RECORDS_PER_S = 2.0  # new ones of a node, in the long run
RECORDS_BURST = 200_000.0  # 90 days of intervals of 1 min are 130,000

KEPT_BYTES_MAX = 8 * 1024  # of a message; those of a node have 4 KB
TOPIC_CHARS_MAX = 200
NODE_ROWS_MAX = 500
NODE_BYTES_MAX = 1024 * 1024
NODE_ROWS_AN_HOUR_MAX = 200  # more are counted and not written: a write waits for the disk
ALL_ROWS_MAX = 50_000
ALL_BYTES_MAX = 64 * 1024 * 1024
AGE_MAX_S = 90 * 86_400.0
_SWEEP_S = 60.0  # between two looks at the limits of all nodes and of age
_HOUR_S = 3600.0


class Budget:
    """Counts the use by each node. rate: how much a second. burst: how much after a long rest."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}  # by node: unix seconds, what is left

    def spend(self, node: str, utc: float, amount: int = 1) -> bool:
        """Spend the amount if the node has it. With 0: whether anything is left."""
        when, left = self._left.get(node, (utc, self._burst))
        left = min(self._burst, left + self._rate * max(0.0, utc - when))
        if left < max(amount, 1):
            return False
        if node not in self._left and len(self._left) >= NODES_MAX:
            self._left.clear()  # names without end: nobody keeps an account
        self._left[node] = utc, left - amount
        return True


@dataclass
class _Hour:
    """Refused messages of a node since `begin`, unix seconds. uncounted: not yet in the file."""

    begin: float
    rows: int = 0
    uncounted: int = 0
    last: float = 0.0

    def count(self, utc: float) -> None:
        self.uncounted += 1
        self.last = utc


@dataclass
class Quarantine:
    """Keeps refused messages. Each limit drops the oldest first, and counts them.

    The same message, refused again for the same reason, takes no second row. db: the file of the
    backend. The caller commits.
    """

    db: sqlite3.Connection
    _hours: dict[str, _Hour] = field(default_factory=dict)  # by node
    _swept: float = 0.0

    def keep(self, node: str, topic: str, payload: bytes, utc: float, reason: str) -> bool:
        """Keep a refused message. False if it is only counted.

        node: a node that the file knows, or "": all others share one limit.
        """
        hour = self._hours.get(node)
        if hour is None or not 0 <= utc - hour.begin < _HOUR_S:
            self._write_count(node)
            hour = self._hours[node] = _Hour(utc)
        if hour.rows >= NODE_ROWS_AN_HOUR_MAX:
            hour.count(utc)
            if not 0 <= utc - self._swept < _SWEEP_S:
                self._sweep(utc)
            return False
        hour.rows += 1
        topic, payload = topic[:TOPIC_CHARS_MAX], payload[:KEPT_BYTES_MAX]
        if not self._is_repeated(node, topic, payload, utc, reason):
            now = rfc3339(utc)
            self.db.execute(
                "INSERT INTO quarantine (received, topic, payload, reason, node, last)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (now, topic, payload, reason, node, now),
            )
            self._limit(node, utc)
        if not 0 <= utc - self._swept < _SWEEP_S:
            self._sweep(utc)
        return True

    def count(self, node: str, utc: float) -> None:
        """Count a message that is refused without a look at it."""
        self._hours.setdefault(node, _Hour(utc)).count(utc)

    def dropped(self, node: str | None = None) -> int:
        """How many refused messages are not kept: those of a node, or of all."""
        where, values = ("", ()) if node is None else (" WHERE node = ?", (node,))
        row = self.db.execute(f"SELECT sum(times) FROM dropped{where}", values).fetchone()
        hours = self._hours if node is None else {node: self._hours.get(node, _Hour(0))}
        return int(row[0] or 0) + sum(hour.uncounted for hour in hours.values())

    def flush(self) -> None:
        """Write the counts of messages that are not kept."""
        for node in self._hours:
            self._write_count(node)

    def _is_repeated(self, node: str, topic: str, payload: bytes, utc: float, why: str) -> bool:
        found = self.db.execute(
            "UPDATE quarantine SET times = times + 1, last = ? WHERE rowid = (SELECT rowid"
            " FROM quarantine WHERE node = ? AND reason = ? AND topic = ? AND payload = ?)",
            (rfc3339(utc), node, why, topic, payload),
        )
        return found.rowcount > 0

    def _write_count(self, node: str) -> None:
        hour = self._hours.get(node)
        if hour and hour.uncounted:
            self._note_dropped(node, hour.uncounted, hour.last)
            hour.uncounted = 0

    def _note_dropped(self, node: str, times: int, utc: float) -> None:
        self.db.execute(
            "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET times = times + excluded.times, last = excluded.last",
            (node, times, rfc3339(utc)),
        )

    def _limit(self, node: str, utc: float) -> None:
        """Drop the oldest rows of a node that are beyond its limits."""
        self._drop("WHERE node = ?", (node,), NODE_ROWS_MAX, NODE_BYTES_MAX, utc)

    def _sweep(self, utc: float) -> None:
        """Apply the limits of all nodes and of age, and write the counts."""
        self._swept = utc
        old = "WHERE last < ?", (rfc3339(max(0.0, utc - AGE_MAX_S)),)
        self._drop(*old, 0, 0, utc)
        self._drop("", (), ALL_ROWS_MAX, ALL_BYTES_MAX, utc)
        self.flush()

    def _drop(
        self, where: str, values: tuple[str, ...], rows: int, size: int, utc: float
    ) -> None:  # fmt: skip
        """Drop the oldest of these rows until `rows` and `size` bytes are kept at most."""
        listed = (
            "SELECT rowid, node, times, row_number() OVER newest AS n, sum(length(payload))"
            f" OVER newest AS total FROM quarantine {where} WINDOW newest AS"
            " (ORDER BY rowid DESC ROWS UNBOUNDED PRECEDING)"
        )
        beyond = self.db.execute(
            f"SELECT rowid, node, times FROM ({listed}) WHERE n > ? OR total > ?",
            (*values, rows, size),
        ).fetchall()
        for row, node, times in beyond:
            self.db.execute("DELETE FROM quarantine WHERE rowid = ?", (row,))
            self._note_dropped(node or "", times, utc)
