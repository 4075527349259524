"""A node with Wi-Fi and LoRaWAN: one stands in for the other, nothing is lost or doubled."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.runs.living import live

from simulator.run.checkers import records
from simulator.run.processes.node import Seen
from simulator.run.plans.plan import NodePlan, Request, draw
from simulator.world.network.access_network import Span

HOUR = 3_600_000_000
AFTER = HOUR // 2  # the default of `lora_after_min`


def _planned(kind: str, hours: float, down: list[Span], seed: int = 4) -> NodePlan:
    plan = draw(Request(hours=hours, seed=seed, nodes=kind))[0]
    return replace(plan, weather=replace(plan.weather, wifi_down=down))


def _unharmed(seen: Seen, folder: Path) -> None:
    """Every closed interval is in the backend's file once, with its counts."""
    assert records.violations(seen) == []
    assert records.lost(seen) == records.duplicated(seen) == []
    assert records.numbers(seen) == sorted(seen.watcher.closed)
    assert records.delivered(seen) == records.counted(seen)
    with sqlite3.connect(folder / f"{seen.plan.name}.sqlite") as db:
        (total,) = db.execute("SELECT sum(n) FROM counts").fetchone()
    assert total == sum(sum(way.values()) for way in records.counted(seen).values())


def _reports(seen: Seen, span: Span) -> int:
    """Frames over the air within a span."""
    return sum(span[0] <= frame.begin_us < span[1] for frame in seen.held.on_air)


@pytest.mark.parametrize("kind", ("both-radar", "both-beam"))
def test_lorawan_stands_in_while_there_is_no_wifi(kind: str, tmp_path: Path) -> None:
    down = (HOUR, 5 * HOUR)
    seen = live(_planned(kind, 6.0, [down]), tmp_path)
    _unharmed(seen, tmp_path)
    assert seen.watcher.resets == {} and seen.held.joins == 1
    quiet_us = 5 * 60_000_000  # joining, and asking for the time
    assert _reports(seen, (quiet_us, down[0] + AFTER - 60_000_000)) == 0, "MQTT works, or may yet"
    during = _reports(seen, (down[0] + AFTER, down[1]))
    assert 4 * 3 <= during <= 4 * 6, "one a quarter of an hour, some more for what had waited"
    assert _reports(seen, (down[1] + 5 * 60_000_000, 6 * HOUR)) <= 1, "Wi-Fi is back"


def test_the_backend_has_it_before_wifi_is_back(tmp_path: Path) -> None:
    plan = _planned("both-beam", 4.0, [(HOUR, 4 * HOUR - 1)])
    seen = live(plan, tmp_path)
    _unharmed(seen, tmp_path)
    with sqlite3.connect(tmp_path / f"{plan.name}.sqlite") as db:
        rows = db.execute("SELECT last FROM short WHERE kind = 'interval' AND received < ?",
                          ("2026-06-01T04:00",)).fetchall()  # fmt: skip
    assert len(rows) >= 6 and len(seen.order) > len(set(seen.order)), "later some come in full"
    failing = [n for n, t_us in seen.watcher.closed_us.items() if HOUR < t_us < 3.5 * HOUR]
    assert {last for (last,) in rows} >= set(failing[-3:])


def test_wifi_that_fails_again_and_again(tmp_path: Path) -> None:
    """Shorter than the patience: the radio is silent. Longer: it goes on where it was."""
    spans = [(HOUR, HOUR + HOUR // 3), (2 * HOUR, 4 * HOUR), (5 * HOUR, 7 * HOUR)]
    seen = live(_planned("both-beam", 8.0, spans, seed=9), tmp_path)
    _unharmed(seen, tmp_path)
    assert _reports(seen, (HOUR, 2 * HOUR)) == 0
    for start, end in spans[1:]:
        assert _reports(seen, (start + AFTER, end)) >= 5


def test_the_radio_fails_as_well_and_power_too(tmp_path: Path) -> None:
    plan = _planned("both-radar", 5.0, [(HOUR, 4 * HOUR)], seed=11)
    air = replace(plan.air, loss=0.2, gateway_away=[(2 * HOUR, 3 * HOUR)])
    seen = live(replace(plan, air=air, power_cuts=[900, 2500, 4200]), tmp_path)
    _unharmed(seen, tmp_path)
    assert seen.watcher.cuts == 3
