"""`make conformance`: the checks on a virtual board, or on the board at a port.

Exit status: 0 all passed or were skipped by name, 1 a check failed, 2 wrong usage or no board.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tallypost.faults import ToolError
from tests.seam import table, wiring
from tests.seam.peer import Peer
from tests.seam.port import SILENCE_S, Port
from tests.seam.run import Run, failures

EVERYWHERE = "0.0.0.0"
VIRTUAL = "virtual board"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    add = top.add_argument
    add("--port", help="/dev/ttyUSB0, rfc2217://host:port, socket://host:port (a virtual board)")
    add("--wiring", type=Path, metavar="FILE", help="TOML: what is wired (tests/seam/README.md)")
    add("--scratch", metavar="LABEL", help="data partition whose last sector may be written to")
    add("--json", type=Path, metavar="FILE", help="write the results there")
    add("--beside", type=Path, metavar="FILE", help="results of an earlier run: a second column")
    add("--silence", type=float, default=SILENCE_S, metavar="S", help="of a board that hangs (45)")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        other = table.read(args.beside) if args.beside else None
        with _plugged_in(args) as run:
            board = run.all()
            title = args.port or VIRTUAL
            if args.json:
                table.write(args.json, title, board, run.results)
    except ToolError as error:
        print(f"make conformance: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 2
    for line in (*table.rows(title, run.results, other), "", *table.remarks(run.results)):
        print(line)
    return 1 if failures(run.results) else 0


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


@contextlib.contextmanager
def _plugged_in(args: argparse.Namespace) -> Iterator[Run]:
    """The board, and everything around it."""
    if not args.port:
        if args.wiring or args.scratch:
            raise ToolError("--wiring and --scratch are for a board", "name it: --port")
        with _virtual(args.silence) as run:
            yield run
        return
    wires = wiring.load(args.wiring) if args.wiring else wiring.Wiring()
    with contextlib.ExitStack() as stack:
        ports = None
        if wires.network:
            peer = stack.enter_context(Peer(EVERYWHERE))
            ports = peer.port, peer.closed
        yield Run(Port(args.port, args.silence), wires, args.scratch, ports, _tell)


@contextlib.contextmanager
def _virtual(silence_s: float) -> Iterator[Run]:
    from tests.seam import virtual  # a board at a port is tested without the simulator

    with (
        tempfile.TemporaryDirectory() as folder,
        virtual.virtual_board(Path(folder)) as board,
        Peer() as peer,
    ):
        port = Port(str(board.path), silence_s)
        yield Run(port, virtual.WIRING, virtual.SCRATCH, (peer.port, peer.closed), _tell)


if __name__ == "__main__":
    sys.exit(main())
