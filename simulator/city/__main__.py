"""`make city`: broker, collector, database, public pages and ten simulated nodes on this machine.

Without ONCE it runs in real time until Ctrl-C and shows the pages at PORT. With `ONCE=1` it
simulates a day, writes database, pages and exports into the folder OUT, and ends. All counts come
from nodes, through a broker and `tallypost listen`. Exit status: 0 done, 1 not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import tomllib
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from simulator.city import chain, nodes
from simulator.run.plans.options import within
from simulator.run.plans.plan import NodePlan
from simulator.run.plans.rules import ScenarioError
from simulator.run.processes.node import prepare
from simulator.run.processes.workers import NodeFailed, run_all
from simulator.run.results.report import NodeResult
from tallypost.faults import ToolError

EXAMPLE = Path(__file__).with_name("example")
PAGES_S = 20.0  # from one run of the pages to the next, in real time
DAY = "2026-06-01"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make city", description=__doc__)
    add = top.add_argument
    add("--once", action="store_true", help="simulate a day, write pages and exports, end")
    add("--out", type=Path, help="folder for database, pages and exports (a temporary one)")
    add("--city", type=Path, default=EXAMPLE, help="folder with sites, theme and nodes")
    add("--day", default=DAY, help=f"local day that ONCE simulates ({DAY})")
    add("--hours", type=float, default=24.0, help="hours of that day (24)")
    add("--seed", type=within(0, 2**32 - 1), default=1, help="of all random numbers (1)")
    add("--port", type=within(1, 65535), default=8000, help="of the pages in real time (8000)")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.once and not args.out:
        print("make city: give ONCE=1 a folder: OUT=folder", file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallypost-")))
            out = (args.out or folder / "city").resolve()
            return City(args, folder, out, stack).run()
    except (ScenarioError, ToolError, ValueError, OSError) as error:
        print(f"make city: {error}", file=sys.stderr)
        return 2 if isinstance(error, ScenarioError) else 1
    except NodeFailed as error:
        print(f"{error}\nmake city: the simulator failed.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class City:
    """Broker, collector, nodes and pages. folder: temporary files."""

    def __init__(
        self, args: argparse.Namespace, folder: Path, out: Path, stack: ExitStack
    ) -> None:
        self._args, self._folder, self._out, self._stack = args, folder, out, stack
        self._sites = args.city.resolve() / "sites.toml"
        self._database = out / "tallypost.sqlite"
        self._nodes = nodes.read(args.city / "nodes.toml")
        table = tomllib.loads(self._sites.read_text(encoding="utf-8"))
        self._zone = ZoneInfo(table["city"]["timezone"])
        self._keys = [site["id"] for site in table["site"]]

    def run(self) -> int:
        chain.tallypost("sites", "check", self._sites)
        self._out.mkdir(parents=True, exist_ok=True)
        if self._args.once and self._database.exists():
            raise ToolError(f"{self._database} is there already. Name another folder with OUT=.")
        address = self._stack.enter_context(chain.broker(self._folder))
        lines = self._folder / "listen.jsonl"
        street = nodes.Street(address, lines, self._database, self._args.seed)
        keys = self._folder / "mac_keys.json"
        keys.write_text(json.dumps(nodes.mac_keys(self._nodes, street)))
        self._stack.enter_context(chain.listener(address, self._database, lines, keys))
        return self._once(street) if self._args.once else self._live(street)

    # --- one simulated day

    def _once(self, street: nodes.Street) -> int:
        day = date.fromisoformat(self._args.day)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        start = int(midnight.timestamp())
        drawn = [
            plan
            for node in self._nodes
            if (plan := nodes.day_plan(node, street, start, self._args.hours))
        ]
        began = time.monotonic()
        results = self._simulate(drawn)
        at = midnight + timedelta(hours=self._args.hours)
        self._pages(at.replace(tzinfo=None).isoformat(timespec="minutes"))
        self._exports(day)
        counted = sum(
            n for one in results for way in one["delivered"].values() for n in way.values()
        )
        bad = [result["node"] for result in results if result["violations"]]
        print(
            f"{len(results)} nodes, {counted:,} passages in the database (simulated), in"
            f" {time.monotonic() - began:.0f} s. Open {self._out / 'pages' / 'index.html'}"
        )
        if bad:
            print(f"a check failed at: {', '.join(bad)}", file=sys.stderr)
        return 1 if bad else 0

    def _simulate(self, drawn: list[NodePlan]) -> list[NodeResult]:
        def done(name: str, _result: NodeResult) -> None:
            print(f"{name}: delivered", file=sys.stderr, flush=True)

        return run_all(drawn, prepare(drawn), self._folder, lambda _name, _state: None, done)

    def _pages(self, at: str = "") -> None:
        theme = self._args.city.resolve() / "theme.toml"
        chain.tallypost(
            "pages", "--database", self._database, "--sites", self._sites, "--theme", theme,
            "--out", self._out / "pages", *(["--at", at] if at else []),
        )  # fmt: skip

    def _exports(self, day: date) -> None:
        folder = self._out / "exports"
        folder.mkdir(exist_ok=True)
        for key in self._keys:
            for form in ("csv", "json", "geojson"):
                chain.tallypost(
                    "export", "--database", self._database, "--sites", self._sites, "--site", key,
                    "--from", day, "--to", day, "--step", "15min", "--format", form,
                    "--out", folder / f"{key}.{form}",
                )  # fmt: skip

    # --- in real time

    def _live(self, street: nodes.Street) -> int:
        now = int(time.time()) // 60 * 60
        drawn = [nodes.live_plan(node, street, now) for node in self._nodes]
        self._stack.enter_context(chain.web_server(self._out / "pages", self._args.port))
        streets = threading.Thread(target=self._simulate, args=(drawn,), daemon=True)
        streets.start()
        print(
            f"{len(drawn)} simulated nodes in real time, intervals of a minute. Pages, some"
            f" minutes behind: http://127.0.0.1:{self._args.port}/index.html  Ctrl-C ends it.",
            flush=True,
        )
        while streets.is_alive():
            self._pages()
            streets.join(PAGES_S)
        return 1  # the nodes run for months


if __name__ == "__main__":
    sys.exit(main())
