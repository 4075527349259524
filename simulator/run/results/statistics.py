"""Confidence intervals and percentiles. No library: four formulas, each with its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

Z95 = 1.959964
# Student's t, two-sided 95 %, for 1 .. 9 degrees of freedom.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
Range = tuple[float, float]


def wilson(hits: int, n: int) -> Range:
    """95 % interval of a share (Wilson 1927). Without samples it is 0 .. 1."""
    if not n:
        return 0.0, 1.0
    share, z2 = hits / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_range(values: Sequence[float]) -> Range:
    """95 % interval of the mean of a few runs (Student's t). One run has none: the value
    itself."""
    middle = fmean(values)
    if len(values) < 2:
        return middle, middle
    t = T95[len(values) - 2] if len(values) - 2 < len(T95) else Z95
    half = t * stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest (Hyndman and Fan 1996, type 7)."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def binned_percentile(bins: dict[int, int], width: float, share: float) -> float:
    """Of a histogram, bin i from i * width: linear inside the bin in which it falls."""
    rank = share * sum(bins.values())
    below = 0
    for i, count in sorted(bins.items()):
        if below + count >= rank:
            return width * (i + (rank - below) / count)
        below += count
    raise ValueError("a percentile of nothing")
