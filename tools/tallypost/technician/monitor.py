"""`tallypost monitor`: the log of a node on a serial port, with the time of this machine.

It does not show replies to commands, nor the lines of `aim`: nothing about a single road user may
end in a file of the log. Control characters of a node are escaped. It waits for a board that is
unplugged.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime

from tallypost import console
from tallypost.connection import transports
from tallypost.connection.line import Line, open_port
from tallypost.faults import ToolError
from tallypost.i18n import _

_RETRY_S = 1.0
_STEP_S = 0.5


def options(verb: argparse.ArgumentParser) -> None:
    transports.serial_options(verb)
    verb.add_argument(
        "--seconds", type=float, default=0, metavar="S",
        help=_("end after S seconds, or with Ctrl-C"),
    )  # fmt: skip
    verb.add_argument("--json", action="store_true", help=_("print one JSON object a line"))


def run(args: argparse.Namespace) -> int:
    """Show lines until Ctrl-C. Raises ToolError when the port cannot be opened the first time."""
    args.port = transports.serial_port(args)
    end = time.monotonic() + (args.seconds or float("inf"))
    line: Line | None = Line(open_port(args.port, args.baud), args.port)
    console.note(_("{port}: Ctrl-C ends").format(port=args.port))
    try:
        while time.monotonic() < end:
            line = follow(line, args.json) if line else _reopen(args)
    except KeyboardInterrupt:
        console.note("")
    finally:
        if line:
            line.close()
    return 0


def follow(line: Line, as_json: bool) -> Line | None:
    """Show the lines of a moment. Returns None when the board is gone."""
    try:
        for text in line.lines(_STEP_S):
            if text and not text.lstrip().startswith("{"):
                _show(text, as_json)
    except ToolError:
        line.close()
        console.note(_("{port}: unplugged, waiting for it").format(port=line.name))
        return None
    return line


def _reopen(args: argparse.Namespace) -> Line | None:
    try:
        line = Line(open_port(args.port, args.baud), args.port)
    except ToolError:
        time.sleep(_RETRY_S)
        return None
    console.note(_("{port}: connected again").format(port=args.port))
    return line


def _show(text: str, as_json: bool) -> None:
    now = datetime.now().astimezone()
    if as_json:
        console.result_json({"at": now.isoformat(timespec="milliseconds"), "line": text})
    else:
        console.result(f"{now:%H:%M:%S} {console.printable(text)}")
