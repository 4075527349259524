"""`tallypost size`: the files of the image of a board, compared with the budget of the board."""

from __future__ import annotations

import argparse

from tallypost import console
from tallypost.building import board_image
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.i18n import _, grouped


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, metavar=_("BOARD"), help=boards.option_help())
    add("--json", action="store_true", help=_("print the result as JSON"))


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    manifest = board_image.load(board).manifest
    used = board_image.app_bytes(manifest)
    limit = board.budget.get("mpy_bytes", 0)
    if args.json:
        console.result_json({"board": args.board, "mpy_bytes": used, "budget": limit})
    else:
        rows = [(f"/{name}", grouped(f["bytes"])) for name, f in manifest["files"].items()]
        title = _("image of {board}").format(board=args.board)
        console.table(title, (_("file"), ">" + _("bytes")), rows)
        total = _("application: {used} bytes as .mpy, budget: {limit} bytes")
        console.result(total.format(used=grouped(used), limit=grouped(limit)))
    if limit and used > limit:
        raise ToolError(
            _("the application is {n} bytes larger than its budget").format(
                n=grouped(used - limit)
            ),
            _("Remove code, or raise mpy_bytes in boards/{board}/board.toml.").format(
                board=args.board
            ),
        )
    return 0
