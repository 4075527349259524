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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from tallypost.backend.stores.access import open_for_reading
from tallypost.backend.stores.days import MERGED, SINGLE, add, unpacked
from tallypost.backend.stores.spans import BIN_KMH, DIRECTIONS, Span
from tallypost.faults import ToolError
from tallypost.i18n import _

Body = dict[str, Any]
Day = tuple[str, str, dict[str, Span]]  # node, day, sums by direction

BEGIN, END = "2000-01-01", "2100-01-01"  # no interval is older or newer


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
    keys `speed.DIRECTION.hist` and `.n` are missing, and `speed.DIRECTION` may be None. bin_kmh:
    width of a bin of `hist`; `spans.rebinned` converts it.
    """

    node: str
    log: str
    first: int
    last: int
    start: str
    length: int
    observed: int
    body: Body
    bin_kmh: int = BIN_KMH

    @property
    def is_short(self) -> bool:
        """Whether it came in the short form of LoRaWAN, which has no histogram."""
        return "hist" not in (self.body["speed"]["forward"] or {})


class Reader:
    """Reads a store. Use it as a context manager. Raises ToolError if the store cannot be read."""

    def __init__(self, address: Path | str) -> None:
        self._db, self._error = open_for_reading(address)
        self._name = address

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
        rows = [row for query in (SINGLE, MERGED) for row in self._rows(query, node, first, last)]
        rows.sort(key=lambda row: (row[3], row[1]))
        for log, low, high, start, length, observed, text, bin_kmh in rows:
            body = orjson.loads(text) | {"start": start}
            yield Interval(node, log, low, high, start, length, observed, body, bin_kmh or BIN_KMH)

    def count_short(self, node: str, first: str = BEGIN, last: str = END) -> int:
        """How many records in the short form of LoRaWAN begin in a range."""
        row = self._rows(
            "SELECT count(*) FROM short WHERE kind = 'interval' AND node = ? AND start >= ?"
            " AND start < ?", node, first, last,
        )[0]  # fmt: skip
        return int(row[0])

    def latest(self, node: str) -> Interval | None:
        """The interval of a node that began last."""
        row = self._rows(
            "SELECT max(start) FROM (SELECT max(start) AS start FROM records WHERE node = ?"
            " AND kind = 'interval' AND start IS NOT NULL UNION ALL SELECT max(start) FROM short"
            " WHERE node = ? AND kind = 'interval') AS starts", node, node,
        )[0]  # fmt: skip
        found = self.intervals(node, row[0], row[0] + "~") if row[0] else iter(())
        return next(iter(found), None)

    def days(self, node: str, first: str = BEGIN, last: str = END) -> dict[str, dict[str, Span]]:
        """By day in UTC and direction: the sums over a node's intervals, oldest first."""
        return {day: spans for _, day, spans in self._days(" AND node = ?", first, last, node)}

    def all_days(self, first: str = BEGIN, last: str = END) -> Iterator[Day]:
        """(node, day, sums by direction) of all nodes, by day and node."""
        return self._days("", first, last)

    def _days(self, where: str, first: str, last: str, *values: str) -> Iterator[Day]:
        """The sums of days. A day that is not summed up yet, or not within the range as a whole,
        is read interval by interval."""
        rows = self._rows(
            f"SELECT node, day, body FROM days WHERE day >= ? AND day < ?{where}"
            " ORDER BY day, node",
            first[:10], last, *values,
        )  # fmt: skip
        for node, day, text in rows:
            begin, end = max(first, day), min(last, day + "~")
            if text and (begin, end) == (day, day + "~"):
                yield node, day, unpacked(text)
            elif found := self._sums(node, begin, end):
                yield node, day, found

    def _sums(self, node: str, first: str, last: str) -> dict[str, Span]:
        found: dict[str, Span] = {}
        for query in (SINGLE, MERGED):
            for row in self._rows(query, node, first, last):
                found = found or {name: Span() for name in DIRECTIONS}
                add(found, row[4], row[5], orjson.loads(row[6]), row[7])
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

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except self._error as error:
            raise ToolError(
                _("{path}: the database cannot be used: {reason}").format(
                    path=self._name, reason=error
                ),
                _("Name the file of tallypost listen with --db."),
            ) from error


def open_reader(store: Path | str) -> Reader:
    """Open a store for reading. store: the path of its SQLite file, or the URL of a database of
    PostgreSQL. Raises ToolError."""
    return Reader(store)
