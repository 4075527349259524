"""Confidence intervals and percentiles against values by hand or from the literature."""

from __future__ import annotations

import pytest

from simulator.run.results.statistics import binned_percentile, mean_range, percentile, wilson


def test_wilson_as_in_the_literature() -> None:
    """Newcombe 1998, table I: 81 of 263 -> .2553 to .3662, and 0 of 20 -> 0 to .1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_mean_of_a_few() -> None:
    """1, 2, 3: mean 2, deviation 1, t(2) = 4.303: half 4.303 / sqrt(3) = 2.484."""
    assert mean_range([1.0, 2.0, 3.0]) == pytest.approx((-0.484, 4.484), abs=1e-3)
    assert mean_range([5.0]) == (5.0, 5.0)
    assert mean_range([2.0] * 20) == (2.0, 2.0)


def test_percentiles_are_linear_between_two() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert percentile([10.0, 20.0], 0.85) == pytest.approx(18.5)
    assert percentile([7.0], 0.85) == 7.0


def test_percentiles_of_a_histogram_are_linear_in_the_bin() -> None:
    assert binned_percentile({10: 100}, 4.0, 0.5) == 42.0
    assert binned_percentile({0: 50, 12: 50}, 4.0, 0.85) == pytest.approx(48 + 4 * 0.7)
    with pytest.raises(ValueError):
        binned_percentile({}, 4.0, 0.85)
