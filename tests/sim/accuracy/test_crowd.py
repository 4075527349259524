"""A busy pavement: the raw count, the corrected one, and how the walkers come."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.crowd import curve
from simulator.run.processes.node import _street
from simulator.run.results.report import node_result, total
from simulator.world.streets import crowd
from tallypost.backend.crowd import Corrected, Correction
from tests.support.runs.living import live

SEED = 43  # none of the accuracy table's
IN_GROUPS = 0.45  # of the walkers of `pavement`


def test_a_pavement_is_as_crowded_as_the_recorded_ones() -> None:
    street, _ = _street(cell_plan("ld2450", "pavement", SEED, 2))
    times = sorted(user.t_us for user in street.users)
    headways = [after - before for before, after in zip(times, times[1:])]
    assert 2200 < len(times) < 3000
    assert 0.40 < sum(one < 1_000_000 for one in headways) / len(headways) < 0.55
    assert 0.30 < sum(one < 500_000 for one in headways) / len(headways) < 0.45


@pytest.mark.parametrize("groups", curve.GROUPS)
def test_the_share_in_groups_is_the_one_that_was_asked_for(groups: float) -> None:
    sizes = curve.sizes(groups)
    walkers = [n * share for n, share in enumerate(sizes, 1)]
    assert sum(walkers[1:]) / sum(walkers) == pytest.approx(groups)
    assert crowd.mean_size(sizes, 1.0) == pytest.approx(sum(walkers))


def test_the_flow_is_that_of_road_users_and_not_of_groups() -> None:
    sizes = curve.sizes(0.6)
    times = crowd.arrivals(1000, crowd.mean_size(sizes, 1.0), 20, random.Random(SEED))
    assert len(times) * crowd.mean_size(sizes, 1.0) == pytest.approx(20_000, rel=0.05)


def test_a_busy_pavement_is_undercounted_and_corrected_within_five_percent(
    tmp_path: Path,
) -> None:
    result = node_result(live(cell_plan("ld2450", "pavement", SEED, 2), tmp_path))
    assert result["violations"] == []
    passed, counted = total(result["truth"]), total(result["noted"])
    assert 0.80 <= counted / passed < 0.95
    assert result["matched"]["precision"] > 0.93
    found = Corrected()
    Correction("ld2450", IN_GROUPS).add(found, counted, counted / 2)
    assert found.value == pytest.approx(passed, rel=0.05)
    figures = found.as_dict()
    assert figures and figures["low"] <= passed <= figures["high"]
