"""The rows of an export: one for each span and direction of a site.

COLUMNS is the only table of the columns. CSV, JSON, Parquet and the descriptions beside them are
made from it, so a column that is added here appears in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.backend.figures.spans import local
from tallypost.backend.figures.sums import Figures, Lane
from tallypost.backend.stores.spans import BIN_KMH, DIRECTIONS
from tallypost.sites.rules import CLASSES

Row = dict[str, Any]
BOTH = "both"  # of a detector that does not tell directions apart


class Entry(NamedTuple):
    """What a value of a row is made from."""

    figures: SiteFigures
    span: Figures
    direction: str


class Column(NamedTuple):
    """kind: `string`, `datetime`, `integer` or `number`. about: meaning and unit."""

    name: str
    kind: str
    about: str
    value: Callable[[Entry], Any]


def _lane(entry: Entry) -> Lane:
    return entry.span.both() if entry.direction == BOTH else entry.span.lanes[entry.direction]


def _time(utc: int, entry: Entry) -> str:
    return local(utc, entry.figures.zone).isoformat()


def _count(name: str) -> Callable[[Entry], int | None]:
    return lambda entry: (
        entry.span.count(name, entry.direction.replace(BOTH, ""))
        if name in entry.span.classes
        else None
    )


def _speed(name: str) -> Callable[[Entry], float | None]:
    return lambda entry: _lane(entry).percentile(name)


def _histogram(entry: Entry) -> str | None:
    if not entry.span.is_counted:
        return None
    bins = sorted(_lane(entry).bins.items())
    return " ".join(f"{i * BIN_KMH}:{n}" for i, n in bins)


COLUMNS = (
    Column("site", "string", "id of the site", lambda e: e.figures.site.key),
    Column(
        "start", "datetime", "start of the span, local time with its offset from UTC",
        lambda e: _time(e.span.first, e),
    ),
    Column(
        "end", "datetime", "end of the span, not included", lambda e: _time(e.span.last, e)
    ),
    Column(
        "expected_s", "integer", "seconds of the span in which a node hung there, up to now",
        lambda e: e.span.expected_s,
    ),
    Column(
        "observed_s", "integer", "seconds in which it could count; 0 = nothing is known",
        lambda e: e.span.observed_s,
    ),
    Column(
        "direction", "string", "forward or backward, see the site; both = not told apart",
        lambda e: e.direction,
    ),
    *(
        Column(
            name, "integer", f"road users of the class {name}; empty = not observed, or not of"
            " this site", _count(name),
        )
        for name in CLASSES
    ),
    Column(
        "speeds", "integer", "single speeds behind the figures below",
        lambda e: _lane(e).speeds if e.span.is_counted else None,
    ),
    Column(
        "mean_kmh", "number", "mean speed in km/h", lambda e: _lane(e).mean
    ),
    *(
        Column(
            f"{name}_kmh", "number",
            f"{name[1:]} of 100 road users had at most this speed, km/h; empty = too few speeds",
            _speed(name),
        )
        for name in ("v50", "v85", "v98")
    ),
    Column(
        "speed_hist", "string",
        f"speeds as FROM:NUMBER, in bins of {BIN_KMH} km/h; add them up for longer spans",
        _histogram,
    ),
)  # fmt: skip


def rows(figures: SiteFigures, step: str, first: date, last: date) -> list[Row]:
    """The rows of days. Spans without a node, and those that have not begun, are left out."""
    directions = DIRECTIONS if figures.site.has_directions else (BOTH,)
    found = []
    for span in figures.of_days(step, first, last):
        if span.state != "none":
            found += [_row(Entry(figures, span, direction)) for direction in directions]
    return found


def _row(entry: Entry) -> Row:
    return {column.name: column.value(entry) for column in COLUMNS}
