"""Intervals of nodes for the figures of sites. Only this module here knows the store.

It reads through `stores/reading.py`, so the tables below may change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from tallypost.backend.stores import reading

_FAR = 2.0**37  # unix seconds that RFC 3339 can still write
_DAY_S = 86_400
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """start: unix seconds. length_s, observed_s: seconds, and those in which it could count.

    counts: by direction and class. speed: by direction, with `n`, `mean` and `hist` where known.
    The short form of LoRaWAN has no `n` and `hist`.
    """

    start: int
    length_s: int
    observed_s: int
    counts: dict[str, dict[str, int]]
    speed: dict[str, Body]


class Source(Protocol):
    """Where the intervals of nodes come from."""

    def intervals(self, node: str, first: float, last: float) -> Iterator[Interval]: ...

    def newest(self, node: str, before: float) -> int | None: ...


class Records:
    """The records of all nodes. path: the file of `tallypost listen`. Raises ToolError."""

    def __init__(self, path: Path) -> None:
        self._reader = reading.open_reader(path)
        self._reader.nodes()  # a file that cannot be read is named at once

    def close(self) -> None:
        self._reader.__exit__(None, None, None)

    def intervals(self, node: str, first: float, last: float) -> Iterator[Interval]:
        """Intervals that start from `first` to before `last`, oldest first. Unix seconds."""
        for one in self._reader.intervals(node, _text(first), _text(min(last, _FAR))):
            body = one.body
            yield Interval(
                unix(one.start), one.length, one.observed, body["counts"], body.get("speed") or {}
            )

    def newest(self, node: str, before: float) -> int | None:
        """The end of the newest interval that starts before a time, None if there is none.

        Of intervals before the newest one of all, only those of the last day are looked at.
        """
        latest = self._reader.latest(node)
        if latest is None:
            return None
        if unix(latest.start) < before:
            return unix(latest.start) + latest.length
        ends = [o.start + o.length_s for o in self.intervals(node, before - _DAY_S, before)]
        return ends[-1] if ends else None


class Kept:
    """A source that reads the intervals of a node once, from `first` to before `last`.

    The pages of a site and its downloads ask for the same intervals several times.
    """

    def __init__(self, source: Source, first: float, last: float) -> None:
        self._source, self._first, self._last = source, first, last
        self._held: dict[str, list[Interval]] = {}

    def intervals(self, node: str, first: float, last: float) -> Iterator[Interval]:
        """As `Records.intervals`."""
        if first < self._first or last > self._last:
            return self._source.intervals(node, first, last)
        if node not in self._held:
            self._held[node] = list(self._source.intervals(node, self._first, self._last))
        held = self._held[node]
        low, high = (bisect_left(held, when, key=_start) for when in (first, last))
        return iter(held[low:high])

    def newest(self, node: str, before: float) -> int | None:
        """As `Records.newest`."""
        return self._source.newest(node, before)


def _start(interval: Interval) -> int:
    return interval.start


def unix(text: str) -> int:
    """Unix seconds of a start as it is stored."""
    return int(datetime.fromisoformat(text).timestamp())


def _text(utc: float) -> str:
    """Unix seconds as a start is stored."""
    return datetime.fromtimestamp(int(utc), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
