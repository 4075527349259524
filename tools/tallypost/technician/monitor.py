"""`tallypost monitor`: the log of a node at hand, with this machine's time.

Answers to commands, and what `aim` shows, are not shown: nothing about a single road user is to
end in somebody's file. A board that is unplugged is waited for.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime

from tallypost import console
from tallypost.faults import ToolError
from tallypost.connection import transports
from tallypost.connection.line import Line, open_port

_AGAIN_S = 1.0
_STEP_S = 0.5


def options(verb: argparse.ArgumentParser) -> None:
    transports.serial_options(verb)
    verb.add_argument("--seconds", type=float, default=0, metavar="S", help="stop then (Ctrl-C)")
    verb.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Show lines until Ctrl-C; raises ToolError when the port cannot be opened the first time."""
    args.port = transports.port(args)
    end = time.monotonic() + (args.seconds or float("inf"))
    line: Line | None = Line(open_port(args.port, args.baud), args.port)
    console.note(f"{args.port}: Ctrl-C ends")
    try:
        while time.monotonic() < end:
            line = _follow(line, args.json) if line else _again(args)
    except KeyboardInterrupt:
        console.note("")
    finally:
        if line:
            line.close()
    return 0


def _follow(line: Line, as_json: bool) -> Line | None:
    """Show what comes in a moment; None when the board has gone."""
    try:
        for text in line.lines(_STEP_S):
            if text and not text.lstrip().startswith("{"):
                _show(text, as_json)
    except ToolError as error:
        line.close()
        console.note(f"{error.what}; waiting for it")
        return None
    return line


def _again(args: argparse.Namespace) -> Line | None:
    try:
        line = Line(open_port(args.port, args.baud), args.port)
    except ToolError:
        time.sleep(_AGAIN_S)
        return None
    console.note(f"{args.port}: here again")
    return line


def _show(text: str, as_json: bool) -> None:
    now = datetime.now().astimezone()
    if as_json:
        console.result_json({"at": now.isoformat(timespec="milliseconds"), "line": text})
    else:
        console.result(f"{now:%H:%M:%S} {text}")
