"""`tallypost aim`: what the detector sees while a technician turns it, and who is counted.

A picture on a terminal, lines elsewhere. Nothing of it is kept: what is shown is of single road
users, so `--json` too is for a program that looks on, not for a file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

from tallypost import console
from tallypost.faults import ToolError
from tallypost.connection import transports
from tallypost.connection.line import connect
from tallypost.technician.aim_view import Scene

_SILENT_S = 10  # seconds without a word: the node speaks once a second
_END_S = 3

Body = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    transports.serial_options(verb)
    add("--seconds", type=int, default=300, metavar="S", help="1 to 600 (300); Ctrl-C ends it")
    add("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Look on until the time is over, or Ctrl-C; raises ToolError."""
    with connect(transports.port(args), args.baud) as line:
        started, lines = line.stream("aim", seconds=args.seconds)
        scene = Scene(started["detector"], time.monotonic)
        try:
            _look_on(scene, _spoken(line.name, lines), args.json)
        except KeyboardInterrupt:
            console.note("")
            line.ask("aim", seconds=0)
    if not args.json:
        console.result(scene.summary())
    return 0


def _spoken(name: str, lines: Iterator[tuple[Body, str]]) -> Iterator[Body]:
    """What the node says, and nothing else; raises ToolError when it stops in the middle."""
    silent = 0
    for body, _text in lines:
        silent = 0 if body else silent + 1
        if silent > _SILENT_S:
            raise ToolError(f"{name}: the node has stopped", "tallypost monitor shows why")
        if "aim" in body or "end" in body:
            yield body


def _look_on(scene: Scene, bodies: Iterator[Body], as_json: bool) -> None:
    if as_json:
        for body in bodies:
            console.result_json({key: body[key] for key in sorted(body) if key != "id"})
    elif console.is_terminal():
        with console.live_view() as show:
            for body in bodies:
                scene.take(body)
                show(scene.draw())
    else:
        for body in bodies:
            for text in scene.take(body):
                console.result(text)
