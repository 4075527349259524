"""`tallypost size`: what the image of a board holds, against the board's budget."""

from __future__ import annotations

import argparse

from tallypost import console
from tallypost.building import build
from tallypost.faults import ToolError
from tallypost.hardware import boards


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    manifest = build.build(args.board).manifest
    used = build.app_bytes(manifest)
    limit = board.budget.get("mpy_bytes", 0)
    if args.json:
        console.result_json({"board": args.board, "mpy_bytes": used, "budget": limit})
    else:
        rows = [(f"/{name}", f"{f['bytes']:,}") for name, f in manifest["files"].items()]
        console.table(f"image of {args.board}", ("file", ">bytes"), rows)
        console.result(f"application {used:,} bytes as .mpy, budget {limit:,}")
    if limit and used > limit:
        raise ToolError(f"the application has {used - limit:,} bytes more than its budget")
    return 0
