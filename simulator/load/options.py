"""Options of `make load`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from simulator.run.plans.options import broker_address, output, within
from simulator.run.plans.plan import BrokerAddress

_NODES_MAX = 65_535  # four digits of a log id
_BACKLOG_MAX = 100_000


def _seconds(maximum: float) -> Callable[[str], float]:
    def seconds(text: str) -> float:
        value = float(text)
        if not 0 <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{text} is not within 0 .. {maximum:g}")
        return value

    return seconds


def _brokers(text: str) -> list[BrokerAddress]:
    """HOST:PORT, or several with commas."""
    return [broker_address(one) for one in text.split(",")]


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"'{text}' is no file")
    return path


def parser(description: str) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="make load", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = top.add_argument
    add("--nodes", type=within(1, _NODES_MAX), default=50, help="number of nodes (50)")
    add("--backlog", type=within(0, _BACKLOG_MAX), default=24, help="records that wait (24)")
    add("--intervals", type=within(0, 1000), default=0, help="records closed after that (0)")
    add("--period", type=_seconds(3600), default=10.0, help="s between two of them (10)")
    add("--spread", type=_seconds(3600), default=0.0, help="s within which all close one (0)")
    add("--ramp", type=_seconds(3600), default=0.0, help="s within which all are switched on (0)")
    add(
        "--outage",
        type=_seconds(3600),
        default=0.0,
        help="s without a broker (0)",
    )
    add("--kills", type=within(0, 100), default=0, help="of the collector, kill -9 (0)")
    add("--collectors", type=within(1, 16), default=1, help="collectors of its own (1)")
    add("--flood", type=within(0, 100), default=0, help="nodes that flood (0)")
    add("--hostile", type=within(0, 100), default=0, help="nodes with hostile messages (0)")
    add("--rate", type=_seconds(100_000), default=0.0, help="messages/s of these (0: no limit)")
    add("--limit", type=_seconds(86_400), default=600.0, help="s, then the run ends (600)")
    add("--frame", type=within(1500, 8192), default=3000, help="bytes of a message (3000)")
    add("--seed", type=within(0, 2**32 - 1), default=1, help="of the street (1)")
    add("--root", default="tallypost/v1", help="of the topics (tallypost/v1)")
    add("--tls", action="store_true", help="TLS, if the broker is its own")
    add("--cluster", action="store_true", help="three NATS servers in the place of mosquitto")
    add("--json", type=output, metavar="FILE", help="write the result")
    far = top.add_argument_group("a broker that runs already")
    far.add_argument("--broker", type=_brokers, metavar="HOST:PORT[,...]", help="its address")
    far.add_argument("--ca", type=_file, metavar="FILE", help="use TLS; its authority, PEM")
    far.add_argument("--secrets", type=_file, metavar="FILE", help="secrets.json, for passwords")
    far.add_argument("--db", metavar="DB", help="collector's SQLite file or PostgreSQL URL")
    return top
