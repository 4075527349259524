"""`tallypost record`: what a sensor sends, with its times, as `replay` reads it.

Of a radar: the bytes on a serial port. Of light barriers and of a Doppler module: the edges on the
pins of a board, which does not count meanwhile.

A recording holds when something moved and how fast, no picture and no person; still it is of
single road users: it is for finding a fault, and to be deleted after it.
"""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import serial

from tallypost import console
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.technician import edges

BAUDS = {"ld2451": 115_200, "ld2450": 256_000, "ops243": 19_200}
EDGES = ("beam", "beam_single", "doppler")
_SHOW_S = 2.0


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("file", type=Path, metavar="FILE", help="CSV to write; it is of single road users")
    add("--port", required=True, help="serial port, for example /dev/ttyUSB0")
    add("--detector", choices=(*BAUDS, *EDGES), default="ld2451")
    add("--board", choices=boards.names(), default="esp32_generic", help="with edges: whose pins")
    add("--baud", type=int, help="if it is not the radar's usual one")
    add("--seconds", type=float, default=0, metavar="S", help="stop after S seconds (Ctrl-C)")
    add("--force", action="store_true", help="write over an existing file")


def run(args: argparse.Namespace) -> int:
    """Record until the time is over, or Ctrl-C; raises ToolError."""
    if args.file.exists() and not args.force:
        raise ToolError(f"{args.file} exists", "another name, or --force")
    try:
        baud = args.baud or BAUDS.get(args.detector, edges.BAUD)
        port = serial.serial_for_url(args.port, baud, timeout=0.02)
    except (OSError, ValueError) as error:
        raise ToolError(
            f"{args.port}: {error}", "is the radar connected, the port free?"
        ) from error
    with port, open(args.file, "w", encoding="ascii") as file:
        is_edges = args.detector in EDGES
        columns = "ms,pin,level" if is_edges else "ms,hex bytes"
        file.write(f"# detector: {args.detector}\n# {columns}\n")
        try:
            if is_edges:
                count = _record_edges(port, file.write, args)
            else:
                count = _record(port, file.write, args.seconds)
        except KeyboardInterrupt:
            console.note("")
            count = 1
        except OSError as error:
            raise ToolError(f"{args.port}: {error}", "was it unplugged?") from error
    if not count:
        raise ToolError(f"{args.port}: not a byte in {args.seconds:g} s", "power, TX to RX, baud?")
    console.result(f"{args.file}: tallypost replay {args.file}")
    return 0


def _record_edges(port: serial.Serial, write: Callable[[str], int], args: Namespace) -> int:
    count = 0
    board = boards.load(args.board)
    console.note(f"{args.port}: it does not count until the recording is over")
    for line in edges.recorded(port, args.port, board, args.seconds):
        write(line + "\n")
        count += 1
        if line.startswith("#"):
            console.note(f"{args.port}: {line[1:].strip()} edges came too fast")
    return count


def _record(port: serial.Serial, write: Callable[[str], int], seconds: float) -> int:
    began = shown = time.monotonic()
    total = 0
    while not seconds or time.monotonic() - began < seconds:
        data = port.read(max(1, port.in_waiting))
        now = time.monotonic()
        if data:
            total += len(data)
            write(f"{(now - began) * 1000:.1f},{data.hex().upper()}\n")
        if now - shown > _SHOW_S:
            shown = now
            console.note(f"{now - began:.0f} s, {total} bytes")
    return total
