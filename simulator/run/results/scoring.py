"""Scores single passages against the truth. In totals, misses and phantoms would cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from simulator.run.checkers.decode import DIRECTIONS
from simulator.run.plans.sensors import WIDEST, Window
from simulator.run.processes.observer import Passage

# The same counts, moved by so much, match the truth by chance alone.
SHIFTS_US = (-127_000_000, -61_000_000, 61_000_000, 127_000_000)


@dataclass
class Score:
    """Matched pairs, and the numbers on either side."""

    truth: int
    counted: int
    matched: int = 0
    direction_errors: int = 0
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)  # truth -> counted -> n
    speeds: list[tuple[float, float]] = field(default_factory=list)  # true, counted, if known

    @property
    def recall(self) -> float:
        return self.matched / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        return self.matched / self.counted if self.counted else 1.0


def recall_by_chance(
    truth: Sequence[Passage], counted: Sequence[Passage], window: Window = WIDEST
) -> float:
    """The recall of counts that have nothing to do with the truth: they are moved by minutes."""
    found = 0.0
    for shift_us in SHIFTS_US:
        moved = [replace(passage, t_us=passage.t_us + shift_us) for passage in counted]
        found += score(truth, moved, window).recall
    return found / len(SHIFTS_US)


def score(truth: Sequence[Passage], counted: Sequence[Passage], window: Window = WIDEST) -> Score:
    """Pair single passages of the same direction, in order, within the window.

    In order, because two followers cannot change places. With windows of one size no other pairing
    makes more pairs. Unpaired passages are tried again against the other direction. Those pairs
    are direction errors and do not count as matched.
    """
    result = Score(len(truth), len(counted))
    missed: list[Passage] = []
    phantoms: list[Passage] = []
    for direction in DIRECTIONS:
        pairs, rest_t, rest_c = _paired(
            [p for p in truth if p.direction == direction],
            [p for p in counted if p.direction == direction],
            window,
        )
        for true, noted in pairs:
            row = result.confusion.setdefault(true.cls, {})
            row[noted.cls] = row.get(noted.cls, 0) + 1
            if noted.kmh >= 0:
                result.speeds.append((true.kmh, noted.kmh))
        result.matched += len(pairs)
        missed += rest_t
        phantoms += rest_c
    for direction in DIRECTIONS:
        pairs, _, _ = _paired(
            [p for p in missed if p.direction == direction],
            [p for p in phantoms if p.direction != direction],
            window,
        )
        result.direction_errors += len(pairs)
    return result


def _paired(
    truth: list[Passage], counted: list[Passage], window: Window
) -> tuple[list[tuple[Passage, Passage]], list[Passage], list[Passage]]:
    """Pairs, and the unpaired rest of either side. Both are in order of time."""
    pairs: list[tuple[Passage, Passage]] = []
    missed, phantoms = [], []
    t = c = 0
    while t < len(truth) and c < len(counted):
        late_us = counted[c].t_us - truth[t].t_us
        if late_us < -window.early_us:
            phantoms.append(counted[c])
            c += 1
        elif late_us > window.late_us:
            missed.append(truth[t])
            t += 1
        else:
            pairs.append((truth[t], counted[c]))
            t, c = t + 1, c + 1
    return pairs, missed + truth[t:], phantoms + counted[c:]
