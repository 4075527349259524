"""Infrared counters that fail: the node names it, and keeps counting with what works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.results.report import node_result
from tests.support.runs.living import live

SEED = 41  # none of the accuracy table's


@pytest.mark.parametrize(
    ("detector", "faults", "state"),
    (
        ("vl53l1x", {"absent_from": 600.0, "absent_to": 2400.0}, "silent"),
        ("vl53l1x", {"hung_from": 600.0}, "silent"),
        ("vl53l1x", {"frozen_from": 600.0}, "silent"),
        ("pir_pair", {"stuck_from": 600.0}, "blocked"),
        ("pir_pair", {"dead_from": 600.0}, "misaligned"),
    ),
)
def test_a_sensor_that_fails_is_named_and_its_time_is_not_observed(
    detector: str, faults: dict[str, float], state: str, tmp_path: Path
) -> None:
    plan = replace(cell_plan(detector, "moderate", SEED, 1), faults=faults, passages=200)
    evidence = live(plan, tmp_path)
    result = node_result(evidence)
    assert result["violations"] == []
    assert state in [body["det"] for body in evidence.backend.delivered.values()]
    assert all(one["false_zeros"] == 0 for one in result["directions"].values())
    before = [one for one in evidence.truth if one.t_us < 590_000_000]
    counted = [one for one in evidence.observer.passages if one.t_us < 600_000_000]
    assert len(counted) >= 0.85 * len(before) > 5
    if "absent_to" in faults:
        assert [one for one in evidence.observer.passages if one.t_us > 2_430_000_000]
