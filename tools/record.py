"""`tallypost record`: what a radar sends on a serial port, with its times, as `replay` reads it.

A recording holds when something moved and how fast, no picture and no person; still it is of
single road users: it is for finding a fault, and to be deleted after it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import serial

from tools import console
from tools.faults import ToolError

BAUDS = {"ld2451": 115_200, "ld2450": 256_000, "ops243": 19_200}
_SHOW_S = 2.0


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("file", type=Path, metavar="FILE", help="CSV to write; it is of single road users")
    add("--port", required=True, help="serial port, for example /dev/ttyUSB0")
    add("--detector", choices=("ld2451", "ld2450", "ops243"), default="ld2451")
    add("--baud", type=int, help="if it is not the radar's usual one")
    add("--seconds", type=float, default=0, metavar="S", help="stop after S seconds (Ctrl-C)")
    add("--force", action="store_true", help="write over an existing file")


def run(args: argparse.Namespace) -> int:
    """Record until the time is over, or Ctrl-C; raises ToolError."""
    if args.file.exists() and not args.force:
        raise ToolError(f"{args.file} exists", "another name, or --force")
    try:
        port = serial.Serial(args.port, args.baud or BAUDS[args.detector], timeout=0.02)
    except (OSError, ValueError) as error:
        raise ToolError(
            f"{args.port}: {error}", "is the radar connected, the port free?"
        ) from error
    with port, open(args.file, "w", encoding="ascii") as file:
        file.write(f"# detector: {args.detector}\n# ms,hex bytes\n")
        try:
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
