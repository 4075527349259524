"""Rain at night: many drops, few road users."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.results.report import node_result
from tests.support.runs.living import live


@pytest.mark.parametrize("seed", (41, 43))  # none of the accuracy table's
def test_drops_at_night_are_not_counted_and_road_users_are(seed: int, tmp_path: Path) -> None:
    result = node_result(live(cell_plan("ld2451", "night_rain", seed, 4), tmp_path))
    assert result["violations"] == []
    matched = result["matched"]
    assert matched["recall"] >= 0.9 and matched["precision"] >= 0.9, matched
    assert all(one["false_zeros"] == 0 for one in result["directions"].values())


def test_nothing_is_counted_in_a_night_of_rain_without_road_users(tmp_path: Path) -> None:
    result = node_result(live(cell_plan("ld2451", "rainy_night", 41, 4), tmp_path))
    assert sum(result["noted"]["forward"].values()) == 0, result["noted"]
    assert sum(result["noted"]["backward"].values()) == 0, result["noted"]
