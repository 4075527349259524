"""`tallypost build`: compile the firmware and make a board's flash image."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.building import build
from tallypost.building import micropython
from tallypost.hardware import boards


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin, merged in as well")
    add("--json", action="store_true", help="print the manifest")
    add("--quiet", action="store_true", help="say nothing when up to date")


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    firmware = micropython.add(args.micropython, board) if args.micropython else None
    built = build.build(args.board)
    merged = build.merge(board, built, firmware) if firmware else None
    if args.json:
        more = {
            "micropython": firmware and firmware.sha256,
            "merged": merged and _relative(merged),
        }
        console.result_json(built.manifest | more)
        return 0
    if built.is_new or not args.quiet:
        state = "built" if built.is_new else "up to date"
        console.note(f"{state}: {_relative(built.flash)}")
    if merged and firmware:
        shown = f"MicroPython {firmware.shown_version}"
        console.note(f"with {shown}: {_relative(merged)}, for 0x{board.loader_offset:x}")
    return 0


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
