"""The display of a run: a bar, a live table of nodes, and the final comparison. Imports rich."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from simulator.run.plans.plan import NodePlan, RunOptions
from simulator.run.results.report import total


class Screen:
    """Progress on stderr: drawn on a terminal, a line now and then elsewhere."""

    def __init__(self, options: RunOptions, plans: list[NodePlan]) -> None:
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._options = options
        self._plans = plans
        self._state: dict[str, dict[str, int]] = {plan.name: {} for plan in plans}
        self._began = time.monotonic()
        self._said = self._began
        self._live = Live(console=self._err, refresh_per_second=5, transient=True)

    def __enter__(self) -> Screen:
        options = self._options
        title = f"seed {options.seed}, scenario {options.scenario}, {options.hours:g} h simulated"
        self._err.print(title, style="bold")
        for plan in self._plans[:10]:
            self._err.print(f"  {plan.summary()}")
        if len(self._plans) > 10:
            self._err.print(f"  and {len(self._plans) - 10} more")
        if self._err.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._err.is_terminal:
            self._live.stop()

    def show(self, name: str, state: dict[str, int]) -> None:
        """Take the state of a node."""
        self._state[name] = state
        now = time.monotonic()
        if self._err.is_terminal:
            self._live.update(Group(self._line(now), self._bar(), self._table()))
        elif now - self._said > 5:
            self._said = now
            self._err.print(self._line(now))

    def _passed_us(self) -> float:
        """Mean simulated time of the nodes."""
        return sum(s.get("t_us", 0) for s in self._state.values()) / len(self._plans)

    def _line(self, now: float) -> Text:
        passed_us = self._passed_us()
        hours, rest = divmod(int(passed_us / 1e6), 3600)
        speed = passed_us / 1e6 / max(now - self._began, 0.01)
        return Text(f"{hours:02}:{rest // 60:02} simulated, {speed:,.0f} x real time")

    def _bar(self) -> ProgressBar:
        return ProgressBar(total=self._options.hours * 3.6e9, completed=self._passed_us())

    def _table(self) -> Table:
        grid = Table(box=None, pad_edge=False)
        grid.add_column("node")
        for title in ("passed", "counted", "intervals", "delivered", "boots"):
            grid.add_column(title, justify="right")
        for name, state in list(self._state.items())[:20]:
            keys = ("passed", "counted", "closed", "delivered", "boots")
            grid.add_row(name, *(f"{state.get(key, 0):,}" for key in keys))
        return grid


def print_result(result: dict[str, Any]) -> None:
    """The final comparison, on stdout."""
    out = Console(highlight=False, soft_wrap=True, file=sys.stdout)
    out.print(_comparison(result["nodes"]))
    for node in result["nodes"][:20]:
        out.print(_facts(node))
    out.print(_memory(result["nodes"]))
    if "air" in result:
        out.print(_air(result["air"]))
    speed = result["simulated_s"] / max(result["wall_s"], 0.01)
    out.print(
        f"Took {result['wall_s']:.1f} s, {speed:,.0f} x real time."
        f" SHA-256 of the trace: {result['trace_sha256']}"
    )
    for text in result["violations"][:20]:
        out.print(f"Violation: {text}", style="bold red", markup=False)
    if not result["violations"]:
        out.print(
            "No interval is lost or duplicated, and no check has failed.", style="bold green"
        )


def _comparison(nodes: list[dict[str, Any]]) -> Table:
    grid = Table(title="passages (simulated)", title_justify="left", box=None, pad_edge=False)
    for title in ("node", "direction"):
        grid.add_column(title)
    for title in ("passed", "counted", "backend"):
        grid.add_column(title, justify="right")
    grid.add_column("counted as")
    for node in nodes[:20]:
        for direction in ("forward", "backward"):
            numbers = [sum(node[k][direction].values()) for k in ("truth", "counted", "delivered")]
            classes = " ".join(f"{c} {n}" for c, n in node["delivered"][direction].items() if n)
            grid.add_row(node["node"], direction, *(f"{n:,}" for n in numbers), classes or "-")
    return grid


def _memory(nodes: list[dict[str, Any]]) -> Table:
    """The chip's memory. Growth of the GC heap in service is taken from Wi-Fi and TLS."""
    grid = Table(
        title="memory, least bytes (simulated)", title_justify="left", box=None, pad_edge=False
    )
    grid.add_column("node")
    for title in ("GC free", "ESP-IDF free", "largest block", "GC growth in service"):
        grid.add_column(title, justify="right")
    keys = ("gc_free_min", "idf_free_min", "idf_largest_min", "gc_growth_after_60s")
    for node in nodes[:20]:
        least = [node["memory"][key] for key in keys]
        grid.add_row(node["node"], *("-" if n is None else f"{n:,}" for n in least))
    return grid


def _air(air: dict[str, Any]) -> Table:
    """Frames of all nodes on one air, and those that the gateway did not get."""
    whole = ("frames", "spoiled", "by_sf", "after_first_hour")
    causes = ", ".join(
        f"{key.replace('_', ' ')} {n}" for key, n in air.items() if key not in whole
    )
    grid = Table(
        title=f"LoRaWAN frames (simulated), lost by {causes}", title_justify="left", box=None,
        pad_edge=False,
    )  # fmt: skip
    grid.add_column("on one air")
    for title in ("frames", "lost", "share"):
        grid.add_column(title, justify="right")
    rows = {"all": (air["frames"], air["spoiled"]), "after 1 h": air["after_first_hour"]}
    rows |= {f"SF{sf}": pair for sf, pair in air["by_sf"].items()}
    for name, (sent, lost) in rows.items():
        grid.add_row(name, f"{sent:,}", f"{lost:,}", f"{100 * lost / max(sent, 1):.1f} %")
    return grid


def _facts(node: dict[str, Any]) -> str:
    matched, intervals, cover = node["matched"], node["intervals"], node["coverage"]
    radio = node.get("radio")
    radio_text = (
        f" {radio['frames']} frames, {radio['airtime_s_a_day']} s on the air a day."
        if radio
        else ""
    )
    share = 100 * cover["observed_s"] / max(cover["alive_s"], 1)
    return (
        f"{node['node']}: recall {matched['recall']:.4f}, precision {matched['precision']:.4f},"
        f" wrong direction {matched['direction_errors']} of {total(node['truth']):,}."
        f" Intervals: {intervals['closed']} closed, {intervals['delivered']} delivered,"
        f" {intervals['lost']} lost, {intervals['duplicated']} duplicated."
        f"{radio_text} Observed {share:.1f} % of the time with power,"
        f" {node['power_cuts']} power cuts. At least {node['heap_free_min']:,} bytes of heap free."
    )
