"""Intervals of nodes, read from the file of `tallypost listen`. Only this module here reads it.

The file is opened for reading alone. Intervals in the short form of LoRaWAN are included. They
have no histogram of speeds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tallypost.backend.layout import rfc3339
from tallypost.faults import ToolError
from tallypost.i18n import _

_INTERVALS = """
SELECT start, len, cov, body FROM records r WHERE node = ?1 AND kind = 'interval'
  AND start >= ?2 AND start < ?3 AND NOT EXISTS (
    SELECT 1 FROM short s WHERE s.node = r.node AND s.log = r.log AND s.kind = 'interval'
    AND r.seq BETWEEN s.first AND s.last)
UNION ALL
SELECT start, len, cov, body FROM short s WHERE node = ?1 AND kind = 'interval'
  AND start >= ?2 AND start < ?3 AND NOT EXISTS (
    SELECT 1 FROM short o WHERE o.node = s.node AND o.log = s.log AND o.kind = 'interval'
    AND o.first <= s.first AND o.last >= s.last AND (o.first < s.first OR o.last > s.last))
ORDER BY start"""
_NEWEST = """
SELECT start, len FROM (
  SELECT start, len FROM records WHERE node = ?1 AND kind = 'interval' AND start < ?2
  UNION ALL SELECT start, len FROM short WHERE node = ?1 AND kind = 'interval' AND start < ?2)
ORDER BY start DESC LIMIT 1"""
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """start: unix seconds. length_s, observed_s: seconds, and those in which it could count.

    counts: by direction and class. speed: by direction, with `n`, `mean` and `hist` where known.
    """

    start: int
    length_s: int
    observed_s: int
    counts: dict[str, dict[str, int]]
    speed: dict[str, Body]


class Records:
    """The records of all nodes. path: the file of `tallypost listen`. Raises ToolError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise ToolError(
                _("{path}: no such file").format(path=path),
                _("Name the file of tallypost listen with --database."),
            )
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
        self._rows("SELECT 1 FROM records, short LIMIT 1")

    def close(self) -> None:
        self._db.close()

    def intervals(self, node: str, first: float, last: float) -> Iterator[Interval]:
        """Intervals that start from `first` to before `last`, oldest first. Unix seconds."""
        for start, length, observed, body in self._rows(
            _INTERVALS, node, rfc3339(first), rfc3339(min(last, 2**37))
        ):
            held = json.loads(body)
            speed = held.get("speed") or {}
            yield Interval(unix(start), length, observed, held["counts"], speed)

    def newest(self, node: str, before: float) -> int | None:
        """The end of the newest interval that starts before a time. None without intervals."""
        for start, length in self._rows(_NEWEST, node, rfc3339(before)):
            return unix(start) + int(length)
        return None

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ToolError(
                _("{path}: the database cannot be used: {reason}").format(
                    path=self._path, reason=error
                ),
                _("Name the file of tallypost listen with --database."),
            ) from error


def unix(text: str) -> int:
    """Unix seconds of a start as it is stored."""
    return int(datetime.fromisoformat(text).timestamp())
