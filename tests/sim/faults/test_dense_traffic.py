"""Two passages a second while the network fails in every way: not one is missed for it.

No detector tells that many apart, with or without faults. So the counts are compared with those of
the same node on the same street without faults: a beam counts no less. A radar's passages are
timed by estimate in a stall, and so some merge: half a percent either way. Where it can tell them
apart, it counts all but one in a thousand in both runs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.plans.fault_schedule import fault_free_plan
from simulator.run.plans.plan import NodePlan
from simulator.run.results.scoring import Score, score
from tests.support.runs.living import BEAM, RADAR, live, planned

MIN = 60_000_000
HOURS = 0.5
A_SECOND = 2
HEADWAY_S = 0.8  # least, of those who go the same way


def _dense(node: int) -> NodePlan:
    """Each fault lasts long enough for every wait to reach its end: 14 s for a name, 5 s for a
    connection, 10 s for an acknowledgement, 90 s for a silent broker."""
    plan = planned("moderate", node, hours=HOURS)
    network_faults = replace(
        plan.network_faults,
        dns_dead=[(0, 5 * MIN)],
        broker_away=[(7 * MIN, 9 * MIN)],
        half_open=[(11 * MIN, 12 * MIN)],
        refused=[(13 * MIN, 15 * MIN)],
        puback_late=[(17 * MIN, 19 * MIN)],
        puback_late_us=(9_000_000, 12_000_000),
        wifi_down=[(20 * MIN, 21 * MIN)],
        ntp_away=[(0, 6 * MIN)],
    )
    amount = round(A_SECOND * HOURS * 3600)
    return replace(plan, passages=amount, headway_s=HEADWAY_S, network_faults=network_faults)


def _lived(plan: NodePlan, folder: Path) -> Score:
    """The node's score. Nothing else may be wrong."""
    evidence = live(plan, folder)
    assert records.violations(evidence) == []
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert evidence.order == sorted(evidence.observer.closed) and evidence.observer.resets == {}
    assert (len(evidence.observer.connections) > 1) == bool(plan.network_faults.half_open)
    return score(evidence.truth, evidence.observer.passages)


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_network_that_stalls_costs_no_passage(node: int, tmp_path: Path) -> None:
    plan = _dense(node)
    faulty, fault_free = _lived(plan, tmp_path), _lived(fault_free_plan(plan), tmp_path)
    assert faulty.truth == fault_free.truth == A_SECOND * HOURS * 3600
    fewer = faulty.truth // 200 if node == RADAR else 0
    assert faulty.matched >= fault_free.matched - fewer > 1000
    assert faulty.confusion == fault_free.confusion or node == RADAR


def test_a_radar_counts_999_of_1000_separable_passages(tmp_path: Path) -> None:
    plan = replace(_dense(RADAR), passages=1400, headway_s=2.0)
    faulty, fault_free = _lived(plan, tmp_path), _lived(fault_free_plan(plan), tmp_path)
    assert min(faulty.matched, fault_free.matched) >= 1400 - 1
    assert faulty.counted - faulty.matched <= 1
