"""`tallypost truth`: the tally sheet for a phone, one page that works without a network.

The page has START, STOP and a button for each direction and class, in English and German. It
writes a CSV file:

    # tallypost truth 1
    # started: 2026-03-02T07:00:00.000Z
    # stopped: 2026-03-02T08:00:00.000Z
    utc,direction,class
    2026-03-02T07:00:04.120Z,forward,car
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.faults import ToolError
from tallypost.i18n import _

PAGE = Path(__file__).with_name("truth.html")


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--out", type=Path, default=Path("truth.html"), metavar=_("FILE"),
        help=_("file of the page (truth.html)"),
    )  # fmt: skip
    add("--force", action="store_true", help=_("overwrite an existing file"))


def run(args: argparse.Namespace) -> int:
    """Write the page. Raises ToolError."""
    if args.out.exists() and not args.force:
        raise ToolError(
            _("{path}: the file exists already").format(path=args.out),
            _("Give another name, or overwrite it with --force."),
        )
    args.out.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    console.result(
        _(
            "Written. Copy {path} to a phone, open it there, and press START when the"
            " recording runs."
        ).format(path=args.out)
    )
    return 0
