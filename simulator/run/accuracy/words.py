"""The matrix in plain words, for who compares it with a count by hand; who is taken for whom."""

from __future__ import annotations

from simulator.run.accuracy.cell import Cell, free_flow_cell
from simulator.run.checkers.decode import CLASSES

USABLE_MIN = 0.95  # recall or precision below: not for this
CLASS_MIN = 0.8  # right classes below: not to be told apart there
TRUE = CLASSES[:4]


def words(cells: list[Cell]) -> list[str]:
    """A line for every detector that was seen in free traffic."""
    told = []
    for name in dict.fromkeys(one.detector for one in cells):
        free_flow = free_flow_cell(cells, name)
        if free_flow:
            told.append(f"- **{name}**: {_free_flow(free_flow)}{_limits(cells, free_flow)}")
    return told


def _free_flow(free_flow: Cell) -> str:
    low, sure = free_flow.recall.range[0], free_flow.precision.range[0]
    text = (
        f"in free traffic (`{free_flow.scenario}`) {1000 * free_flow.recall.value:.0f} of 1,000 who pass are"
        f" counted, at least {1000 * low:.0f} (95 % sure); of 1,000 counted"
        f" {1000 * free_flow.precision.value:.0f} had passed, at least {1000 * sure:.0f}"
    )
    if free_flow.mean_error:
        worst = max(abs(edge) for edge in free_flow.mean_error[1])
        text += f"; a mean speed is within {worst:.1f} km/h"
    return text + "."


def _limits(cells: list[Cell], free_flow: Cell) -> str:
    own = [one for one in cells if one.detector == free_flow.detector and one.passed]
    poor = [one for one in own if min(one.recall.value, one.precision.value) < USABLE_MIN]
    text = ""
    if poor:
        named = (
            f"`{one.scenario}` ({_hundred(one.recall.value)} counted,"
            f" {_hundred(one.precision.value)} right)"
            for one in sorted(poor, key=lambda one: one.recall.value * one.precision.value)
        )
        text += f" Not for: {', '.join(named)}."
    guessed = [one for one in own if one.classed.n and one.classed.value < CLASS_MIN]
    if guessed:
        named = (
            f"`{one.scenario}` ({_hundred(one.classed.value)} right)"
            for one in sorted(guessed, key=lambda one: one.classed.value)
        )
        text += f" No classes in: {', '.join(named)}."
    for one in own:
        couples = one.couples_missed(free_flow.recall.value)
        if couples.n:
            low, high = couples.range
            text += (
                f" Of 100 couples side by side {100 * couples.value:.0f} count as one"
                f" ({100 * low:.0f} to {100 * high:.0f})."
            )
    return text


def _hundred(share: float) -> str:
    return f"{100 * share:.0f} %"


def matrix(cells: list[Cell]) -> list[str]:
    """Who was counted as what, in free traffic and where classes are worst, as a table."""
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
    """The text for TRUST.md."""
    return "\n".join([*words(cells), "", *matrix(cells)])
