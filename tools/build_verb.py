"""`tallypost build`: compile the firmware and make a board's flash image."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools import boards, build, console


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin")
    add("--json", action="store_true", help="print the manifest")
    add("--quiet", action="store_true", help="say nothing when up to date")


def run(args: argparse.Namespace) -> int:
    built = build.build(args.board, args.micropython)
    if args.json:
        console.result_json(built.manifest)
    elif built.is_new or not args.quiet:
        state = "built" if built.is_new else "up to date"
        console.note(f"{state}: {_relative(built.flash)}")
    return 0


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
