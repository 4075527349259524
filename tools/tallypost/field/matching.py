"""Passages of two lists, paired one to one: matches, misses and phantoms.

Pairs have the same direction and lie within a window. Two followers cannot change places, so they
are paired in order. The clocks of a phone and of a computer differ: the offset with the most pairs
is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

DIRECTIONS = ("forward", "backward")
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
OFFSET_MAX_S = 30.0
OFFSET_STEP_S = 0.25
SHIFTS_S = (-127.0, -61.0, 61.0, 127.0)  # the same counts, moved: what matches by chance


@dataclass(frozen=True)
class Seen:
    """One passage. s: seconds since 1970, UTC."""

    s: float
    direction: str
    cls: str


@dataclass
class Pairing:
    """pairs: (truth, count)."""

    pairs: list[tuple[Seen, Seen]] = field(default_factory=list)
    missed: list[Seen] = field(default_factory=list)
    phantoms: list[Seen] = field(default_factory=list)


def paired(truth: Sequence[Seen], counted: Sequence[Seen], window_s: float) -> Pairing:
    """Pair passages of one direction within so many seconds, in order."""
    found = Pairing()
    for direction in DIRECTIONS:
        left = sorted((one for one in truth if one.direction == direction), key=_time)
        right = sorted((one for one in counted if one.direction == direction), key=_time)
        t = c = 0
        while t < len(left) and c < len(right):
            late_s = right[c].s - left[t].s
            if late_s < -window_s:
                found.phantoms.append(right[c])
                c += 1
            elif late_s > window_s:
                found.missed.append(left[t])
                t += 1
            else:
                found.pairs.append((left[t], right[c]))
                t, c = t + 1, c + 1
        found.missed += left[t:]
        found.phantoms += right[c:]
    return found


def _time(one: Seen) -> float:
    return one.s


def moved(counted: Sequence[Seen], by_s: float) -> list[Seen]:
    return [replace(one, s=one.s + by_s) for one in counted]


def offset(truth: Sequence[Seen], counted: Sequence[Seen], window_s: float) -> float:
    """Seconds to add to the counts, so that most of them match. The middle of the best ones."""
    steps = round(OFFSET_MAX_S / OFFSET_STEP_S)
    tried = [step * OFFSET_STEP_S for step in range(-steps, steps + 1)]
    pairs = {by_s: len(paired(truth, moved(counted, by_s), window_s).pairs) for by_s in tried}
    best = max(pairs.values())
    fitting = [by_s for by_s in tried if pairs[by_s] == best]
    return fitting[len(fitting) // 2]


def by_chance(truth: Sequence[Seen], counted: Sequence[Seen], window_s: float) -> float:
    """The share of the truth that matches the same counts, moved by minutes."""
    if not truth:
        return 0.0
    found = [len(paired(truth, moved(counted, by_s), window_s).pairs) for by_s in SHIFTS_S]
    return sum(found) / len(found) / len(truth)
