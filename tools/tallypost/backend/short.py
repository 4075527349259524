"""Records in the short form of LoRaWAN. One record may stand for several sequence numbers.

A merged interval and single ones of the same hour may both arrive, over one link or two. The view
`counts` uses the outermost of the records that lie inside each other. When all single records are
held, the merged one is dropped. So no passage counts twice, and none is missing in between.
"""

from __future__ import annotations

import json

from tallypost.backend.store import Body, Conflict, Key, Store, rfc3339

Frame = tuple[int, bytes, float]  # port, payload, unix seconds


class ShortStore(Store):
    """The SQLite file with the operations for LoRaWAN."""

    def add(self, key: Key, kind: str, body: Body, utc: float) -> bool:
        """Store a short record. False if it adds nothing. Raises Conflict."""
        last = int(body["seq"])
        first = int(body.get("first", last))
        if self._same(key, first, last, body) or self._is_held(key, first, last):
            return False
        if self._overlaps_partly(key, first, last):
            raise Conflict(f"{first}..{last} of log {key[1]} overlaps with other merged records")
        row = (*key, first, last, kind, body.get("start"), body.get("len"), body.get("cov"))
        self._db.execute(
            "INSERT INTO short VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, json.dumps(body), rfc3339(utc)),
        )
        self.drop_covered(key, last)
        return True

    def _is_held(self, key: Key, first: int, last: int) -> bool:
        return self.numbers_held(key, first, last) == set(range(first, last + 1))

    def _same(self, key: Key, first: int, last: int, body: Body) -> bool:
        """Whether the same record is held. Raises Conflict if it has other counts."""
        row = self._db.execute(
            "SELECT body FROM short WHERE node = ? AND log = ? AND first = ? AND last = ?",
            (*key, first, last),
        ).fetchone()
        if row and json.loads(row[0]).get("counts") != body.get("counts"):
            raise Conflict(f"{first}..{last} of log {key[1]} is held with other counts")
        return row is not None

    def _overlaps_partly(self, key: Key, first: int, last: int) -> bool:
        """Whether a held range overlaps this one without one being inside the other."""
        row = self._db.execute(
            "SELECT 1 FROM short WHERE node = ? AND log = ? AND first <= ? AND last >= ?"
            " AND NOT (first >= ? AND last <= ?) AND NOT (first <= ? AND last >= ?)",
            (*key, last, first, first, last, first, last),
        ).fetchone()
        return row is not None

    # --- half a log id

    def log_named(self, node: str, half: str) -> str | None:
        """The newest log of a node with an id that ends like this."""
        row = self._db.execute(
            "SELECT log FROM logs WHERE node = ? AND log LIKE ? ORDER BY confirmed DESC",
            (node, "____" + half),
        ).fetchone()
        return str(row[0]) if row else None

    def add_log(self, key: Key) -> None:
        self._db.execute("INSERT OR IGNORE INTO logs (node, log) VALUES (?, ?)", key)

    def defer(self, node: str, half: str, frame: Frame) -> None:
        """Keep a frame until the full id of its log is known."""
        self._db.execute(
            "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?)", (node, half, *frame)
        )

    def pop_waiting(self, node: str, half: str) -> list[Frame]:
        """Remove the frames that waited for this log. Returns them in order of arrival."""
        rows = self._db.execute(
            "SELECT port, payload, received FROM waiting WHERE node = ? AND log = ?"
            " ORDER BY received",
            (node, half),
        ).fetchall()
        self._db.execute("DELETE FROM waiting WHERE node = ? AND log = ?", (node, half))
        return rows
