"""The matrix as a table: on the terminal, and for ACCURACY.md."""

from __future__ import annotations

from textwrap import wrap

from rich.console import Console
from rich.table import Table

from simulator.run.accuracy.cell import Cell, Share
from simulator.run.results import hours as hourly

COLUMNS = (
    "detector", "situation", "recall", "by chance", "precision", "total", "by hour", "direction",
    "class", "confused", "mean", "v85",
)  # fmt: skip
LEGEND = """\
Recall: share of the passages that were counted. By chance: the recall of the same counts, moved by
minutes. Precision: share of the counts that are real. Total: counts against passages, misses and
phantoms cancel in it. By hour: mean size of the error of an hour and direction, and the largest.
Direction: share of right directions. Class: share of right classes, without unknown. Confused:
share of pedestrians and bicycles counted as each other. Mean, v85: error in km/h. In brackets: the
95 % interval of the draw. The error of the sensor's model is not in it: see
lib/passage/SENSITIVITY.md.
"""
FLOW_COLUMNS = (
    "detector", "passed an hour and direction", "hours", "bias", "mean error", "largest GEH",
    "GEH < 5",
)  # fmt: skip
WIDTH = 118
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"


def show(cells: list[Cell]) -> None:
    table = Table(*COLUMNS, title="accuracy (simulated)", title_justify="left")
    for one in cells:
        style = "red" if one.shortfalls() else None
        table.add_row(*row(one), style=style)
    Console().print(table)
    Console().print(LEGEND, end="", highlight=False)


def row(one: Cell) -> list[str]:
    total = one.count_error
    by_chance = f"{one.by_chance:.3f}" if one.passed else "-"
    return [
        one.detector, one.scenario, _share(one.recall), by_chance,
        _precision(one), "-" if total is None else f"{total:+.1f} %", _by_hour(one),
        _share(one.direction), _share(one.classed),
        _share(one.confused), _error(one.mean_error), _error(one.v85_error),
    ]  # fmt: skip


def _by_hour(one: Cell) -> str:
    found = hourly.errors(one.hours)
    return f"{found['error_pct']:.1f}, {found['error_max_pct']:.1f} %" if found["n"] else "-"


def _precision(one: Cell) -> str:
    if one.passed:
        return _share(one.precision)
    return f"phantoms: {one.counted}"


def _share(share: Share) -> str:
    if not share.n:
        return "-"
    low, high = share.range
    return f"{share.value:.3f} [{low:.3f}, {high:.3f}]"


def _error(error: tuple[float, tuple[float, float]] | None) -> str:
    return f"{error[0]:+.1f} [{error[1][0]:+.1f}, {error[1][1]:+.1f}]" if error else "-"


def flow_rows(cells: list[Cell]) -> list[str]:
    """Bias by flow, of each detector over all its situations, as lines of a table."""
    lines = ["| " + " | ".join(FLOW_COLUMNS) + " |", "|" + "---|" * len(FLOW_COLUMNS)]
    for detector in dict.fromkeys(one.detector for one in cells):
        hours = [hour for one in cells if one.detector == detector for hour in one.hours]
        for name, found in hourly.by_flow(hours).items():
            lines.append(
                f"| {detector} | {name} | {found['n']} | {found['bias_pct']:+.1f} % |"
                f" {found['error_pct']:.1f} % | {found['geh_max']:.1f} |"
                f" {100 * found['geh_good_share']:.0f} % |"
            )
    return lines


def markdown(cells: list[Cell], seeds: int, hours: int, flows: bool = True) -> str:
    """The table, its legend and its situations. flows: with the bias by flow."""
    lines = [f"{seeds} runs of {hours} h each.", "", LEGEND]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(one)) + " |" for one in cells]
    if flows:
        lines += ["", "Hours of all situations together, by flow:", "", *flow_rows(cells)]
    titles = sorted({one.scenario: one.title for one in cells}.items())
    legend = ". ".join(f"`{name}`: {title}" for name, title in titles)
    return "\n".join([*lines, "", *wrap(legend + ".", WIDTH, break_long_words=False)])


def insert_table(text: str, table: str) -> str:
    """`text` with `table` between the lines BEGIN and END. Without these, only the table."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}" if begin and end else table + "\n"
