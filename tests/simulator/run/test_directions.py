"""False zeros, the share observed, and the recall by chance."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from simulator.run.checkers.decode import Record
from simulator.run.processes.observer import Passage
from simulator.run.results.directions import by_direction, false_zeros
from simulator.run.results.scoring import recall_by_chance
from simulator.run.plans.sensors import WIDEST

START, S = 1_780_272_000, 1_000_000
EMPTY = Record(START, 1, 0, 900, 900, 0, [0] * 10, [0] * 10, [(0, 0)] * 2, [{}, {}])
PASSED = [Passage(i * 100 * S, "backward", "car") for i in range(1, 7)]


def evidence(*records: Record, passages: tuple[Passage, ...] = ()) -> Any:
    observer = SimpleNamespace(closed=dict(enumerate(records)), passages=list(passages))
    return SimpleNamespace(observer=observer, plan=SimpleNamespace(start_utc=START))


def test_an_empty_interval_in_which_road_users_passed_is_a_false_zero() -> None:
    assert false_zeros(evidence(EMPTY), PASSED, 1) == [0]
    assert false_zeros(evidence(EMPTY), PASSED[:4], 1) == []
    assert false_zeros(evidence(replace(EMPTY, start=START + 900)), PASSED, 1) == []


@pytest.mark.parametrize(
    "honest", ({"why": 512}, {"coverage": 600}, {"counts": [0] * 9 + [1]}, {"start": 0})
)
def test_a_reason_missing_coverage_or_a_count_make_it_honest(honest: dict[str, Any]) -> None:
    assert false_zeros(evidence(replace(EMPTY, **honest)), PASSED, 1) == []


def test_a_direction_called_unobserved_has_a_smaller_share() -> None:
    both = evidence(EMPTY, replace(EMPTY, why=512))
    found = by_direction(both, PASSED, WIDEST)
    assert found["forward"]["observed_share"] == 1.0
    assert found["backward"]["observed_share"] == 0.5
    assert found["backward"]["passed"] == 6 and found["backward"]["recall"] == 0.0
    assert found["backward"]["false_zeros"] == 1 and found["forward"]["false_zeros"] == 0


def test_counts_at_random_have_a_recall_by_chance() -> None:
    dense = [Passage(i * 3 * S, "forward", "car") for i in range(300)]
    assert recall_by_chance(dense, dense) > 0.8
    sparse = [Passage(i * 90 * S, "forward", "car") for i in range(30)]
    assert recall_by_chance(sparse, sparse) == 0.0
