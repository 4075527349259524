"""`tallypost record`: the output of a sensor with its times, in the form that `replay` reads.

Of a radar it records the bytes on a serial port. Of light barriers and of a Doppler module it
records the edges on the pins of a board. Such a board does not count meanwhile.

A recording holds no picture and no person, but when a single road user moved and how fast. Use it
to find a fault, then delete it.
"""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import serial

from tallypost import console
from tallypost.connection import edge_recorder
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.i18n import _

BAUDS = {"ld2451": 115_200, "ld2450": 256_000, "ops243": 19_200}
EDGE_DETECTORS = ("beam", "beam_single", "doppler", "pir_pair")
_PROGRESS_S = 2.0


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "file", type=Path, metavar=_("FILE"),
        help=_("CSV file to write; it shows single road users: delete it after use"),
    )  # fmt: skip
    add(
        "--port", required=True, metavar=_("PORT"),
        help=_("serial port, for example /dev/ttyUSB0"),
    )  # fmt: skip
    add(
        "--detector", choices=(*BAUDS, *EDGE_DETECTORS), default="ld2451",
        help=_("the sensor (ld2451)"),
    )  # fmt: skip
    add(
        "--board", choices=boards.names(), default=boards.DEFAULT,
        help=_("the board whose pins are recorded (esp32_generic)"),
    )  # fmt: skip
    add("--baud", type=int, metavar="N", help=_("baud rate, if it is not the usual one"))
    add(
        "--seconds", type=float, default=0, metavar="S",
        help=_("end after S seconds, or with Ctrl-C"),
    )  # fmt: skip
    add("--force", action="store_true", help=_("overwrite an existing file"))


def run(args: argparse.Namespace) -> int:
    """Record until the time is over, or Ctrl-C. Raises ToolError."""
    if args.file.exists() and not args.force:
        raise ToolError(
            _("{path}: the file exists already").format(path=args.file),
            _("Give another name, or overwrite it with --force."),
        )
    try:
        baud = args.baud or BAUDS.get(args.detector, edge_recorder.BAUD)
        port = serial.serial_for_url(args.port, baud, timeout=0.02)
    except (OSError, ValueError) as error:
        raise ToolError(
            _("{port}: the port cannot be opened: {reason}").format(port=args.port, reason=error),
            _("See the ports with: tallypost list"),
        ) from error
    with port, open(args.file, "w", encoding="ascii") as file:
        count = _record(port, file.write, args)
    if not count:
        raise ToolError(
            _("{port}: no byte arrived within {n} s").format(
                port=args.port, n=f"{args.seconds:g}"
            ),
            _("Check the power of the sensor, TX to RX, and --baud."),
        )
    console.result(_("Written. To replay it, run: {command}").format(
        command=f"tallypost replay {args.file}"
    ))  # fmt: skip
    return 0


def _record(port: serial.Serial, write: Callable[[str], int], args: Namespace) -> int:
    """The number of bytes or edges recorded, at least 1 after Ctrl-C."""
    is_edges = args.detector in EDGE_DETECTORS
    columns = "ms,pin,level" if is_edges else "ms,hex bytes"
    started = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    write(f"# detector: {args.detector}\n# started: {started}\n# {columns}\n")
    try:
        if is_edges:
            return _record_edges(port, write, args)
        return _record_bytes(port, write, args.seconds)
    except KeyboardInterrupt:
        console.note("")
        return 1
    except OSError as error:
        raise ToolError(
            _("{port}: the connection is lost: {reason}").format(port=args.port, reason=error),
            _("Check the cable, then run the same command again with --force."),
        ) from error


def _record_edges(port: serial.Serial, write: Callable[[str], int], args: Namespace) -> int:
    count = 0
    board = boards.load(args.board)
    text = _("{port}: the board does not count until the recording is over")
    console.note(text.format(port=args.port))
    for line in edge_recorder.record_edges(port, args.port, board, args.seconds):
        write(line + "\n")
        count += 1
        if line.startswith("#"):
            lost = line.partition(":")[2].strip()
            console.note(
                _("{port}: {n} edges came too fast and are lost").format(port=args.port, n=lost)
            )
    return count


def _record_bytes(port: serial.Serial, write: Callable[[str], int], seconds: float) -> int:
    began = shown = time.monotonic()
    total = 0
    while not seconds or time.monotonic() - began < seconds:
        data = port.read(max(1, port.in_waiting))
        now = time.monotonic()
        if data:
            total += len(data)
            write(f"{(now - began) * 1000:.1f},{data.hex().upper()}\n")
        if now - shown > _PROGRESS_S:
            shown = now
            console.note(_("{n} s, {bytes} bytes").format(n=round(now - began), bytes=total))
    return total
