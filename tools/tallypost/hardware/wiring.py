"""`tallypost wiring`: what hangs on which pin of a board, as a table and as a picture.

The picture stands beside the board as boards/<board>/wiring.svg. Every bus has a colour and a
pattern of dashes, so that it can be read from a print in black and white.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.wiring_svg import TITLES, picture


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--output", type=Path, metavar="FILE", help="the picture (boards/BOARD/wiring.svg)")
    add("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    path = args.output or board.path / "wiring.svg"
    try:
        path.write_text(picture(board), encoding="utf-8")
    except OSError as error:
        raise ToolError(
            f"{path}: {error.strerror}", "choose another file with --output"
        ) from error
    if args.json:
        console.result_json([vars(wire) for wire in board.wiring])
    else:
        rows = [
            (str(wire.pin), wire.direction, TITLES[wire.bus], wire.to, wire.why)
            for wire in board.wiring
        ]
        console.table(board.title, (">GPIO", "", "bus", "at its other end", "why"), rows)
    console.note(f"picture: {path}")
    return 0
