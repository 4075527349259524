"""Refused messages: kept with the reason, within limits by node, size and age (limits.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

from tallypost.backend import limits
from tallypost.backend.stores.database import Database, rfc3339

_SWEEP_S = 60.0  # between two looks at the limits of all nodes and of age
_HOUR_S = 3600.0


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

    db: Database
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
        if hour.rows >= limits.NODE_ROWS_AN_HOUR_MAX:
            hour.count(utc)
            if not 0 <= utc - self._swept < _SWEEP_S:
                self._sweep(utc)
            return False
        hour.rows += 1
        topic = _stored(topic[: limits.TOPIC_CHARS_MAX])
        reason, payload = _stored(reason), payload[: limits.KEPT_BYTES_MAX]
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
            "UPDATE quarantine SET times = times + 1, last = ? WHERE id = (SELECT id"
            " FROM quarantine WHERE node = ? AND reason = ? AND topic = ? AND payload = ?"
            " LIMIT 1)",
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
            "INSERT INTO dropped VALUES (?, ?, ?) ON CONFLICT (node) DO UPDATE"
            " SET times = dropped.times + excluded.times, last = excluded.last",
            (node, times, rfc3339(utc)),
        )

    def _limit(self, node: str, utc: float) -> None:
        """Drop the oldest rows of a node that are beyond its limits."""
        self._drop("WHERE node = ?", (node,), limits.NODE_ROWS_MAX, limits.NODE_BYTES_MAX, utc)

    def _sweep(self, utc: float) -> None:
        """Apply the limits of all nodes and of age, and write the counts."""
        self._swept = utc
        old = "WHERE last < ?", (rfc3339(max(0.0, utc - limits.AGE_MAX_S)),)
        self._drop(*old, 0, 0, utc)
        self._drop("", (), limits.ALL_ROWS_MAX, limits.ALL_BYTES_MAX, utc)
        self.flush()

    def _drop(
        self, where: str, values: tuple[str, ...], rows: int, size: int, utc: float
    ) -> None:  # fmt: skip
        """Drop the oldest of these rows until `rows` and `size` bytes are kept at most."""
        listed = (
            "SELECT id, node, times, row_number() OVER newest AS n, sum(length(payload))"
            f" OVER newest AS total FROM quarantine {where} WINDOW newest AS"
            " (ORDER BY id DESC ROWS UNBOUNDED PRECEDING)"
        )
        beyond = self.db.execute(
            f"SELECT id, node, times FROM ({listed}) AS kept WHERE n > ? OR total > ?",
            (*values, rows, size),
        ).fetchall()
        for row, node, times in beyond:
            self.db.execute("DELETE FROM quarantine WHERE id = ?", (row,))
            self._note_dropped(node or "", times, utc)


def _stored(text: str) -> str:
    """A text that every database takes: without half characters and zero bytes."""
    return text.encode(errors="replace").decode().replace("\0", "?")
