"""Headway, gap and occupancy at the backend, against the street's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.plans.sensors import SENSORS
from simulator.run.processes.node import Evidence
from simulator.world.streets.street import RoadUser, Street
from tests.support.runs.living import BEAM, RADAR, live, planned

HOURS = 3.0
LONGEST_S = 3600.0


def _street(evidence: Evidence) -> list[RoadUser]:
    plan = evidence.plan
    sensor = SENSORS[plan.detector]
    rng = random.Random(f"{plan.seed}/street")
    amount = plan.passages, plan.hours, plan.headway_s
    return Street(rng, sensor.mix, *amount, single_file=sensor.single_file).users


def _true(users: list[RoadUser], direction: str) -> tuple[int, float, float, float]:
    """Number of followers, mean headway and gap, seconds on the line."""
    going = [user for user in users if user.direction == direction]
    on_line = [user.length_m / (user.speed_kmh / 3.6) for user in going]
    headways = [(b.t_us - a.t_us) / 1e6 for a, b in zip(going, going[1:])]
    gaps = [headway - length for headway, length in zip(headways, on_line)]
    near = [i for i, headway in enumerate(headways) if headway <= LONGEST_S]
    n = len(near)
    return n, sum(headways[i] for i in near) / n, sum(gaps[i] for i in near) / n, sum(on_line)


def _reported(evidence: Evidence, direction: str) -> tuple[int, float, float, float]:
    bodies = [body for body in evidence.backend.delivered.values() if "spacing" in body]
    spacings = [(body["cov"], body["spacing"][direction]) for body in bodies]
    n = sum(s["n"] for _, s in spacings)
    headway = sum(s["n"] * (s["headway"] or 0) for _, s in spacings) / n
    gap = sum(s["n"] * (s["gap"] or 0) for _, s in spacings) / n
    return n, headway, gap, sum(cov * (s["occ"] or 0) / 100 for cov, s in spacings)


@pytest.mark.parametrize("direction", ("forward", "backward"))
def test_a_beam_tells_headway_gap_and_occupancy(direction: str, tmp_path: Path) -> None:
    evidence = live(planned("moderate", BEAM, hours=HOURS), tmp_path)
    assert not records.violations(evidence)
    n, headway, gap, on_line = _true(_street(evidence), direction)
    reported = _reported(evidence, direction)
    assert reported[0] == n > 100
    assert abs(reported[1] - headway) < 0.1 and abs(reported[2] - gap) < 0.1
    assert abs(reported[3] - on_line) < 0.05 * on_line


def test_a_radar_tells_headways_alone(tmp_path: Path) -> None:
    evidence = live(planned("moderate", RADAR, hours=HOURS), tmp_path)
    assert not records.violations(evidence)
    n, headway, _, _ = _true(_street(evidence), "forward")
    reported = _reported(evidence, "forward")
    assert reported[0] == n > 100 and abs(reported[1] - headway) < 0.2
    assert reported[2] == reported[3] == 0.0
