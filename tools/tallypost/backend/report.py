"""`tallypost report`: counts and speeds of a node by hour or day, from the file of `listen`.

Speeds are those of all road users of the hour or day. Histograms add up, percentiles do not, so
v50, v85 and v98 are read from the sum of the histograms (linear inside a bin of 4 km/h). The
counts come with the share of the time that was observed. Nothing is extrapolated. Intervals in the
short form of LoRaWAN have no histogram. They are left out, and a note says how many.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend.stores.spans import DIRECTIONS, SHARES, Span
from tallypost.faults import ToolError
from tallypost.i18n import N_, _, decimal, ngettext

_DIGITS = {N_("hour"): 13, N_("day"): 10}  # of 2026-03-02T07:15:00Z
_SHORT = """SELECT count(*) FROM short
WHERE kind = 'interval' AND node = ? AND start >= ? AND start < ?"""
_QUERY = """SELECT start, len, cov, body FROM records
WHERE kind = 'interval' AND node = ? AND start >= ? AND start < ? ORDER BY start"""

Body = dict[str, Any]


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


def run(args: argparse.Namespace) -> int:
    """Show the rows. Raises ToolError."""
    for name in ("first", "last"):
        _check_date(getattr(args, name))
    found = spans(args.db, args.node, (args.first, args.last), args.by)
    if not found:
        raise ToolError(
            _("{path}: there is no interval of {node} from {first} to {last}").format(
                path=args.db, node=args.node, first=args.first, last=args.last
            ),
            _("Check --node and the dates. To fill the file, run: tallypost listen"),
        )
    rows = [
        {"start": start, "direction": direction, **span.as_dict()}
        for (start, direction), span in found
    ]
    if args.json:
        for row in rows:
            console.result_json(row)
    else:
        show(args.node, args.by, rows)
    return 0


def _check_date(text: str) -> None:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ToolError(
            _("'{text}' is not a date").format(text=text), _("Write it as YYYY-MM-DD, UTC.")
        ) from error


def spans(
    path: Path, node: str, days: tuple[str, str], by: str
) -> list[tuple[tuple[str, str], Span]]:
    """((start, direction), span), oldest first. Raises ToolError."""
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
    columns = (_(by), _("direction"), *(f">{name}" for name in numbers))
    console.table(_("{node}, UTC, km/h, s").format(node=node), columns, table)


def _percent(share: float) -> str:
    return _("{n}%").format(n=decimal(100 * share, 1))


def _shown(value: float | None) -> str:
    return "-" if value is None else decimal(value, 1)
