"""A zero with full coverage and no reason means that nobody passed, however blind the radar is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.plans.plan import NodePlan
from simulator.run.results.report import node_result
from simulator.world.streets.mount import Mount
from tests.support.runs.living import live

SEED = 41  # none of the accuracy table's


def plan(mount: Mount, faults: dict[str, float], scenario: str = "kerb_pole_30") -> NodePlan:
    drawn = cell_plan("ld2451", scenario, SEED, 3)
    config = {**drawn.config, "radar_line_m": round(mount.line_m)}
    return replace(drawn, mount=mount, faults=faults, config=config)


def directions(node: NodePlan, folder: Path) -> dict[str, dict[str, Any]]:
    result = node_result(live(node, folder))
    assert result["violations"] == []
    found: dict[str, dict[str, Any]] = result["directions"]
    assert all(one["false_zeros"] == 0 for one in found.values()), found
    return found


POLE = Mount(line_m=20, lanes=(3.25, 6.75), height_m=3.5, lobe_deg=20)


def test_a_far_lane_that_no_lobe_reaches_is_called_unseen(tmp_path: Path) -> None:
    found = directions(plan(replace(POLE, lanes=(3.25, 25.0)), {}), tmp_path)
    assert found["backward"]["counted"] == 0 and found["backward"]["observed_share"] < 0.1
    assert found["forward"]["recall"] > 0.97 and found["forward"]["observed_share"] > 0.98


def test_a_line_outside_the_lobe_is_named_in_every_interval(tmp_path: Path) -> None:
    wide = replace(POLE, line_m=5.0, lanes=(3.25, 12.0))  # seen from 33 m on
    found = directions(plan(wide, {}), tmp_path)
    assert found["backward"]["recall"] < 0.8 and found["backward"]["observed_share"] < 0.1


def test_cars_that_park_before_the_line_do_not_make_it_doubtful(tmp_path: Path) -> None:
    parking = cell_plan("ld2451", "manoeuvres", SEED + 1, 4)
    found = directions(parking, tmp_path)
    assert all(one["observed_share"] > 0.95 for one in found.values()), found


@pytest.mark.parametrize("from_s", (0.0, 5000.0))
def test_a_radar_that_sees_nothing_any_more_says_so(from_s: float, tmp_path: Path) -> None:
    found = directions(plan(POLE, {"covered": from_s}), tmp_path)
    assert found["forward"]["recall"] < 0.5


def test_usual_traffic_is_observed_in_both_directions(tmp_path: Path) -> None:
    found = directions(plan(POLE, {}), tmp_path)
    for one in found.values():
        assert one["observed_share"] > 0.98 and one["recall"] > 0.97, found
