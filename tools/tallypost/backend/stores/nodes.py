"""The nodes that a store knows: their last reports, and the states of their signatures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tallypost.backend.limits import NODES_MAX
from tallypost.backend.stores.database import Body, Database, rfc3339
from tallypost.backend.stores.records import compact


class Nodes:
    """The part of a store about nodes."""

    _db: Database
    _count = -1  # of known nodes; counted when it matters

    def is_known(self, node: str) -> bool:
        """Whether the store holds anything of a node."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM nodes WHERE node = ?)"
            " + (SELECT count(*) FROM logs WHERE node = ?)",
            (node, node),
        ).fetchone()
        return bool(row[0])

    def admit(self, node: str) -> bool:
        """Whether the store knows the node, or has room for another one."""
        if self.is_known(node):
            return True
        if self._count < 0:
            self._count = self._db.execute(
                "SELECT count(*) FROM (SELECT node FROM nodes UNION SELECT node FROM logs) AS n"
            ).fetchone()[0]
        self._count += 1
        return self._count <= NODES_MAX

    def note_status(self, node: str, body: Body, utc: float) -> None:
        self._db.execute(
            "INSERT INTO nodes VALUES (?, ?, ?) ON CONFLICT (node) DO UPDATE"
            " SET status = excluded.status, received = excluded.received",
            (node, compact(body), rfc3339(utc)),
        )

    def note_report(self, node: str, kind: str, body: Body, utc: float) -> None:
        """Keep the last report of a kind: `health`, `config` or `reply`."""
        self._db.execute(
            "INSERT INTO reports VALUES (?, ?, ?, ?) ON CONFLICT (node, kind) DO UPDATE"
            " SET body = excluded.body, received = excluded.received",
            (node, kind, compact(body), rfc3339(utc)),
        )

    def note_signatures(self, states: Mapping[tuple[str, str], int], utc: float) -> None:
        """Count records by node and state of their signature."""
        for (node, state), n in sorted(Counter(states).items()):
            self._db.execute(
                "INSERT INTO signatures VALUES (?, ?, ?, ?) ON CONFLICT (node, state) DO UPDATE"
                " SET times = signatures.times + excluded.times, last = excluded.last",
                (node, state, n, rfc3339(utc)),
            )
