"""`tallypost report`: counts and speeds of a node by hour or day, from what `listen` has stored.

Speeds are of all road users of the hour or day: histograms add up, percentiles do not, so v50, v85
and v98 are read from the sum (linear inside a bin of 4 km/h). What was counted stands beside how
much of the time was observed; nothing is extrapolated. Intervals in the short form of LoRaWAN
hold no histogram: they are not in here, and it is said how many there are.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import ToolError

DIRECTIONS = ("forward", "backward")
BIN_KMH = 4
OPEN_BIN = 31  # 124 km/h and more
SHARES = {"v50": 0.50, "v85": 0.85, "v98": 0.98}
_DIGITS = {"hour": 13, "day": 10}  # of 2026-03-02T07:15:00Z
_SHORT = """SELECT count(*) FROM short
WHERE kind = 'interval' AND node = ? AND start >= ? AND start < ?"""
_QUERY = """SELECT start, len, cov, body FROM records
WHERE kind = 'interval' AND node = ? AND start >= ? AND start < ? ORDER BY start"""

Body = dict[str, Any]


@dataclass
class Span:
    """One direction in an hour or a day. Times in seconds, sums of speeds in km/h."""

    length: int = 0
    observed: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    speeds: int = 0
    speed_sum: float = 0.0
    raw_sum: float = 0.0
    followers: int = 0
    headway_sum: float = 0.0

    def add(self, length: int, observed: int, body: Body, direction: str) -> None:
        self.length += length
        self.observed += observed
        self.classes.update(body["counts"][direction])
        speed = body["speed"][direction]
        if speed["n"]:
            self.speeds += speed["n"]
            self.speed_sum += speed["mean"] * speed["n"]
            self.raw_sum += speed.get("raw", speed["mean"]) * speed["n"]
            self.bins.update(dict(speed["hist"]))
        spacing = body.get("spacing", {}).get(direction, {})
        if spacing.get("headway") is not None:
            self.followers += spacing["n"]
            self.headway_sum += spacing["headway"] * spacing["n"]

    def as_dict(self) -> Body:
        found: Body = {
            "observed": round(self.observed / self.length, 4) if self.length else 0.0,
            "counts": dict(self.classes),
            "mean": _ratio(self.speed_sum, self.speeds),
            "raw": _ratio(self.raw_sum, self.speeds),
            "headway": _ratio(self.headway_sum, self.followers),
        }
        return found | {name: percentile(self.bins, share) for name, share in SHARES.items()}


def _ratio(total: float, n: int) -> float | None:
    return round(total / n, 1) if n else None


def percentile(bins: Counter[int], share: float) -> float | None:
    """km/h; in the last bin, which is open, its lower edge. None without speeds."""
    rank, below = share * bins.total(), 0
    for i, count in sorted(bins.items()):
        if count and below + count >= rank:
            inside = 0.0 if i == OPEN_BIN else (rank - below) / count
            return round(BIN_KMH * (i + inside), 1)
        below += count
    return None


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--db", type=Path, default=Path("tallypost.sqlite"), help="SQLite file (tallypost.sqlite)")
    add("--node", required=True)
    add("--by", choices=sorted(_DIGITS), default="hour", help="what a row is of (hour)")
    add("--from", dest="first", default="2000-01-01", metavar="DATE", help="UTC, 2026-03-02")
    add(
        "--to",
        dest="last",
        default="2100-01-01",
        metavar="DATE",
        help="UTC, this day not included",
    )
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Show the rows; raises ToolError."""
    for name in ("first", "last"):
        _check_date(getattr(args, name))
    rows = spans(args.db, args.node, (args.first, args.last), args.by)
    if not rows:
        raise ToolError(
            f"{args.db}: no interval of {args.node} from {args.first} to {args.last}",
            "tallypost listen fills it; is the node's name right?",
        )
    told = [
        {"start": start, "direction": direction, **span.as_dict()}
        for (start, direction), span in rows
    ]
    if args.json:
        for row in told:
            console.result_json(row)
    else:
        show(args.node, args.by, told)
    return 0


def _check_date(text: str) -> None:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ToolError(f"'{text}' is no date", "wanted YYYY-MM-DD, UTC") from error


def spans(
    path: Path, node: str, days: tuple[str, str], by: str
) -> list[tuple[tuple[str, str], Span]]:
    """((start, direction), what was counted in it), oldest first; raises ToolError."""
    found: dict[tuple[str, str], Span] = {}
    for start, length, observed, body in _intervals(path, node, days):
        for direction in DIRECTIONS:
            span = found.setdefault((start[: _DIGITS[by]], direction), Span())
            span.add(length, observed, body, direction)
    return list(found.items())


def _intervals(
    path: Path, node: str, days: tuple[str, str]
) -> Iterator[tuple[str, int, int, Body]]:
    if not path.is_file():
        raise ToolError(f"{path}: no such file", "tallypost listen --db makes it")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            for start, length, observed, body in db.execute(_QUERY, (node, *days)):
                yield start, length, observed, json.loads(body)
            short = db.execute(_SHORT, (node, *days)).fetchone()[0]
            if short:
                console.note(f"{short} intervals in the short form of LoRaWAN are not in here")
    except sqlite3.DatabaseError as error:
        raise ToolError(f"{path}: {error}", "a file of tallypost listen is wanted") from error


def show(node: str, by: str, rows: list[Body]) -> None:
    """As a table; a column for every class that was counted."""
    classes = [name for name in dict.fromkeys(n for row in rows for n in row["counts"])
               if any(row["counts"].get(name) for row in rows)]  # fmt: skip
    columns = [by, "direction", ">observed", *(f">{name}" for name in classes),
               ">mean", ">v50", ">v85", ">v98", ">headway"]  # fmt: skip
    table = [
        (
            row["start"], row["direction"], f"{row['observed']:.1%}",
            *(str(row["counts"].get(name, 0)) for name in classes),
            *(_shown(row[name]) for name in ("mean", *SHARES, "headway")),
        )
        for row in rows
    ]  # fmt: skip
    console.table(f"{node}, UTC, km/h, s", columns, table)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
