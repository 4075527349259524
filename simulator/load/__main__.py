"""`make load`: many nodes at a broker, to measure a backend. Real time, real sockets.

Without BROKER= it starts mosquitto with the configuration that `tallypost provision` writes, and
`tallypost listen` with a database in a temporary folder. Exit status: 0 if every record is
confirmed, stored and not doubled, 1 if not, 2 for wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import secrets
import socket
import ssl
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from simulator.load import options, stored
from simulator.load.city import City, CityError
from simulator.load.cluster import Cluster
from simulator.load.nodes.figures import Figures
from simulator.load.fleet import Course, Faults, Fleet
from simulator.load.nodes.hostile import Stranger
from simulator.load.nodes.link import Address
from simulator.load.nodes.node import DIGEST, Login, Node, Town
from simulator.load.result import result, table, usage
from simulator.load.nodes.street import LENGTH_S, Street

_FILES_BESIDE = 200  # open files beside those of the nodes


def main(argv: list[str] | None = None) -> int:
    args = options.parser(__doc__ or "").parse_args(argv)
    try:
        _check_files(args.nodes)
        with ExitStack() as stack:
            found = _run(args, stack)
    except (CityError, RuntimeError, OSError, ValueError) as error:
        print(f"make load: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    return 0 if found["complete"] and not found["lost"] and not found["doubled"] else 1


def _check_files(nodes: int) -> None:
    """Every node needs an open file here, and another one at the broker. Raises RuntimeError."""
    wanted = nodes + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise RuntimeError(
            f"{nodes} nodes need {wanted} open files, this machine allows {hard}."
            f" Run: ulimit -Hn {wanted}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), hard))


def _run(args: argparse.Namespace, stack: ExitStack) -> dict[str, Any]:
    names = _names(args)
    city = None if args.broker else _city(args, stack, names)
    logins = city.logins if city else _logins(args, names)
    database = city.database if city else args.db
    run = f"{secrets.randbelow(0xFFFF):04x}"  # log ids of this run begin with it
    town = _town(args, city)
    nodes = [
        Node(town, name, f"{run}{i:04x}", args.backlog, logins[name])
        for i, name in enumerate(names[: args.nodes])
    ]
    strangers = [
        Stranger(town, name, logins[name], kind, args.rate)
        for name, kind in zip(names[args.nodes :], _kinds(args), strict=True)
    ]
    course = Course(
        args.ramp, args.intervals, args.period, args.spread, args.outage, args.kills, args.limit
    )
    faults = Faults(city.kill_broker, city.start_broker, city.kill) if city else Faults()
    fleet = Fleet(nodes, strangers, course, town.figures, faults)
    is_complete = asyncio.run(fleet.run())
    found = result(fleet, stored.count(database, run) if database else None)
    found["complete"] = is_complete
    if city:
        found["processes"] = usage(city.processes())
        found["dropped"] = city.broker_log().count("dropped")
    return found


def _names(args: argparse.Namespace) -> list[str]:
    """Names of the nodes, and behind them those of the clients that harm."""
    wanted = args.nodes + len(_kinds(args))
    if args.secrets:
        names = sorted(json.loads(args.secrets.read_text()))
        if len(names) < wanted:
            raise RuntimeError(f"{args.secrets}: {len(names)} nodes, and {wanted} are wanted")
        return names[:wanted]
    return [f"load-{i:05}" for i in range(wanted)]


def _kinds(args: argparse.Namespace) -> list[str]:
    return ["flood"] * args.flood + ["hostile"] * args.hostile


def _logins(args: argparse.Namespace, names: list[str]) -> dict[str, Login]:
    if not args.secrets:
        return {name: Login() for name in names}
    known = json.loads(args.secrets.read_text())
    return {name: Login(known[name]["mqtt_user"], known[name]["mqtt_pass"]) for name in names}


def _city(args: argparse.Namespace, stack: ExitStack, names: list[str]) -> City:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallypost-load-")))
    kind = Cluster if args.cluster else City
    city = kind(folder, names, args.root, args.tls, args.db or "")
    stack.callback(city.stop)
    city.start_broker()
    for number in range(args.collectors):
        city.start_collector(number)
    return city


def _town(args: argparse.Namespace, city: City | None) -> Town:
    """What all nodes have in common. The last interval of the run ends about now."""
    records = args.backlog + args.intervals + 1
    base = (int(time.time()) // LENGTH_S - records) * LENGTH_S
    places = tuple((one.host, one.port) for one in args.broker or ())
    name = places[0][0] if places else "localhost"
    if city:
        places = tuple(("127.0.0.1", port) for port in city.ports)
    ca = city.ca if city else args.ca
    tls = ssl.create_default_context(cafile=str(ca)) if ca else None
    resolved = tuple((socket.gethostbyname(host), port) for host, port in places)
    street = Street(args.seed, base, DIGEST)
    return Town(Address(resolved, name, tls), args.root, street, Figures(), args.frame)


if __name__ == "__main__":
    sys.exit(main())
