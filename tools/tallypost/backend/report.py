"""`tallypost report`: counts and speeds of a node by hour or day, from the file of `listen`.

Speeds are those of all road users of the hour or day. Histograms add up, percentiles do not, so
v50, v85 and v98 are read from the sum of the histograms (linear inside a bin of 4 km/h). The
counts come with the share of the time that was observed. Nothing is extrapolated. Intervals in the
short form of LoRaWAN are counted, but have no histogram. A note says how many. With `--crowd` the
corrected number of walkers stands beside the counts, never in their place.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from tallypost import console
from tallypost.backend import crowd
from tallypost.backend.crowd import Corrected, Correction
from tallypost.backend.stores.access import Address, add_option
from tallypost.backend.stores.days import add
from tallypost.backend.stores.reading import Interval, open_reader
from tallypost.backend.stores.spans import DIRECTIONS, SHARES, Span
from tallypost.faults import ToolError
from tallypost.i18n import N_, _, decimal, ngettext

_HOUR_CHARS = 13  # of 2026-03-02T07:15:00Z
_DAY_CHARS = 10
_SPANS = (N_("day"), N_("hour"))

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add_option(verb)
    add("--node", required=True, metavar="ID", help=_("node id"))
    add(
        "--by",
        choices=_SPANS,
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
    found = spans(args.db, args.node, days, args.by)
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
    if correction:
        sums = corrected(args.db, args.node, days, args.by, correction)
        for row in rows:
            row["corrected"] = sums[row["start"], row["direction"]].as_dict()
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
    address: Address, node: str, days: tuple[str, str], by: str
) -> list[tuple[tuple[str, str], Span]]:
    """((start, direction), span), oldest first. Raises ToolError."""
    with open_reader(address) as reader:
        if by == "day":
            found = reader.days(node, *days)
        else:
            found = _hours(reader.intervals(node, *days))
        if short := reader.count_short(node, *days):
            text = ngettext(
                "{n} interval in the short form of LoRaWAN has no histogram",
                "{n} intervals in the short form of LoRaWAN have no histogram",
                short,
            )
            console.note(text.format(n=short))
    return [
        ((start, direction), span)
        for start, both in found.items()
        for direction, span in both.items()
    ]


def _hours(intervals: Iterable[Interval]) -> dict[str, dict[str, Span]]:
    """By hour and direction: the sums over intervals."""
    found: dict[str, dict[str, Span]] = {}
    for one in intervals:
        hour = found.setdefault(one.start[:_HOUR_CHARS], {name: Span() for name in DIRECTIONS})
        add(hour, one.length, one.observed, one.body, one.bin_kmh)
    return found


def corrected(
    address: Address, node: str, days: tuple[str, str], by: str, correction: Correction
) -> dict[tuple[str, str], Corrected]:
    """Walkers by (start, direction), corrected interval by interval. Raises ToolError."""
    found: dict[tuple[str, str], Corrected] = {}
    with open_reader(address) as reader:
        for one in reader.intervals(node, *days):
            counted = [sum(one.body["counts"][name].values()) for name in DIRECTIONS]
            for direction, count in zip(DIRECTIONS, counted, strict=True):
                start = one.start[: _DAY_CHARS if by == "day" else _HOUR_CHARS]
                into = found.setdefault((start, direction), Corrected())
                if one.observed:
                    correction.add(into, count, sum(counted) * 3600 / one.observed)
    return found


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
