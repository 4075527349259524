"""`tallypost flash`: the image onto a board with esptool; NVS and the ring log are left alone."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools import boards, console
from tools.build import Built, build
from tools.faults import ToolError
from tools.partitions import TABLE_OFFSET


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--port", required=True, help="serial port, for example /dev/ttyUSB0")
    add("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin")
    add("--dry-run", action="store_true", help="show the command only")


def run(args: argparse.Namespace) -> int:
    board = boards.load(args.board)
    built = build(args.board, args.micropython)
    command = esptool_command(board, built, args.port, args.micropython)
    if args.dry_run:
        console.result(" ".join(command[2:]))
        return 0
    console.note(f"writing the image of {board.name} to {args.port}")
    if subprocess.run(command, check=False).returncode:
        raise ToolError(
            f"{args.port}: esptool could not write the image",
            "see its last lines; is the port right, free and readable (group dialout)?",
        )
    return 0


def esptool_command(
    board: boards.Board, built: Built, port: str, micropython: Path | None
) -> list[str]:
    """Write only what the image owns: MicroPython (if given), the table, the file system."""
    command = [sys.executable, "-m", "esptool", "--chip", board.chip, "--port", port]
    command += ["write-flash"]
    if micropython:
        command += [hex(board.loader_offset), str(micropython)]
    table = str(built.folder / "partition-table.bin")
    vfs = str(built.folder / "vfs.bin")
    return [*command, hex(TABLE_OFFSET), table, hex(board.partition("vfs").offset), vfs]
