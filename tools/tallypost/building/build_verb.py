"""`tallypost build`: compile the firmware and make the flash image of a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.building import micropython
from tallypost.hardware import boards
from tallypost.i18n import _
from tallypost.resources import need_checkout


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, metavar=_("BOARD"), help=boards.option_help())
    add(
        "--micropython",
        type=Path,
        metavar=_("FILE"),
        help=_("MicroPython's .bin, for an image of the complete flash"),
    )
    add(
        "--romfs",
        action="store_true",
        help=_("also write the application as a ROMFS image, for a MicroPython that has ROMFS"),
    )
    add("--json", action="store_true", help=_("print the manifest as JSON"))
    add("--quiet", action="store_true", help=_("print nothing if the image is up to date"))


def run(args: argparse.Namespace) -> int:
    need_checkout("build")
    from tallypost.building import build  # needs a compiler, which an installed tool lacks

    board = boards.load(args.board)
    file = micropython.add(args.micropython, board) if args.micropython else None
    built = build.build(args.board)
    merged = build.merge(board, built, file) if file else None
    rom = build.write_romfs(built) if args.romfs else None
    if args.json:
        more = {
            "micropython": file and file.sha256,
            "merged": merged and _relative(merged),
            "romfs": rom and _relative(rom),
        }
        console.result_json(built.manifest | more)
        return 0
    if built.is_new:
        console.note(_("built: {path}").format(path=_relative(built.flash)))
    elif not args.quiet:
        console.note(_("up to date: {path}").format(path=_relative(built.flash)))
    if rom:
        text = _("ROMFS image of {size} bytes: {path}, to be written with: mpremote romfs deploy")
        console.note(text.format(size=rom.stat().st_size, path=_relative(rom)))
    if merged and file:
        text = _("with MicroPython {version}: {path}, to be written at 0x{offset:x}")
        console.note(
            text.format(
                version=file.shown_version, path=_relative(merged), offset=board.loader_offset
            )
        )
    return 0


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
