"""`tallypost pages`: the public pages of a city, from the database of `tallypost listen`."""

from __future__ import annotations

import argparse
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tallypost import console
from tallypost.backend.figures.records import Records
from tallypost.backend.pages import theme
from tallypost.backend.pages.writer import write
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import _
from tallypost.sites import site


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--database", "--db", type=Path, default=Path("tallypost.sqlite"), metavar=_("FILE"),
        help=_("the file of tallypost listen (default: tallypost.sqlite)"),
    )  # fmt: skip
    add("--sites", type=Path, required=True, metavar=_("FILE"), help=_("TOML file of the sites"))
    add("--theme", type=Path, metavar=_("FILE"), help=_("TOML file with name, colours and logo"))
    add("--out", type=Path, required=True, metavar=_("DIR"), help=_("folder for the pages"))
    add(
        "--at", metavar=_("TIME"),
        help=_("show this local time, such as 2026-06-01T14:15 (default: now)"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print one JSON object"))


def run(args: argparse.Namespace) -> int:
    """Write the pages. Raises ToolError."""
    city = site.load(args.sites)
    look = theme.load(args.theme)
    now = moment(args.at, city.timezone) if args.at else time.time()
    source = Records(args.database)
    try:
        written = write(source, city, look, now, args.out)
    finally:
        source.close()
    if args.json:
        console.result_json({"out": str(args.out), "changed": written.changed,
                             "same": len(written.same)})  # fmt: skip
    else:
        text = _("{folder}: {changed} files written, {same} unchanged. Open {start}")
        console.result(
            text.format(
                folder=args.out, changed=len(written.changed), same=len(written.same),
                start=args.out / "index.html",
            )
        )  # fmt: skip
    return 0


def moment(text: str, zone: ZoneInfo) -> float:
    """Unix seconds of a local time. Raises ToolError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ToolError(
            _("'{text}' is not a time").format(text=text),
            _("Write it as 2026-06-01T14:15."), USAGE,
        ) from error  # fmt: skip
    return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
