"""A changed way to the backend in whole runs: a typo costs ten minutes of delivery, not a node."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.run.checkers import records
from simulator.run.plans.plan import HOUR_US, NodePlan, RunOptions, draw
from simulator.run.processes.node import Evidence
from tests.support.long import LONG
from tests.support.runs.living import BEAM, RADAR, live, planned

TRIAL_FAILED = 8


def _events(plan: NodePlan, folder: Path) -> list[dict[str, Any]]:
    db = sqlite3.connect(folder / f"{plan.name}.sqlite")
    rows = db.execute("SELECT body FROM records WHERE kind = 'event' ORDER BY seq").fetchall()
    db.close()
    return [json.loads(body) for (body,) in rows]


def _nothing_lost(evidence: Evidence) -> None:
    found = records.violations(evidence)
    if evidence.plan.power_off:  # a power failure may come in the place of a restart
        found = [text for text in found if "unexpected resets" not in text]
    assert found == []
    assert records.lost(evidence) == records.duplicated(evidence) == []


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_node_goes_back_from_a_wrong_host_and_from_a_wrong_port(
    node: int, tmp_path: Path
) -> None:
    plan = planned("config_trial", node)
    evidence = live(plan, tmp_path)
    _nothing_lost(evidence)
    failed = [e for e in _events(plan, tmp_path) if e.get("code") == TRIAL_FAILED]
    assert len(failed) == 2, "it says so each time"
    assert all("the last good one is back" in event["reason"] for event in failed)
    assert evidence.observer.boots == 5, "a restart for each change, one back, and the first"
    assert evidence.health["queue"] < 5


def test_a_good_change_is_kept(tmp_path: Path) -> None:
    change = int(0.5 * HOUR_US), {"mqtt_keepalive": 30, "ntp_host": "time.example"}
    plan = replace(planned("moderate", RADAR, hours=2), changes=[change])
    evidence = live(plan, tmp_path)
    _nothing_lost(evidence)
    assert evidence.observer.boots == 2
    assert any("config: acknowledged, kept" in text for text in evidence.observer.written)
    assert not any(e.get("code") == TRIAL_FAILED for e in _events(plan, tmp_path))


@pytest.mark.parametrize("after_s", ((21,), (25, 30, 35), (300,), (620, 640), (30, 200, 500)))
def test_power_cuts_during_a_trial_lose_no_node(after_s: tuple[int, ...], tmp_path: Path) -> None:
    """After a wrong host, the node is back at its broker in the end. The trial begins after 20 s
    and ends 600 s later."""
    begin_us = HOUR_US // 2
    plan = replace(
        planned("moderate", BEAM, hours=2),
        changes=[(begin_us, {"mqtt_host": "borker.invalid"})],
        power_off=[(begin_us + s * 1_000_000, 3_000_000) for s in after_s],
    )
    evidence = live(plan, tmp_path)
    assert evidence.observer.cuts == len(after_s)
    _nothing_lost(evidence)
    assert [e for e in _events(plan, tmp_path) if e.get("code") == TRIAL_FAILED]


@pytest.mark.skipif(not LONG, reason="80 hours; TALLYPOST_LONG=1 runs it")
def test_a_wrong_region_of_lorawan_costs_two_days_of_delivery(tmp_path: Path) -> None:
    """The first confirmation comes after 12 hours, and makes the first settings good ones."""
    options = RunOptions(hours=80, seed=3, nodes="lora-beam", scenario="moderate")
    [plan] = draw(options)
    plan = replace(plan, passages=500, changes=[(14 * HOUR_US, {"lora_region": "US915"})])
    evidence = live(plan, tmp_path)
    assert records.lost(evidence) == [] and evidence.observer.boots == 3
    assert any("the last good one is back" in text for text in evidence.observer.written)
