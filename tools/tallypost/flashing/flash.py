"""`tallypost flash`: MicroPython and the application onto a board.

Identity (NVS) and counts (ring) stay, unless the board is new. Only sectors that differ are
written, and everything is compared afterwards. If the cable is pulled, the same command completes
the board.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost import ports
from tallypost.building import board_image, micropython
from tallypost.building.micropython import MicroPythonImage
from tallypost.building.micropython_verb import show_download
from tallypost.flashing import board_state, flash_plan
from tallypost.flashing.flash_plan import Plan
from tallypost.flashing.rom import SerialTarget
from tallypost.hardware import board_table
from tallypost.hardware import boards
from tallypost.hardware.boards import Board
from tallypost.i18n import N_, _, grouped, ngettext

BAUD = 460_800
_KEPT = {  # by the partitions that stay
    ("nvs", "ring"): N_("identity and counts kept"),
    ("nvs",): N_("identity kept"),
    ("ring",): N_("counts kept"),
}


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--board",
        metavar=_("BOARD"),
        help=_("a folder of boards/ (default: the name on the board, or the only one that fits)"),
    )
    add(
        "--replace-board",
        action="store_true",
        help=_("write the image of --board onto a board that says it is another one"),
    )
    add(
        "--port",
        metavar=_("PORT"),
        help=_("serial port such as /dev/ttyUSB0 (default: the only one there is)"),
    )
    add(
        "--baud",
        type=int,
        default=BAUD,
        metavar="BAUD",
        help=_("speed of the transfer (default: {baud})").format(baud=BAUD),
    )
    _data_options(verb)
    add("--dry-run", action="store_true", help=_("compare only, and show what would be written"))
    add("--json", action="store_true", help=_("print the result as JSON"))


def _data_options(verb: argparse.ArgumentParser) -> None:
    """The data that are written, and those that stay."""
    source = verb.add_mutually_exclusive_group()
    source.add_argument(
        "--micropython", type=Path, metavar=_("FILE"), help=_("file with MicroPython, a .bin")
    )
    source.add_argument(
        "--download",
        action="store_true",
        help=_("download MicroPython for the board if this machine has none"),
    )
    keep = verb.add_mutually_exclusive_group()
    keep.add_argument("--keep-ring", action="store_true", help=_("keep the counts (the default)"))
    keep.add_argument("--erase-counts", action="store_true", help=_("delete the counts"))
    verb.add_argument(
        "--take-over",
        action="store_true",
        help=_("replace another program and delete all its data"),
    )


def run(args: argparse.Namespace) -> int:
    port = args.port or ports.only_port()
    board = boards.load(args.board) if args.board else _find_board(port, args.baud)
    file = _micropython(args, board)
    vfs = board_image.load(board).vfs
    regions = flash_plan.target_regions(board, vfs, file)
    console.progress(_("connecting to the board at {port}").format(port=port))
    with SerialTarget(port, board, args.baud) as target:
        # A board that holds the image already needs no look into its file system.
        is_same = all(target.holds(one.offset, one.data) for one in regions)
        if not args.replace_board and not is_same:
            advice = _("Give --board {found}. To make another board of it, add --replace-board.")
            board_state.check_board(target, board, advice)
        plan = flash_plan.make_plan(
            target, board, regions, erase_counts=args.erase_counts, take_over=args.take_over
        )
        if not args.dry_run:
            flash_plan.execute(
                target, plan, lambda share, step: console.progress(f"{share:3} %  {step}")
            )
    console.progress("")
    facts = _facts(board, port, target, plan)
    facts |= {"dry_run": bool(args.dry_run), "micropython": file and file.shown_version}
    if args.json:
        console.result_json(facts)
    else:
        _show(args, plan, facts)
    return 0


def _find_board(port: str, baud: int) -> Board:
    """The board at a port, which was not named. Raises ToolError if several fit."""
    console.progress(_("asking which board is at {port}").format(port=port))
    with SerialTarget(port, None, baud) as target:
        board = board_state.choose(target)
    console.note(_("{port}: the board is {board}").format(port=port, board=board.name))
    return board


def _micropython(args: argparse.Namespace, board: Board) -> MicroPythonImage | None:
    """The file that was given or is kept for the board. None: leave the one on the board."""
    if args.micropython:
        found: MicroPythonImage | None = micropython.add(args.micropython, board)
    elif args.download:
        found = micropython.download(board, show_download)
    else:
        found = micropython.cached(board)
    detectors = board.features.detectors
    if found and found.version < (1, 26) and board_table.PULSE_DETECTOR in detectors:
        console.note(
            _(
                "note: MicroPython {version} has no pulse counter. A Doppler module does not work,"
                " and light barriers are counted by interrupts."
            ).format(version=found.shown_version)
        )
    return found


def _facts(board: Board, port: str, target: SerialTarget, plan: Plan) -> dict[str, Any]:
    return {
        "board": board.name, "port": port, "chip": target.chip, "mac": target.mac,
        "flash_mb": target.size >> 20, "first": plan.is_new_board,
        "kept": [label for label in ("nvs", "ring") if label not in _erased(plan)],
        "erases": [{"what": w, "offset": o, "bytes": n} for w, o, n in plan.erases],
        "writes": [{"what": w.name, "offset": w.offset, "bytes": w.programmed}
                   for w in plan.writes],
        "bytes": plan.programmed,
        "sectors": plan.sectors,
    }  # fmt: skip


def _erased(plan: Plan) -> set[str]:
    return {name for name, _, _ in plan.erases}


def _show(args: argparse.Namespace, plan: Plan, facts: dict[str, Any]) -> None:
    if args.dry_run:
        rows = [
            (_(one["what"]), f"0x{one['offset']:06x}", grouped(one["bytes"]), step)
            for step, key in ((_("erase"), "erases"), (_("write"), "writes"))
            for one in facts[key]
        ]
        console.table(_("planned"), (_("region"), _("at"), ">" + _("bytes"), ""), rows)
    chip = f"{facts['chip']} {facts['mac']}"
    result = _result(args.dry_run, plan, facts)
    console.result(f"{facts['port']}: {chip}, {facts['board']}: {result}")
    if not plan.is_new_board:
        _show_kept(args.dry_run, facts["kept"])
    if plan.is_new_board and not args.dry_run:
        console.note(_("next: tallypost provision, then tallypost check"))


def _show_kept(is_dry_run: bool, kept: list[str]) -> None:
    """Which of identity and counts stay. kept: their partitions."""
    if "ring" not in kept:
        console.result(_("counts would be erased") if is_dry_run else _("counts erased"))
    if kept:
        console.result(_(_KEPT[tuple(kept)]))


def _result(is_dry_run: bool, plan: Plan, facts: dict[str, Any]) -> str:
    if not plan.writes:
        return _("nothing to write, the flash is up to date")
    n = facts["sectors"]
    if is_dry_run:
        text = ngettext(
            "{size} bytes in {n} sector would be written",
            "{size} bytes in {n} sectors would be written",
            n,
        )
    else:
        text = ngettext(
            "{size} bytes in {n} sector written and compared",
            "{size} bytes in {n} sectors written and compared",
            n,
        )
    return text.format(size=grouped(facts["bytes"]), n=n)
