"""`tallypost report`: counts and speeds of a node by hour or day, from the file of `listen`.

Speeds are those of all road users of the hour or day. Histograms add up, percentiles do not, so
v50, v85 and v98 are read from the sum of the histograms (linear inside a bin of 4 km/h). The
counts come with the share of the time that was observed. Nothing is extrapolated. Intervals in the
short form of LoRaWAN have no histogram. They are left out, and a note says how many. With
`--crowd` the corrected number of walkers stands beside the counts, never in their place.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend import crowd
from tallypost.backend.crowd import Corrected, Correction
from tallypost.faults import ToolError
from tallypost.i18n import N_, _, decimal, ngettext

DIRECTIONS = ("forward", "backward")
BIN_KMH = 4
OPEN_BIN = 31  # 124 km/h and more
SHARES = {"v50": 0.50, "v85": 0.85, "v98": 0.98}
_DIGITS = {N_("hour"): 13, N_("day"): 10}  # of 2026-03-02T07:15:00Z
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
    corrected: Corrected = field(default_factory=Corrected)

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
    """A percentile in km/h, None without speeds. In the last bin, an open one: its lower edge."""
    rank, below = share * bins.total(), 0
    for i, count in sorted(bins.items()):
        if count and below + count >= rank:
            inside = 0.0 if i == OPEN_BIN else (rank - below) / count
            return round(BIN_KMH * (i + inside), 1)
        below += count
    return None


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--db",
        type=Path,
        default=Path("tallypost.sqlite"),
        metavar=_("FILE"),
        help=_("SQLite file (default: tallypost.sqlite)"),
    )
    add("--node", required=True, metavar="ID", help=_("node id"))
    add(
        "--by",
        choices=sorted(_DIGITS),
        default="hour",
        help=_("one row for each hour or day (default: hour)"),
    )
    add(
        "--from",
        dest="first",
        default="2000-01-01",
        metavar=_("DATE"),
        help=_("first day, UTC, such as 2026-03-02"),
    )
    add(
        "--to",
        dest="last",
        default="2100-01-01",
        metavar=_("DATE"),
        help=_("day after the last one, UTC"),
    )
    add("--json", action="store_true", help=_("print one JSON object for each row"))
    _crowd_options(add)


def _crowd_options(add: Callable[..., argparse.Action]) -> None:
    add(
        "--crowd",
        choices=crowd.detectors(),
        metavar=_("DETECTOR"),
        help=_("beside the counts: corrected for walkers that this detector misses in a crowd"),
    )
    add(
        "--groups",
        type=float,
        metavar=_("SHARE"),
        help=_("share of the walkers in groups, 0 .. 0.6, as counted by hand, for --crowd"),
    )


def run(args: argparse.Namespace) -> int:
    """Show the rows. Raises ToolError."""
    for name in ("first", "last"):
        _check_date(getattr(args, name))
    correction = _correction(args.crowd, args.groups)
    days = args.first, args.last
    found = spans(args.db, args.node, days, args.by, correction)
    if not found:
        raise ToolError(
            _("{path}: there is no interval of {node} from {first} to {last}").format(
                path=args.db, node=args.node, first=args.first, last=args.last
            ),
            _("Check --node and the dates. To fill the file, run: tallypost listen"),
        )
    rows = [
        {"start": start, "direction": direction, **span.as_dict()}
        | ({"corrected": span.corrected.as_dict()} if correction else {})
        for (start, direction), span in found
    ]
    if args.json:
        for row in rows:
            console.result_json(row)
    else:
        show(args.node, args.by, rows)
    return 0


def _correction(detector: str | None, groups: float | None) -> Correction | None:
    if groups is not None and (not detector or not 0 <= groups <= 0.6):
        raise ToolError(
            _("--groups {groups:g} cannot be used").format(groups=groups),
            _("Give a share within 0 .. 0.6, and the detector with --crowd."),
        )
    return Correction(detector, groups) if detector else None


def _check_date(text: str) -> None:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ToolError(
            _("'{text}' is not a date").format(text=text), _("Write it as YYYY-MM-DD, UTC.")
        ) from error


def spans(
    path: Path,
    node: str,
    days: tuple[str, str],
    by: str,
    correction: Correction | None = None,
) -> list[tuple[tuple[str, str], Span]]:
    """((start, direction), span), oldest first. Raises ToolError."""
    found: dict[tuple[str, str], Span] = {}
    for start, length, observed, body in _intervals(path, node, days):
        counted = [sum(body["counts"][direction].values()) for direction in DIRECTIONS]
        for direction, count in zip(DIRECTIONS, counted):
            span = found.setdefault((start[: _DIGITS[by]], direction), Span())
            span.add(length, observed, body, direction)
            if correction and observed:
                correction.add(span.corrected, count, sum(counted) * 3600 / observed)
    return list(found.items())


def _intervals(
    path: Path, node: str, days: tuple[str, str]
) -> Iterator[tuple[str, int, int, Body]]:
    if not path.is_file():
        raise ToolError(
            _("{path}: no such file").format(path=path),
            _("Name the file of tallypost listen with --db."),
        )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            for start, length, observed, body in db.execute(_QUERY, (node, *days)):
                yield start, length, observed, json.loads(body)
            short = db.execute(_SHORT, (node, *days)).fetchone()[0]
            if short:
                text = ngettext(
                    "{n} interval in the short form of LoRaWAN is not included",
                    "{n} intervals in the short form of LoRaWAN are not included",
                    short,
                )
                console.note(text.format(n=short))
    except sqlite3.DatabaseError as error:
        raise ToolError(
            _("{path}: the database cannot be used: {reason}").format(path=path, reason=error),
            _("Name the file of tallypost listen with --db."),
        ) from error


def show(node: str, by: str, rows: list[Body]) -> None:
    """Print the rows as a table with a column for every class that was counted."""
    classes = [name for name in dict.fromkeys(n for row in rows for n in row["counts"])
               if any(row["counts"].get(name) for row in rows)]  # fmt: skip
    numbers = (_("observed"), *map(_, classes), _("mean"), "v50", "v85", "v98", _("headway"))
    table = [
        (
            row["start"], _(row["direction"]), _percent(row["observed"]),
            *(str(row["counts"].get(name, 0)) for name in classes),
            *(_shown(row[name]) for name in ("mean", *SHARES, "headway")),
        )
        for row in rows
    ]  # fmt: skip
    if "corrected" in rows[0]:
        numbers += (_("corrected"),)
        table = [(*line, _range(row["corrected"])) for line, row in zip(table, rows)]
    columns = (_(by), _("direction"), *(f">{name}" for name in numbers))
    console.table(_("{node}, UTC, km/h, s").format(node=node), columns, table)


def _range(corrected: dict[str, int] | None) -> str:
    return "{value} ({low}-{high})".format_map(corrected) if corrected else "-"


def _percent(share: float) -> str:
    return _("{n}%").format(n=decimal(100 * share, 1))


def _shown(value: float | None) -> str:
    return "-" if value is None else decimal(value, 1)
