"""A loose contact: a burst of edges at 1 kHz for a second, while the flash stalls interrupts.

With a pulse counter on the pins every edge is counted. On a chip without one (ESP32-C3) the loss
is noticed and the interval reports it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.checkers.decode import Record
from simulator.run.plans.plan import RunOptions, draw
from simulator.run.processes.node import Evidence
from simulator.world.sensors.beams import CHATTER_PULSES
from tests.support.runs.living import live

WHY_OVERFLOW = 16
QUIET_S = 900.0  # by then the node has been up for an interval


def _interval(evidence: Evidence, seconds: float) -> Record:
    records = evidence.observer.closed.values()
    first = min(record.start for record in records)
    return next(r for r in records if r.start <= first + seconds < r.start + r.length)


def _erases_s(trace: Path) -> list[float]:
    """Times of sector erases, each of which stalls the chip for 80 ms."""
    rows = (line.split(b" ", 2) for line in trace.read_bytes().splitlines() if line)
    return [int(row[0]) / 1e6 for row in rows if len(row) > 1 and row[1] == b"flash:erase"]


def _folder(parent: Path, name: str) -> Path:
    """A backend of its own for every run: both runs have the same log."""
    (parent / name).mkdir()
    return parent / name


@pytest.mark.parametrize(
    ("board", "counters"),
    (("esp32_generic", 2), ("esp32c3_rak3172", 0)),
    ids=("PCNT", "without"),
)
def test_a_burst_is_counted_to_the_edge_or_its_loss_is_reported(
    board: str, counters: int, tmp_path: Path
) -> None:
    [plan] = draw(RunOptions(hours=1.0, seed=3, nodes=f"beam@{board}"))
    plan = replace(plan, passages=60)
    calm = live(replace(plan, trace=tmp_path / "trace"), _folder(tmp_path, "calm"))
    at_s = min(t for t in _erases_s(tmp_path / "trace") if t > QUIET_S) - 0.4
    burst = live(replace(plan, faults={"chatter_at": at_s}), _folder(tmp_path, "burst"))
    assert not records.violations(burst)
    health, quiet = burst.health["detector"], calm.health["detector"]
    assert health["hardware"] == counters
    assert quiet["lost_edges"] == quiet["edge_overflow"] == 0
    assert health["lost_edges"] + health["edge_overflow"] > 0, "the erase took some"
    counted = health["edges"] - quiet["edges"]
    assert counted == 2 * CHATTER_PULSES if counters else counted < 2 * CHATTER_PULSES
    assert _interval(burst, at_s).why & WHY_OVERFLOW
    assert records.counted(burst) == records.counted(calm), "no passage was counted for it"


def test_a_burst_in_a_quiet_moment_costs_nothing(tmp_path: Path) -> None:
    [plan] = draw(RunOptions(hours=1.0, seed=3, nodes="beam@esp32c3_rak3172"))
    plan = replace(plan, passages=60)
    calm = live(plan, _folder(tmp_path, "calm"))
    burst = live(replace(plan, faults={"chatter_at": 1700.0}), _folder(tmp_path, "burst"))
    health, quiet = burst.health["detector"], calm.health["detector"]
    assert health["edges"] - quiet["edges"] == 2 * CHATTER_PULSES and health["lost_edges"] == 0
    assert not any(record.why & WHY_OVERFLOW for record in burst.observer.closed.values())
