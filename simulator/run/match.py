"""Scores single passages against the truth: in totals, misses and phantoms would cancel."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.run.observe import Passage

WINDOW_US = 4_000_000


@dataclass
class Score:
    """Matched pairs, and what was left over on either side."""

    truth: int
    counted: int
    matched: int = 0
    direction_errors: int = 0
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)  # truth -> counted -> n

    @property
    def recall(self) -> float:
        return self.matched / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        return self.matched / self.counted if self.counted else 1.0


def score(truth: Sequence[Passage], counted: Sequence[Passage]) -> Score:
    """Pair each counted passage with the nearest unpaired true one of its direction within 4 s.

    What is left over is tried again against the other direction; those pairs are direction errors
    and do not count as matched.
    """
    result = Score(len(truth), len(counted))
    free = [True] * len(truth)
    times = [passage.t_us for passage in truth]
    rest = []
    for passage in counted:
        found = _nearest(truth, times, free, passage, same=True)
        if found is None:
            rest.append(passage)
            continue
        free[found] = False
        result.matched += 1
        row = result.confusion.setdefault(truth[found].cls, {})
        row[passage.cls] = row.get(passage.cls, 0) + 1
    for passage in rest:
        found = _nearest(truth, times, free, passage, same=False)
        if found is not None:
            free[found] = False
            result.direction_errors += 1
    return result


def _nearest(
    truth: Sequence[Passage], times: list[int], free: list[bool], passage: Passage, same: bool
) -> int | None:
    best, best_off = None, WINDOW_US + 1
    i = bisect_left(times, passage.t_us - WINDOW_US)
    while i < len(times) and times[i] <= passage.t_us + WINDOW_US:
        off = abs(times[i] - passage.t_us)
        if free[i] and off < best_off and (truth[i].direction == passage.direction) == same:
            best, best_off = i, off
        i += 1
    return best
