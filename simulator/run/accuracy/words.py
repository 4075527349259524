"""The matrix in plain words and two tables, for a comparison with a count by hand."""

from __future__ import annotations

from simulator.run.accuracy.cell import Cell, Share, free_flow_cell
from simulator.run.checkers.decode import CLASSES

USABLE_MIN = 0.95  # recall or precision below it: do not use the detector there
CLASS_MIN = 0.8  # share of right classes below it: the classes are unreliable there
TRUE = CLASSES[:4]


def words(cells: list[Cell]) -> list[str]:
    """A line for every detector that was seen in free traffic."""
    lines = []
    for name in dict.fromkeys(one.detector for one in cells):
        free_flow = free_flow_cell(cells, name)
        if free_flow:
            lines.append(f"- **{name}**: {_free_flow(free_flow)}{_pairs(cells, free_flow)}")
    return lines


def _free_flow(cell: Cell) -> str:
    recall, precision = cell.recall, cell.precision
    text = (
        f"in free traffic (`{cell.scenario}`) {1000 * recall.value:.0f} of 1,000 passages are"
        f" counted, at least {1000 * recall.range[0]:.0f} (95 % sure)."
        f" Of 1,000 counts {1000 * precision.value:.0f} are real,"
        f" at least {1000 * precision.range[0]:.0f}."
    )
    if cell.mean_error:
        worst = max(abs(edge) for edge in cell.mean_error[1])
        text += f" The mean speed is within {worst:.1f} km/h of the true one."
    return text


def _pairs(cells: list[Cell], free_flow: Cell) -> str:
    """The share of pairs side by side that count as one road user."""
    text = ""
    for one in _of(cells, free_flow.detector):
        missed = one.couples_missed(free_flow.recall.value)
        if missed.n:
            low, high = missed.range
            text += (
                f" Of 100 pairs side by side {100 * missed.value:.0f} count as one"
                f" ({100 * low:.0f} to {100 * high:.0f})."
            )
    return text


def _of(cells: list[Cell], detector: str) -> list[Cell]:
    return [one for one in cells if one.detector == detector and one.passed]


def limits(cells: list[Cell]) -> list[str]:
    """The situations in which a detector counts or classifies too badly, as a table."""
    lines = [
        "| detector | not for (passages counted, counts real) | classes unreliable in (right) |",
        "|---|---|---|",
    ]
    for name in dict.fromkeys(one.detector for one in cells):
        own = _of(cells, name)
        poor = [one for one in own if min(one.recall.value, one.precision.value) < USABLE_MIN]
        poor.sort(key=lambda one: one.recall.value * one.precision.value)
        guessed = [one for one in own if one.classed.n and one.classed.value < CLASS_MIN]
        guessed.sort(key=lambda one: one.classed.value)
        counts = [_figures(one, one.recall, one.precision) for one in poor]
        classes = [_figures(one, one.classed) for one in guessed]
        if counts or classes:
            lines.append(f"| {name} | {', '.join(counts) or '-'} | {', '.join(classes) or '-'} |")
    return lines


def _figures(one: Cell, *shares: Share) -> str:
    """The situation of a cell with shares in percent."""
    return f"`{one.scenario}` ({', '.join(f'{100 * share.value:.0f} %' for share in shares)})"


def matrix(cells: list[Cell]) -> list[str]:
    """True and counted classes, in free traffic and in the worst situation, as a table."""
    head = ["detector", "situation", "passed", *(f"as {name}" for name in CLASSES)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in dict.fromkeys(one.detector for one in cells):
        own = [one for one in cells if one.detector == name and one.classes]
        free_flow = free_flow_cell(cells, name)
        shown = [free_flow] if free_flow and free_flow.classes else []
        worst = min(own, key=lambda one: one.classed.value, default=None)
        if worst and worst is not free_flow and worst.classed.n:
            shown.append(worst)
        lines += [row for one in shown for row in _rows(one)]
    return lines


def _rows(one: Cell) -> list[str]:
    return [
        f"| {one.detector} | {one.scenario} | {true} | "
        + " | ".join(str(one.classes[true].get(name, 0)) for name in CLASSES)
        + " |"
        for true in TRUE
        if true in one.classes
    ]


def trust(cells: list[Cell]) -> str:
    """The generated part of TRUST.md."""
    return "\n".join([*words(cells), "", *limits(cells), "", *matrix(cells)])
