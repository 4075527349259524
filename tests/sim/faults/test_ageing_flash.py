"""Bits of the written log flip while the power is away: every interval arrives, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run.checkers import records
from tests.support.runs.living import BEAM, RADAR, live, planned


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_bit_that_flips_at_each_power_cut_costs_no_interval(node: int, tmp_path: Path) -> None:
    evidence = live(planned("ageing_flash", node, hours=6), tmp_path)
    assert records.violations(evidence) == []
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert evidence.observer.cuts == 8 and evidence.plan.rot == 1
