"""Checks that nothing about a single road user is kept.

Of fewer than `privacy_k` road users of a direction a record holds their number, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simulator.run.checkers.decode import DIRECTIONS, Record, Spacing
from simulator.run.processes.node import Evidence

K = 3  # by default


def few(evidence: Evidence) -> Iterator[str]:
    k = int(str(evidence.plan.config.get("privacy_k", K)))
    for number, record in evidence.observer.closed.items():
        for i, direction in enumerate(DIRECTIONS):
            passed = sum(record.counts[5 * i : 5 * i + 5])
            if 0 < passed < k and _tells_more(record, i):
                yield f"interval {number}: it tells more of {passed} {direction} than their number"


def _tells_more(record: Record, i: int) -> bool:
    numbers = (*record.counts[5 * i : 5 * i + 4], *record.speeds[i], record.added[i])
    return any(numbers) or bool(record.histograms[i]) or record.spacing[i] != Spacing()


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (few,)
