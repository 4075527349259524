"""`tallypost export`: the figures of a site as a file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from tallypost import console
from tallypost.backend.exports import parquet, plain
from tallypost.backend.exports.rows import Row, rows
from tallypost.backend.figures.records import Records
from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.backend.figures.spans import STEPS
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import _
from tallypost.sites import site as sites
from tallypost.sites.site import City, Site

Writer = Callable[[City, Site, str, list[Row]], str | bytes]
FORMATS: dict[str, Writer] = {
    "csv": lambda _city, _site, _step, found: plain.as_csv(found),
    "json": plain.as_json,
    "geojson": plain.as_geojson,
    "parquet": parquet.as_parquet,
}
DAYS_MAX = 3700


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--database", "--db", type=Path, default=Path("tallypost.sqlite"), metavar=_("FILE"),
        help=_("the file of tallypost listen (default: tallypost.sqlite)"),
    )  # fmt: skip
    add("--sites", type=Path, required=True, metavar=_("FILE"), help=_("TOML file of the sites"))
    add("--site", required=True, metavar="ID", help=_("id of the site"))
    add(
        "--step", choices=STEPS, default="hour", help=_("length of a row (default: hour)")
    )  # fmt: skip
    add("--from", dest="first", required=True, metavar=_("DATE"), help=_("first local day"))
    add("--to", dest="last", required=True, metavar=_("DATE"), help=_("last local day"))
    add("--format", choices=sorted(FORMATS), default="csv", help=_("form (default: csv)"))
    add("--out", type=Path, metavar=_("FILE"), help=_("file (default: standard output)"))


def run(args: argparse.Namespace) -> int:
    """Write the file. Raises ToolError."""
    city = sites.load(args.sites)
    site = city.site(args.site)
    first, last = span_of(args.first, args.last)
    step = allowed_step(city, args.step)
    source = Records(args.database)
    try:
        found = rows(SiteFigures(source, site, city.timezone, time.time()), step, first, last)
    finally:
        source.close()
    content = FORMATS[args.format](city, site, step, found)
    data = content.encode() if isinstance(content, str) else content
    if not args.out:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    try:
        args.out.write_bytes(data)
    except OSError as error:
        raise ToolError(
            f"{args.out}: {os_reason(error)}", _("Name another file with --out.")
        ) from error
    console.result(_("{path}: {n} rows").format(path=args.out, n=len(found)))
    return 0


def span_of(first: str, last: str) -> tuple[date, date]:
    """Two days in their order, not too far apart. Raises ToolError."""
    try:
        days = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise ToolError(
            _("'{text}' is not a date").format(text=f"{first} .. {last}"),
            _("Write it as YYYY-MM-DD."), USAGE,
        ) from error  # fmt: skip
    if not 0 <= (days[1] - days[0]).days <= DAYS_MAX:
        raise ToolError(
            _("{first} to {last} is no span of 1 to {n} days").format(
                first=first, last=last, n=DAYS_MAX
            ),
            _("Write the earlier day first."), USAGE,
        )  # fmt: skip
    return days


def allowed_step(city: City, step: str) -> str:
    """The step, if the city publishes it. Raises ToolError."""
    if step == "15min" and city.finest == "hour":
        raise ToolError(
            _("this city publishes no step shorter than an hour"),
            _("Give --step hour, or change 'finest' in the file of the sites."), USAGE,
        )  # fmt: skip
    return step
