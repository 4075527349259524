"""A hostile broker, a hostile clock, storage that fails: nothing is lost, and a node goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import clock, records
from simulator.run.plans.plan import HOUR_US
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


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_storage_that_fails_costs_seconds(node: int, tmp_path: Path) -> None:
    """NVS is full, then the log is write-protected, then both: the node counts in memory, says so,
    and comes back to its log. What could not be closed there is counted then."""
    evidence = live(planned("storage_faults", node), tmp_path)
    assert records.violations(evidence) == []
    assert ">>>" not in "".join(evidence.observer.written), "it never stands at the prompt"
    logs = evidence.backend.logs
    assert len(logs) == 3, "two of them were in memory"
    counted = sum(
        sum(classes.values())
        for bodies in logs.values()
        for body in bodies.values()
        for classes in body["counts"].values()
    )
    noted = len(evidence.observer.passages)
    assert 0.998 * noted <= counted <= noted and noted > 3000
    assert evidence.health["ring"]["sectors"] > 100, "it is back in flash"


def test_nvs_that_fails_at_a_start_costs_what_the_power_cut_costs(tmp_path: Path) -> None:
    plan = replace(
        planned("moderate", BEAM, hours=3),
        nvs_dead=[(0, 3 * HOUR_US)], power_off=[(HOUR_US, 3_000_000), (2 * HOUR_US, 3_000_000)],
    )  # fmt: skip
    evidence = live(plan, tmp_path)
    assert records.violations(evidence) == [] and evidence.observer.cuts == 2
    assert len(evidence.backend.logs) == 1, "the log stays in flash"


def test_a_loop_of_starts_spares_the_log_and_the_flash(tmp_path: Path) -> None:
    """40 starts of 10 s each. Each erased one or two sectors ahead, and wrote events."""
    begin_us = HOUR_US // 8
    cuts = [(begin_us + n * 10_000_000, 1_000_000) for n in range(40)]
    plan = replace(planned("moderate", BEAM, hours=0.5), power_off=cuts)
    evidence = live(plan, tmp_path)
    assert evidence.observer.cuts == 40
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert evidence.erases <= 8, "of the format and of a quarter of an hour before"
