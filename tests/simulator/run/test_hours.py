"""Errors by hour and direction, by flow, and GEH."""

from __future__ import annotations

import pytest

from simulator.run.plans.sensors import SENSORS, WIDEST
from simulator.run.processes.observer import Passage
from simulator.run.results.hours import by_flow, by_hour, errors, geh

HOUR_US = 3_600_000_000


def passages(n: int, hour: int = 0, direction: str = "forward") -> list[Passage]:
    return [Passage(hour * HOUR_US + i * 1_000_000, direction, "car") for i in range(n)]


@pytest.mark.parametrize(
    ("passed", "counted", "wanted"),
    ((0, 0, 0.0), (100, 100, 0.0), (100, 67, 3.61), (400, 0, 28.28)),
)
def test_geh_is_that_of_the_manuals(passed: int, counted: int, wanted: float) -> None:
    assert round(geh(passed, counted), 2) == wanted


def test_misses_of_one_hour_do_not_cancel_with_phantoms_of_another() -> None:
    truth = passages(100) + passages(100, hour=1)
    counted = passages(80) + passages(120, hour=1)
    found = errors(by_hour(truth, counted, 2 * HOUR_US))
    assert found["n"] == 2 and found["bias_pct"] == 0.0
    assert found["error_pct"] == found["error_max_pct"] == 20.0
    assert found["geh_good_share"] == 1.0  # which is why the error stands beside it


def test_directions_are_apart_and_an_unfinished_hour_is_left_out() -> None:
    counted = passages(30, direction="backward") + passages(7, hour=1, direction="backward")
    hours = by_hour(passages(30), counted, int(1.5 * HOUR_US))
    assert [(one["direction"], one["passed"], one["counted"]) for one in hours] == [
        ("forward", 30, 0), ("backward", 0, 30),
    ]  # fmt: skip
    assert errors(hours)["error_max_pct"] == 100.0


def test_an_hour_with_few_road_users_has_no_relative_error() -> None:
    assert errors(by_hour(passages(9), passages(3), HOUR_US)) == {"n": 0}


def test_the_bias_is_told_by_flow() -> None:
    truth = passages(100) + passages(400, hour=1)
    counted = passages(99) + passages(200, hour=1)
    found = by_flow(by_hour(truth, counted, 2 * HOUR_US))
    assert {name: one["bias_pct"] for name, one in found.items()} == {
        "50-150": -1.0, "300-600": -50.0,
    }  # fmt: skip


def test_a_window_is_the_timing_error_of_its_detector_and_no_wider() -> None:
    widest_us = WIDEST.early_us + WIDEST.late_us
    for name, sensor in SENSORS.items():
        width_us = sensor.window.early_us + sensor.window.late_us
        assert 0 < width_us < widest_us, name
