"""`tallypost micropython`: lists the MicroPython files kept on this machine, and adds one."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.building import micropython
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards
from tallypost.i18n import _, grouped


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "action",
        choices=("list", "add", "download"),
        help=_("list the files kept here, add one, or download the file of the board"),
    )
    add("file", nargs="?", type=Path, metavar=_("FILE"), help=_("with add: the MicroPython .bin"))
    add("--board", default=boards.DEFAULT, metavar=_("BOARD"), help=boards.option_help())
    add("--json", action="store_true", help=_("print the result as JSON"))


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        return _list(args.json)
    board = boards.load(args.board)
    if args.action == "add":
        if args.file is None:
            raise ToolError(
                _("add needs a file, and none was given"),
                _("Run: {command}").format(
                    command=f"tallypost micropython add {board.micropython.file}"
                ),
                USAGE,
            )
        found = micropython.add(args.file, board)
    else:
        found = micropython.download(board, show_download)
    if args.json:
        console.result_json(
            {"file": found.name, "version": found.shown_version, "sha256": found.sha256}
        )
    else:
        console.result(f"{found.name}: MicroPython {found.shown_version}, {found.sha256}")
    return 0


def show_download(done: int, total: int) -> None:
    """Show the progress of a download. total: bytes, 0 if unknown."""
    if total:
        text = _("downloading: {share:3} % of {total} bytes")
        text = text.format(share=100 * done // total, total=grouped(total))
    else:
        text = _("downloading: {done} bytes").format(done=grouped(done))
    console.progress(text)


def _list(as_json: bool) -> int:
    rows = []
    for name in boards.names():
        board = boards.load(name)
        found = micropython.cached(board)
        rows.append((name, board.micropython.file, found.sha256 if found else ""))
    if as_json:
        console.result_json([{"board": b, "file": f, "sha256": s or None} for b, f, s in rows])
    else:
        title = _("MicroPython files in {folder}").format(folder=micropython.cache_folder())
        shown = [(board, file, sha256[:16] or _("missing")) for board, file, sha256 in rows]
        console.table(title, (_("board"), _("file"), "SHA-256"), shown)
    return 0
