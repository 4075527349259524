"""Every scenario, for as long as its faults need to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run.plans.scenario import names
from tests.support.long import LONG
from tests.support.runs.running import simulate

HOURS = {"power_cuts": "4", "wifi_flap": "1", "storage_faults": "4"}
# Much traffic, and nothing that comes at an hour: what shows in two hours shows in one.
BUSY = (
    "dense_flow", "harsh", "kerb_pole_30", "pavement", "platoons", "queue", "queue_by_echo",
    "rush_hour", "tailgating", "turned_untold", "u_turns", "uneven",
)  # fmt: skip
HOURS |= {} if LONG else dict.fromkeys(BUSY, "1.1")


@pytest.mark.parametrize("scenario", sorted(set(names()) - {"moderate"}))
def test_a_scenario_loses_no_interval(scenario: str, tmp_path: Path) -> None:
    ran = simulate(
        tmp_path, "--scenario", scenario, "--seed", "3", "--hours", HOURS.get(scenario, "2")
    )
    assert ran.status == 0, ran.out
    for node in ran.nodes:
        assert node["intervals"]["closed"] >= 4
        assert node["intervals"]["lost"] == node["intervals"]["duplicated"] == 0
        assert node["counted"] == node["delivered"]
        SHOWS.get(scenario, lambda _: None)(node)


def _cut(node: dict[str, object]) -> None:
    assert int(str(node["power_cuts"])) >= 90  # of 100: the run may end before the last ones


def _empty(node: dict[str, object]) -> None:
    coverage = node["coverage"]
    assert isinstance(coverage, dict)
    assert coverage["observed_s"] > 0.99 * coverage["closed_s"]


SHOWS = {"power_cuts": _cut, "empty_night": _empty}
