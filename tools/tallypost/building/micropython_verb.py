"""`tallypost micropython`: the MicroPython files that this machine keeps, and adding one."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.building import micropython
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("do", choices=("list", "add", "download"), help="what to do")
    add("file", nargs="?", type=Path, metavar="FILE", help="with add: MicroPython's .bin")
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    if args.do == "list":
        return _list(args.json)
    board = boards.load(args.board)
    if args.do == "add":
        if args.file is None:
            raise ToolError("add needs a file", micropython.how_to_get(board), USAGE)
        found = micropython.add(args.file, board)
    else:
        found = micropython.download(board, told_download)
    if args.json:
        console.result_json(
            {"file": found.name, "version": found.shown_version, "sha256": found.sha256}
        )
    else:
        console.result(f"{found.name}: MicroPython {found.shown_version}, {found.sha256}")
    return 0


def told_download(done: int, total: int) -> None:
    share = f"{100 * done // total:3} % of {total:,} bytes" if total else f"{done:,} bytes"
    console.progress(f"downloading: {share}")


def _list(as_json: bool) -> int:
    rows = []
    for name in boards.names():
        board = boards.load(name)
        found = micropython.cached(board)
        rows.append((name, board.micropython.file, found.sha256 if found else ""))
    if as_json:
        console.result_json([{"board": b, "file": f, "sha256": s or None} for b, f, s in rows])
    else:
        title = f"in {micropython.cache_folder()}"
        shown = [(board, file, sha256[:16] or "not there") for board, file, sha256 in rows]
        console.table(title, ("board", "file", "SHA-256"), shown)
    return 0
