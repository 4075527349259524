"""A node with Wi-Fi and LoRaWAN: one stands in for the other, nothing is lost or duplicated."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.plans.plan import NodePlan, RunOptions, draw
from simulator.run.processes.node import Evidence
from simulator.world.network.access_network import Span
from tests.support.runs.living import live

HOUR = 3_600_000_000
AFTER = HOUR // 2  # the default of `lora_after_min`


def _planned(kind: str, hours: float, down: list[Span], seed: int = 4) -> NodePlan:
    plan = draw(RunOptions(hours=hours, seed=seed, nodes=kind))[0]
    return replace(plan, network_faults=replace(plan.network_faults, wifi_down=down))


def _unharmed(evidence: Evidence, folder: Path) -> None:
    """Every closed interval is in the backend's file once, with its counts."""
    assert records.violations(evidence) == []
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert records.numbers(evidence) == sorted(evidence.observer.closed)
    assert records.delivered(evidence) == records.counted(evidence)
    with sqlite3.connect(folder / f"{evidence.plan.name}.sqlite") as db:
        (total,) = db.execute("SELECT sum(n) FROM counts").fetchone()
    assert total == sum(sum(classes.values()) for classes in records.counted(evidence).values())


def _reports(evidence: Evidence, span: Span) -> int:
    """Frames over the air within a span."""
    return sum(span[0] <= frame.begin_us < span[1] for frame in evidence.backend.transmissions)


@pytest.mark.parametrize("kind", ("both-radar", "both-beam"))
def test_lorawan_stands_in_while_there_is_no_wifi(kind: str, tmp_path: Path) -> None:
    down = (HOUR, 5 * HOUR)
    evidence = live(_planned(kind, 6.0, [down]), tmp_path)
    _unharmed(evidence, tmp_path)
    assert evidence.observer.resets == {} and evidence.backend.joins == 1
    quiet_us = 5 * 60_000_000  # joining, and asking for the time
    assert _reports(evidence, (quiet_us, down[0] + AFTER - 60_000_000)) == 0, (
        "MQTT works, or may yet"
    )
    during = _reports(evidence, (down[0] + AFTER, down[1]))
    assert 4 * 3 <= during <= 4 * 6, "one a quarter of an hour, some more for what had waited"
    assert _reports(evidence, (down[1] + 5 * 60_000_000, 6 * HOUR)) <= 1, "Wi-Fi is back"


def test_the_backend_has_the_intervals_before_wifi_is_back(tmp_path: Path) -> None:
    plan = _planned("both-beam", 4.0, [(HOUR, 4 * HOUR - 1)])
    evidence = live(plan, tmp_path)
    _unharmed(evidence, tmp_path)
    with sqlite3.connect(tmp_path / f"{plan.name}.sqlite") as db:
        rows = db.execute("SELECT last FROM short WHERE kind = 'interval' AND received < ?",
                          ("2026-06-01T04:00",)).fetchall()  # fmt: skip
    # A short record leaves the file when it comes in full: then its number has come twice.
    twice = {n for n in evidence.order if evidence.order.count(n) > 1}
    by_radio = twice | {last for (last,) in rows}
    assert twice and len(by_radio) >= 6, "some come in full later"
    failing = [n for n, t_us in evidence.observer.closed_us.items() if HOUR < t_us < 3.5 * HOUR]
    assert by_radio >= set(failing[-3:])


def test_wifi_that_fails_again_and_again_loses_no_interval(tmp_path: Path) -> None:
    """Shorter than the time-out: the radio is silent. Longer: it goes on where it was."""
    spans = [(HOUR, HOUR + HOUR // 3), (2 * HOUR, 4 * HOUR), (5 * HOUR, 7 * HOUR)]
    evidence = live(_planned("both-beam", 8.0, spans, seed=9), tmp_path)
    _unharmed(evidence, tmp_path)
    assert _reports(evidence, (HOUR, 2 * HOUR)) == 0
    for start, end in spans[1:]:
        assert _reports(evidence, (start + AFTER, end)) >= 5


def test_the_radio_fails_as_well_and_power_too(tmp_path: Path) -> None:
    plan = _planned("both-radar", 5.0, [(HOUR, 4 * HOUR)], seed=11)
    radio_faults = replace(plan.radio_faults, loss=0.2, gateway_away=[(2 * HOUR, 3 * HOUR)])
    evidence = live(
        replace(plan, radio_faults=radio_faults, power_cuts=[900, 2500, 4200]), tmp_path
    )
    _unharmed(evidence, tmp_path)
    assert evidence.observer.cuts == 3
