"""A hostile broker, a hostile clock, storage that fails: nothing is lost, and a node goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run.checkers import clock, records
from tests.support.runs.living import BEAM, RADAR, live, planned, unharmed


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_hostile_broker_costs_nothing(node: int, tmp_path: Path) -> None:
    """Retained orders to restart, deep nesting, 100 MB: all refused, and the records arrive."""
    evidence = live(planned("hostile_broker", node, hours=3), tmp_path)
    unharmed(evidence, tmp_path)
    link = evidence.health["link"]
    assert link["refused_commands"] > 20 and link["refused_acks"] > 5
    assert evidence.observer.boots == 1
    assert len(evidence.observer.connections) <= 18, "two in a quarter of an hour"


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_forged_time_costs_the_times_of_the_intervals_between(node: int, tmp_path: Path) -> None:
    """20 years ahead for an hour, an hour ahead for two, and power cuts."""
    evidence = live(planned("hostile_clock", node, hours=12), tmp_path)
    assert records.violations(evidence) == []
    assert clock.without_time(evidence) == [] and len(evidence.delivered) >= 48
    wrong = [n for n in evidence.delivered if clock.is_misplaced(evidence, n)]
    assert 3 <= len(wrong) <= 14, "the clock was wrong for an hour and a half"
