"""`tallypost list`: the serial ports, and what is behind each of them.

A running node is asked on its console and goes on counting. Only `--probe` resets a board, to ask
its ROM for chip and MAC where no node answers.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from tallypost import console
from tallypost import ports
from tallypost.faults import ToolError
from tallypost.flashing.rom import BoardMemory
from tallypost.hardware import boards
from tallypost.ports import Port
from tallypost.connection import line

_PATIENCE_S = 3.0  # for an answer: whoever lists has many ports, and nothing broken yet


@dataclass(frozen=True)
class Row:
    """What is known of a port; empty where nobody knows. note: why not."""

    port: str
    usb: str = ""
    what: str = ""
    chip: str = ""
    mac: str = ""
    node: str = ""
    board: str = ""
    version: str = ""
    note: str = ""


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("ports", nargs="*", metavar="PORT", help="look at these (all behind USB)")
    add("--probe", action="store_true", help="reset boards on which no node answers, ask the chip")
    add("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    found = [Port(name, "", "", "") for name in args.ports] or ports.found()
    if not found and not args.json:
        console.note("no serial port behind USB: tallypost doctor knows what to look at")
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        rows = list(pool.map(partial(look, named=bool(args.ports)), found))
    if args.probe:
        rows = [_probed(row) for row in rows]  # one after the other: esptool is loud, and global
    if args.json:
        console.result_json([asdict(row) for row in rows])
    elif rows:
        columns = ("port", "USB", "chip", "MAC", "node", "board", "version", "")
        console.table("", columns, [
            (row.port, f"{row.usb} {row.what}".strip(), row.chip, row.mac, row.node, row.board,
             row.version, row.note)
            for row in rows
        ])  # fmt: skip
    return 0


def look(port: Port, named: bool) -> Row:
    """Ask without a reset. named: the user has named the port, so that it may be asked."""
    row = Row(port.device, port.usb, port.what)
    if "://" not in port.device:
        held = ports.holders(port.device)
        if held:
            return replace(row, note="in use by " + ", ".join(f"{name} ({n})" for n, name in held))
        if os.path.exists(port.device) and not os.access(port.device, os.R_OK | os.W_OK):
            return replace(row, note="no permission: tallypost doctor")
    if not named and not ports.is_for_boards(port):
        return replace(row, note="not asked: no chip of a board; name the port to ask")
    try:
        with line.connect(port.device, patience_s=_PATIENCE_S) as there:
            return _node(row, there.ask("identity"))
    except ToolError as error:
        return replace(row, note=error.what.removeprefix(f"{port.device}: "))


def _node(row: Row, body: dict[str, Any]) -> Row:
    said = {key: str(body.get(key) or "") for key in ("node", "board", "version", "mac")}
    chip = boards.load(said["board"]).chip if said["board"] in boards.names() else ""
    note = "" if said["node"] else "not provisioned: tallypost provision"
    return replace(row, **said, chip=chip, note=note)


def _probed(row: Row) -> Row:
    """The chip's own answer, for a port on which no node gave one."""
    if row.version or row.note.startswith(("in use", "no permission", "not asked")):
        return row
    try:
        with BoardMemory(row.port) as memory:
            size = f"flash of {memory.size >> 20} MB, no node answers"
            return replace(row, chip=memory.chip, mac=memory.mac, note=size)
    except ToolError as error:
        return replace(row, note=str(error).removeprefix(f"{row.port}: "))
