"""Checks that the cumulative totals grow by what each interval counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simulator.run.checkers import decode
from simulator.run.processes.node import Evidence

_TOTAL_WRAP = 1 << 30


def damaged(evidence: Evidence) -> set[int]:
    """Closed intervals that damage at rest has taken from the ring log."""
    held = decode.intervals(evidence.ring) if evidence.plan.rot else evidence.observer.closed
    return set(evidence.observer.closed) - set(held)


def jump(evidence: Evidence) -> Iterator[str]:
    """After damage to a record its count may be missing: the checkpoint may be damaged, too."""
    before, gone, was_gone = [0] * 10, damaged(evidence), False
    for number in sorted(evidence.observer.closed):
        record = evidence.observer.closed[number]
        due = [(b + c) % _TOTAL_WRAP for b, c in zip(before, record.counts, strict=True)]
        if record.totals != due and not was_gone:
            yield f"interval {number}: totals are not those before plus what was counted"
            return
        before, was_gone = record.totals, number in gone


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (jump,)
