"""`tallypost wiring`: the pins of a board and the parts at them, as a table and a picture.

The picture of a board is `boards/<board>/wiring.svg`, the German one `wiring.de.svg`. An installed
tool writes it to the current folder. Every bus has a colour and a pattern of dashes, so a print in
black and white can be read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console, i18n
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.wiring_svg import TITLES, picture
from tallypost.i18n import _
from tallypost.resources import CHECKOUT


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, metavar=_("BOARD"), help=boards.option_help())
    add(
        "--output",
        type=Path,
        metavar=_("FILE"),
        help=_("file of the picture (default: wiring.svg, in a checkout beside board.toml)"),
    )
    add("--json", action="store_true", help=_("print the table as JSON"))


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    folder = board.path if CHECKOUT else Path()
    path = args.output or folder / picture_name()
    try:
        path.write_text(picture(board), encoding="utf-8")
    except OSError as error:
        raise ToolError(
            _("{path}: cannot write the picture: {reason}").format(
                path=path, reason=error.strerror
            ),
            _("Name another file with --output."),
        ) from error
    if args.json:
        console.result_json([vars(wire) for wire in board.wiring])
    else:
        rows = [
            (str(wire.pin), wire.direction, _(TITLES[wire.bus]), _(wire.to), wire.why)
            for wire in board.wiring
        ]
        columns = (">GPIO", "", _("bus"), _("at its other end"), _("source"))
        console.table(_(board.title), columns, rows)
    console.note(_("picture: {path}").format(path=path))
    return 0


def picture_name() -> str:
    """The file name of a picture in the language in use."""
    language = i18n.in_use()
    return "wiring.svg" if language == "en" else f"wiring.{language}.svg"
