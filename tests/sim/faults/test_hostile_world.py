"""A hostile broker, a hostile clock, storage that fails: nothing is lost, and a node goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs.living import BEAM, RADAR, live, planned, unharmed


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_hostile_broker_costs_nothing(node: int, tmp_path: Path) -> None:
    """Retained orders to restart, deep nesting, 100 MB: all refused, and the records arrive."""
    evidence = live(planned("hostile_broker", node, hours=3), tmp_path)
    unharmed(evidence, tmp_path)
    link = evidence.health["link"]
    assert link["refused_commands"] > 20 and link["refused_acks"] > 5
    assert evidence.observer.boots == 1
    assert len(evidence.observer.connections) <= 12, "the long message comes once an hour"
