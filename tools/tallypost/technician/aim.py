"""`tallypost aim`: a live view of the detector and of each count, while a technician turns it.

It is a moving picture on a terminal, and lines elsewhere. It shows single road users, so nothing
of it is kept. `--json` too is for a program that watches, not for a file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

from tallypost import console
from tallypost.connection import transports
from tallypost.connection.line import connect
from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.technician.aim_view import AimView

_SILENCE_MAX_S = 10  # the node sends a line at least once a second

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add(
        "--seconds", type=int, default=300, metavar="S",
        help=_("end after S seconds, 1 to 600 (300), or with Ctrl-C"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print one JSON object a line"))


def run(args: argparse.Namespace) -> int:
    """Show the view until the time is over, or Ctrl-C. Raises ToolError."""
    with connect(transports.serial_port(args), args.baud) as line:
        started, lines = line.stream("aim", seconds=args.seconds)
        view = AimView(started["detector"], time.monotonic)
        try:
            _show(view, _messages(line.name, lines), args.json)
        except KeyboardInterrupt:
            console.note("")
            line.ask("aim", seconds=0)
    if not args.json:
        console.result(view.summary())
    return 0


def _messages(name: str, lines: Iterator[tuple[Body, str]]) -> Iterator[Body]:
    """The messages of the live view. Raises ToolError when the node stops in the middle."""
    silent_s = 0
    for body, _text in lines:
        silent_s = 0 if body else silent_s + 1
        if silent_s > _SILENCE_MAX_S:
            raise node_stopped(name)
        if "aim" in body or "end" in body:
            yield body


def node_stopped(name: str) -> ToolError:
    """The error of a node that stopped in the middle of a stream."""
    return ToolError(
        _("{port}: the node has stopped sending").format(port=name),
        _("To see why, run: tallypost monitor"),
    )


def _show(view: AimView, messages: Iterator[Body], as_json: bool) -> None:
    if as_json:
        for body in messages:
            console.result_json({key: body[key] for key in sorted(body) if key != "id"})
    elif console.is_terminal():
        with console.live_view() as draw:
            for body in messages:
                view.update(body)
                draw(view.render())
    else:
        for body in messages:
            for text in view.update(body):
                console.result(text)
