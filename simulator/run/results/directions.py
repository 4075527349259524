"""One node by direction: how well it counts, and how much it claims to have observed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from simulator.run.checkers.decode import DIRECTIONS, Record
from simulator.run.plans.sensors import Window
from simulator.run.processes.node import Evidence
from simulator.run.processes.observer import Passage
from simulator.run.results.scoring import recall_by_chance, score
from simulator.run.results.statistics import binned_percentile, percentile

BIN_KMH = 4.0  # of the node's histograms
FULL_S = 3  # coverage and length are whole seconds of a clock that drifts
PASSED_MIN = 5  # so many road users cannot have been overlooked by an interval without a count
# Bits of `why` (lib/wire/record.py): this direction was not observed, in the order of DIRECTIONS,
# or the silence of both is doubted.
UNSEEN = (256 | 2048, 512 | 2048)


def by_direction(
    evidence: Evidence, truth: Sequence[Passage], window: Window
) -> dict[str, dict[str, Any]]:
    """truth: as far as the detector can tell directions apart. `recall_by_chance` is the recall
    that the same counts have when they are moved by minutes."""
    found = {}
    records = list(evidence.observer.closed.values())
    for i, direction in enumerate(DIRECTIONS):
        passed = [one for one in truth if one.direction == direction]
        counted = [one for one in evidence.observer.passages if one.direction == direction]
        matched = score(passed, counted, window)
        found[direction] = {
            "passed": len(passed),
            "counted": len(counted),
            "recall": round(matched.recall, 4),
            "precision": round(matched.precision, 4),
            "recall_by_chance": round(recall_by_chance(passed, counted, window), 4),
            "observed_share": round(_observed_share(evidence, i), 4),
            "false_zeros": len(false_zeros(evidence, passed, i)),
            "speed": speed_errors([one.histograms[i] for one in records], matched.speeds),
        }
    return found


def speed_errors(
    histograms: Sequence[dict[int, int]], pairs: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """Errors of single passages, and of the histograms in the log, against the truth, in km/h."""
    bins: dict[int, int] = {}
    for histogram in histograms:
        for i, count in histogram.items():
            bins[i] = bins.get(i, 0) + count
    if not pairs or not bins:
        return {"n": 0}
    true_v85 = percentile([true for true, _ in pairs], 0.85)
    return {
        "n": len(pairs),
        "mean_error": round(fmean(counted - true for true, counted in pairs), 3),
        "error_p95": round(percentile([abs(c - t) for t, c in pairs], 0.95), 3),
        "v85_error": round(binned_percentile(bins, BIN_KMH, 0.85) - true_v85, 3),
    }


def _observed_share(evidence: Evidence, i: int) -> float:
    """Of the time with power. An interval that calls the direction unobserved adds nothing."""
    records = evidence.observer.closed.values()
    observed_s = sum(one.coverage for one in records if not one.why & UNSEEN[i])
    closed_s = sum(one.length for one in records)
    return min(1.0, observed_s / closed_s) if closed_s else 0.0


def false_zeros(evidence: Evidence, passed: Sequence[Passage], i: int) -> list[int]:
    """Numbers of the intervals with full coverage, no reason and no count of direction i, in which
    at least PASSED_MIN road users of that direction passed. `passed`: in order of time."""
    found = []
    for number, record in evidence.observer.closed.items():
        is_full = record.coverage >= record.length - FULL_S and record.start
        if record.why or not is_full or any(record.counts[5 * i : 5 * i + 5]):
            continue
        if _passed_in(record, passed, evidence.plan.start_utc) >= PASSED_MIN:
            found.append(number)
    return found


def _passed_in(record: Record, passed: Sequence[Passage], start_utc: int) -> int:
    start_us = (record.start - start_utc) * 1_000_000
    end_us = start_us + record.length * 1_000_000
    return sum(start_us <= one.t_us < end_us for one in passed)
