"""The matrix as a table: on the terminal, and for ACCURACY.md."""

from __future__ import annotations

from textwrap import wrap

from rich.console import Console
from rich.table import Table

from simulator.run.accuracy.cell import Cell, Share

COLUMNS = (
    "detector", "situation", "recall", "precision", "total", "direction", "class", "confused",
    "mean", "v85",
)  # fmt: skip
LEGEND = """\
Recall: share of the passages that were counted. Precision: share of the counts that are real.
Total: counts against passages, misses and phantoms cancel in it. Direction: share of right
directions. Class: share of right classes, without unknown. Confused: share of pedestrians and
bicycles counted as each other. Mean, v85: error in km/h. In brackets: the 95 % interval.
"""
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
    return [
        one.detector, one.scenario, _share(one.recall), _precision(one),
        "-" if total is None else f"{total:+.1f} %", _share(one.direction), _share(one.classed),
        _share(one.confused), _error(one.mean_error), _error(one.v85_error),
    ]  # fmt: skip


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


def markdown(cells: list[Cell], seeds: int, hours: int) -> str:
    """The table, its legend and its situations."""
    lines = [f"{seeds} runs of {hours} h each.", "", LEGEND]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(one)) + " |" for one in cells]
    titles = sorted({one.scenario: one.title for one in cells}.items())
    legend = ". ".join(f"`{name}`: {title}" for name, title in titles)
    return "\n".join([*lines, "", *wrap(legend + ".", WIDTH, break_long_words=False)])


def insert_table(text: str, table: str) -> str:
    """`text` with `table` between the lines BEGIN and END. Without these, only the table."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}" if begin and end else table + "\n"
