"""`tallypost list`: the serial ports, and the board at each of them.

A running node is asked on its console and goes on counting. Only `--probe` resets a board. It asks
the ROM of the chip for its kind and MAC where no node answers.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from tallypost import console, ports
from tallypost.connection import line
from tallypost.faults import ToolError
from tallypost.flashing import board_state
from tallypost.flashing.rom import SerialTarget
from tallypost.hardware import boards
from tallypost.i18n import _
from tallypost.ports import Port

_TIMEOUT_S = 3.0  # for a reply: there may be many ports, and nothing is known to be broken yet


@dataclass(frozen=True)
class Row:
    """The facts about a port, empty where they are not known. Its fields are keys of the JSON.

    note: why something is not known. may_probe: whether the board may be reset to ask its chip.
    """

    port: str
    usb: str = ""
    what: str = ""
    chip: str = ""
    mac: str = ""
    node: str = ""
    board: str = ""
    version: str = ""
    note: str = ""
    may_probe: bool = False

    def as_dict(self) -> dict[str, str]:
        return {key: value for key, value in asdict(self).items() if key != "may_probe"}


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("ports", nargs="*", metavar=_("PORT"), help=_("ports to look at (all behind USB)"))
    add(
        "--probe", action="store_true",
        help=_("reset the boards on which no node answers, and ask the chip"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Show a row for each port. Always returns 0."""
    found = [Port(name, "", "", "") for name in args.ports] or ports.usb_ports()
    if not found and not args.json:
        console.note(_("There is no serial port behind USB. To see why, run: tallypost doctor"))
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        rows = list(pool.map(partial(describe, is_named=bool(args.ports)), found))
    if args.probe:
        # One after the other: esptool prints, and has global state.
        rows = [_probed(row) if row.may_probe else row for row in rows]
    if args.json:
        console.result_json([row.as_dict() for row in rows])
    elif rows:
        _show(rows)
    return 0


def _show(rows: list[Row]) -> None:
    columns = (
        _("port"), "USB", _("chip"), "MAC", _("node"), _("board"), _("version"), _("note"),
    )  # fmt: skip
    cells = [
        (
            row.port, f"{row.usb} {row.what}".strip(), row.chip, row.mac, row.node, row.board,
            row.version, row.note,
        )
        for row in rows
    ]  # fmt: skip
    console.table("", columns, cells)


def describe(port: Port, is_named: bool) -> Row:
    """Ask without a reset. is_named: the user has named the port, so any device may be asked."""
    row = Row(port.device, port.usb, port.product)
    if "://" not in port.device:
        users = ports.processes_using(port.device)
        if users:
            names = ", ".join(f"{name} ({number})" for number, name in users)
            return replace(row, note=_("in use by {programs}").format(programs=names))
        if os.path.exists(port.device) and not os.access(port.device, os.R_OK | os.W_OK):
            return replace(row, note=_("permission denied, see: tallypost doctor"))
    if not is_named and not ports.has_board_bridge(port):
        return replace(row, note=_("not asked, because no board has such a chip. Name the port."))
    try:
        with line.connect(port.device, timeout_s=_TIMEOUT_S) as node:
            return _with_identity(row, node.ask("identity"))
    except ToolError as error:
        note = error.what.removeprefix(f"{port.device}: ")
        return replace(row, note=note, may_probe=True)


def _with_identity(row: Row, body: dict[str, Any]) -> Row:
    fields: dict[str, Any] = {
        key: str(body.get(key) or "") for key in ("node", "board", "version", "mac")
    }
    chip = boards.load(fields["board"]).chip if fields["board"] in boards.names() else ""
    note = "" if fields["node"] else _("not provisioned, run: tallypost provision")
    return Row(row.port, row.usb, row.what, chip, note=note, **fields)


def _probed(row: Row) -> Row:
    """The answer of the chip, for a port on which no node answered."""
    try:
        with SerialTarget(row.port) as memory:
            text = _("{n} MB of flash, no node answers")
            note = text.format(n=memory.size >> 20)
            if missing := board_state.missing_part(memory, board_state.name_on(memory)):
                note = f"{note}: {missing}. " + _("Run: tallypost flash")
            return replace(row, chip=memory.chip, mac=memory.mac, note=note)
    except ToolError as error:
        return replace(row, note=str(error).removeprefix(f"{row.port}: "))
