"""Reads the store: nodes, intervals, the latest of each node, sums by day. Changes nothing.

    with open_reader("tallypost.sqlite") as reader:
        for node in reader.nodes():
            for interval in reader.intervals(node.node, "2026-03-01", "2026-04-01"):
                ...

Times are UTC in RFC 3339, such as `2026-03-02T07:15:00Z`. A range is `first <= start < last`, and
a day `2026-03-02` stands for its begin. An interval whose start is not known is in no range.

Of records that lie inside each other (single ones, and a merged one in the short form of LoRaWAN)
only the outermost is an interval, so no passage counts twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tallypost.backend.stores.spans import DIRECTIONS, Span
from tallypost.faults import ToolError
from tallypost.i18n import _

Body = dict[str, Any]

BEGIN, END = "2000-01-01", "2100-01-01"  # no interval is older or newer
_SINGLE = (
    "SELECT log, seq, seq, start, len, cov, body FROM records r WHERE kind = 'interval'"
    " AND node = ? AND start >= ? AND start < ? AND NOT EXISTS (SELECT 1 FROM short s"
    " WHERE s.node = r.node AND s.log = r.log AND s.kind = 'interval'"
    " AND r.seq BETWEEN s.first AND s.last) ORDER BY start"
)
_MERGED = (
    "SELECT log, first, last, start, len, cov, body FROM short s WHERE kind = 'interval'"
    " AND node = ? AND start >= ? AND start < ? AND NOT EXISTS (SELECT 1 FROM short o"
    " WHERE o.node = s.node AND o.log = s.log AND o.kind = 'interval' AND o.first <= s.first"
    " AND o.last >= s.last AND (o.first < s.first OR o.last > s.last)) ORDER BY start"
)


@dataclass(frozen=True)
class Node:
    """A node that the store knows.

    status: the last one it sent, {} if none. received: when that came, "" if none. logs: by id,
    the number up to which all is confirmed.
    """

    node: str
    status: Body
    received: str
    logs: dict[str, int]


@dataclass(frozen=True)
class Interval:
    """An interval of a node.

    first, last: the numbers it stands for; equal but for the short form of LoRaWAN. start: UTC.
    length, observed: seconds. body: the record as in `schemas/counts.json`. In the short form the
    keys `speed.DIRECTION.hist` and `.n` are missing, and `speed.DIRECTION` may be None.
    """

    node: str
    log: str
    first: int
    last: int
    start: str
    length: int
    observed: int
    body: Body

    @property
    def is_short(self) -> bool:
        """Whether it came in the short form of LoRaWAN, which has no histogram."""
        return "hist" not in (self.body["speed"]["forward"] or {})


class Reader:
    """Reads a store. Use it as a context manager. Raises ToolError if the store cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise ToolError(
                _("{path}: no such file").format(path=path),
                _("Name the file of tallypost listen with --db."),
            )
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._db.close()

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        logs: dict[str, dict[str, int]] = {}
        for node, log, confirmed in self._rows("SELECT node, log, confirmed FROM logs"):
            logs.setdefault(node, {})[log] = confirmed
        rows = self._rows("SELECT node, status, received FROM nodes")
        states = {node: (json.loads(status), received) for node, status, received in rows}
        return [
            Node(node, *states.get(node, ({}, "")), logs.get(node, {}))
            for node in sorted(logs.keys() | states.keys())
        ]

    def intervals(self, node: str, first: str = BEGIN, last: str = END) -> Iterator[Interval]:
        """The intervals of a node that begin in a range, oldest first."""
        rows = [*self._rows(_SINGLE, node, first, last), *self._rows(_MERGED, node, first, last)]
        rows.sort(key=lambda row: (row[3], row[1]))
        for log, low, high, start, length, observed, text in rows:
            body = json.loads(text) | {"start": start}
            yield Interval(node, log, low, high, start, length, observed, body)

    def latest(self, node: str) -> Interval | None:
        """The interval of a node that began last."""
        row = next(self._rows(
            "SELECT max(start) FROM (SELECT max(start) AS start FROM records WHERE node = ?"
            " AND kind = 'interval' UNION ALL SELECT max(start) FROM short WHERE node = ?"
            " AND kind = 'interval') starts", node, node,
        ))  # fmt: skip
        found = self.intervals(node, row[0], row[0] + "~") if row[0] else iter(())
        return next(iter(found), None)

    def days(self, node: str, first: str = BEGIN, last: str = END) -> dict[str, dict[str, Span]]:
        """By day in UTC and direction: the sums over a node's intervals, oldest first."""
        found: dict[str, dict[str, Span]] = {}
        for one in self.intervals(node, first, last):
            day = found.setdefault(one.start[:10], {name: Span() for name in DIRECTIONS})
            for direction, span in day.items():
                span.add(one.length, one.observed, one.body, direction)
        return found

    def config(self, node: str) -> Body | None:
        """The last report `config` of a node, as in `schemas/config.json`."""
        return self._report(node, "config")

    def health(self, node: str) -> Body | None:
        """The last report `health` of a node, as in `schemas/health.json`."""
        return self._report(node, "health")

    def _report(self, node: str, kind: str) -> Body | None:
        for (body,) in self._rows(
            "SELECT body FROM reports WHERE node = ? AND kind = ?", node, kind
        ):
            held: Body = json.loads(body)
            return held
        return None

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        try:
            yield from self._db.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise ToolError(
                _("{path}: the database cannot be used: {reason}").format(
                    path=self._path, reason=error
                ),
                _("Name the file of tallypost listen with --db."),
            ) from error


def open_reader(store: Path | str) -> Reader:
    """Open a store for reading. store: the path of its SQLite file. Raises ToolError."""
    return Reader(Path(store))
