"""`tallypost flash`: MicroPython and the application onto a board.

Identity (NVS) and counts (ring) stay, unless the board is new. Only sectors that differ are
written; everything is compared afterwards. A repeat completes what an unplugged cable has left.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost import ports
from tallypost.building import micropython
from tallypost.building.build import build
from tallypost.building.micropython import Firmware
from tallypost.building.micropython_verb import told_download
from tallypost.flashing import flash_plan
from tallypost.flashing.flash_plan import Plan
from tallypost.flashing.rom import BoardMemory
from tallypost.hardware import board_table
from tallypost.hardware import boards
from tallypost.hardware.boards import Board

BAUD = 460_800


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--port", help="serial port, as /dev/ttyUSB0 (the only one there is)")
    add("--baud", type=int, default=BAUD, help=f"of the transfer ({BAUD})")
    source = verb.add_mutually_exclusive_group()
    source.add_argument("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin")
    source.add_argument(
        "--download", action="store_true", help="fetch the board's MicroPython, once"
    )
    keep = verb.add_mutually_exclusive_group()
    keep.add_argument("--keep-ring", action="store_true", help="keep the counts (it does anyway)")
    keep.add_argument("--erase-counts", action="store_true", help="start with an empty ring")
    add("--take-over", action="store_true", help="replace another program, with all its data")
    add("--dry-run", action="store_true", help="compare, and show what would be written")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    firmware = _firmware(args, board)
    port = args.port or ports.only_port()
    vfs = (build(args.board).folder / "vfs.bin").read_bytes()
    regions = flash_plan.wanted(board, vfs, firmware)
    console.progress(f"asking the board at {port}")
    with BoardMemory(port, board, args.baud) as memory:
        plan = flash_plan.make(
            memory, board, regions, erase_counts=args.erase_counts, take_over=args.take_over
        )
        if not args.dry_run:
            flash_plan.carry_out(memory, plan, lambda share, what: console.progress(
                f"{share:3} %  {what}"
            ))  # fmt: skip
    console.progress("")
    facts = _facts(board, port, memory, plan)
    facts |= {
        "dry_run": bool(args.dry_run), "micropython": firmware and firmware.shown_version
    }  # fmt: skip
    if args.json:
        console.result_json(facts)
    else:
        _show(args, plan, facts)
    return 0


def _firmware(args: argparse.Namespace, board: Board) -> Firmware | None:
    """The file that was named, or that the board names; None leaves the board's own."""
    if args.micropython:
        found: Firmware | None = micropython.add(args.micropython, board)
    elif args.download:
        found = micropython.download(board, told_download)
    else:
        found = micropython.cached(board)
    if found and found.version < (1, 26) and board_table.PULSE_COUNTED in board.features.detectors:
        console.note(
            f"note: MicroPython {found.shown_version} has no pulse counter: no Doppler module, and"
            " light barriers are counted by interrupts"
        )
    return found


def _facts(board: Board, port: str, memory: BoardMemory, plan: Plan) -> dict[str, Any]:
    return {
        "board": board.name, "port": port, "chip": memory.chip, "mac": memory.mac,
        "flash_mb": memory.size >> 20, "first": plan.first,
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
            (str(one["what"]), f"0x{one['offset']:06x}", f"{one['bytes']:,}", doing)
            for doing, key in (("erased", "erases"), ("written", "writes"))
            for one in facts[key]
        ]
        console.table("would be", ("what", "at", ">bytes", ""), rows)
    done = "would be written" if args.dry_run else "written and compared"
    what = (
        f"{facts['bytes']:,} bytes in {facts['sectors']} sectors {done}"
        if plan.writes
        else "nothing to write: all is there"
    )
    kept = " and ".join({"nvs": "identity", "ring": "counts"}[label] for label in facts["kept"])
    console.result(
        f"{facts['port']}: {facts['chip']} {facts['mac']}, {facts['board']}: {what}"
        + (f"; {kept} kept" if kept and not plan.first else "")
    )
    if plan.first and not args.dry_run:
        console.note("next: tallypost provision, then tallypost check")
