"""`make board`: a virtual board on a serial port, until Ctrl-C.

Exit status: 0 ended by Ctrl-C, 1 the simulator failed, 2 wrong usage or a file that does not fit.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from simulator.board.board import VirtualBoard
from simulator.board.cable import CableFaults
from simulator.board.life import Environment
from simulator.board.radar_port import RadarPort
from simulator.board.stock import blank, flashed, own_flash
from simulator.run.plans.options import broker_address, within
from simulator.run.plans.plan import LIVE_PORT, BrokerAddress
from simulator.run.plans.sensors import SENSORS
from simulator.run.processes.live import HOST, live_broker
from simulator.world.chip.shims import ROOT
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.chips import CHIPS

_POLL_S = 0.2


def _speed(text: str) -> float | None:
    """`free`, or a factor."""
    if text == "free":
        return None
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is neither within 0.1 .. 3600 nor 'free'")
    return value


_speed.__name__ = "factor"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make board", description=__doc__)
    add = top.add_argument
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--flash", type=Path, metavar="FILE", help="its flash, made if it is missing")
    add("--blank", action="store_true", help="a new board with an erased flash")
    add("--port", type=within(0, 65535), default=0, help="TCP port (any free one)")
    add("--tty", type=Path, metavar="LINK", help="also a device with this name")
    add("--detector", choices=sorted(SENSORS), help="on its pins (from its configuration)")
    add("--radar", type=within(0, 65535), metavar="PORT", help="a TCP port in place of the radar")
    add("--per-hour", type=within(0, 3600), default=240, help="passages (240)")
    add("--speed", type=_speed, default=1.0, help="of its time: a factor, or 'free' (1)")
    add(
        "--broker",
        type=broker_address,
        metavar="HOST:PORT",
        help=f"a real one (its own, at {LIVE_PORT} if that is free)",
    )
    add("--seed", type=within(0, 2**32 - 1), default=1, help="of all random numbers (1)")
    add("--read-only", action="store_true", help="fault: the flash takes no writes")
    add("--chip", choices=sorted(CHIPS), help="fault: another chip than the board has")
    add(
        "--noise",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="fault: share of bytes with a flipped bit",
    )
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        with _plugged_in(args) as board:
            print(_introduction(args.tty or board.url, board), flush=True)
            while board.error is None:
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return 0
    except (ToolError, OSError) as error:
        print(f"make board: {error}", file=sys.stderr)
        return 2
    return 1


@contextlib.contextmanager
def _plugged_in(args: argparse.Namespace) -> Iterator[VirtualBoard]:
    """The board and its broker, switched on."""
    board = boards.load(args.board)
    flash = args.flash or ROOT / ".build" / "bench" / f"{board.name}.bin"
    if args.blank or not flash.exists():
        flash.parent.mkdir(parents=True, exist_ok=True)
        with own_flash(flash):
            (blank if args.blank else flashed)(board, flash)
    faults = CableFaults(noise=args.noise, read_only=args.read_only, seed=args.seed)
    with _broker(args.broker) as broker:
        radar = None if args.radar is None else RadarPort(args.radar)
        environment = Environment(args.detector, args.per_hour, args.seed, broker, radar=radar)
        with VirtualBoard(
            board.name, flash, chip=args.chip, speed=args.speed, environment=environment,
            faults=faults, number=args.port, terminal=args.tty or False,
        ) as made:  # fmt: skip
            yield made


@contextlib.contextmanager
def _broker(given: BrokerAddress | None) -> Iterator[BrokerAddress]:
    if given:
        yield given
    else:
        with live_broker(_free_port(LIVE_PORT)) as own:
            yield own


def _free_port(wanted: int) -> int:
    """The wanted port, or any other free one. Several boards may be on the bench."""
    for number in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, number))
            return int(probe.getsockname()[1])
    raise ToolError(f"no free TCP port on {HOST}")


def _introduction(port: Path | str, board: VirtualBoard) -> str:
    """The board's port, and three commands to try."""
    bin_ = ".venv/bin"
    return "\n".join(
        [
            f"{board.board.name} ({board.chip}, {board.board.flash_size >> 20} MB) at {port}",
            f"flash   {board.flash} (the simulator runs its own MicroPython)",
            f"broker  {board.environment.broker}",
            *([f"radar   {radar.url}"] if (radar := board.environment.radar) else []),
            "",
            f"  {bin_}/esptool --port {port} flash-id",
            f"  {bin_}/mpremote connect {port} fs ls",
            f"  {bin_}/tallypost flash --board {board.board.name} --port {port}",
            "",
            "Ctrl-C ends it.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
