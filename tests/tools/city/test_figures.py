"""Figures of sites: local time, coverage, periods, repeats, speeds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.tools.city import days
from tests.tools.sites import site_files

from tallypost.backend.figures.records import Records
from tallypost.backend.figures.site_figures import SiteFigures, total
from tallypost.backend.figures.spans import spans
from tallypost.backend.stores.spans import percentile
from tallypost.faults import ToolError
from tallypost.sites.site import load

SUMMER, WINTER = date(2026, 3, 29), date(2026, 10, 25)  # the clocks change in these nights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counts.sqlite"


def figures(path: Path, now: str, key: str = "loewenplatz") -> SiteFigures:
    city = load(site_files.write(path.parent))
    return SiteFigures(Records(path), city.site(key), city.timezone, days.utc(now))


def test_days_of_23_and_25_hours_hold_all_their_hours(path: Path) -> None:
    assert len(list(spans("hour", SUMMER, SUMMER, days.BERLIN))) == 23
    assert len(list(spans("15min", WINTER, WINTER, days.BERLIN))) == 100
    days.store(path, "gate-2", days.day("2026-10-24T00:00", 96 + 100 + 96))
    found = figures(path, "2026-10-27T00:00").of_days(
        "day", date(2026, 10, 24), date(2026, 10, 26)
    )
    assert [one.count("car") for one in found] == [384, 400, 384]
    assert [one.expected_s for one in found] == [86_400, 90_000, 86_400]
    assert {one.coverage for one in found} == {1.0}


def test_weeks_and_months_begin_in_local_time() -> None:
    weeks = list(spans("week", date(2026, 6, 3), date(2026, 6, 15), days.BERLIN))
    assert [days.utc(f"2026-06-{d}") for d in ("01", "08", "15")] == [first for first, _ in weeks]
    months = list(spans("month", date(2026, 12, 31), date(2027, 1, 1), days.BERLIN))
    assert months[0] == (days.utc("2026-12-01"), days.utc("2027-01-01")) and len(months) == 2


def test_not_observed_is_no_zero(path: Path) -> None:
    start = days.utc("2026-06-01T06:00")
    rows = [(start, 900, {"car": 0}), (start + 900, 0, {}), (start + 1800, 500, {"car": 3})]
    days.store(path, "gate", rows)
    day = figures(path, "2026-06-01T06:45").of_days("15min", date(2026, 6, 1), date(2026, 6, 1))
    quiet, blind, half = day[24:27]
    assert (quiet.count("car"), quiet.state) == (0, "observed")
    assert (blind.count("car"), blind.state) == (None, "unobserved")
    assert (half.count("car"), half.state) == (3, "partly")
    assert (day[0].count(), day[0].state) == (None, "unobserved")  # no record at all
    assert (day[40].count(), day[40].state) == (None, "none")  # it is not that late


def test_a_minute_of_a_long_day_is_a_part_and_some_seconds_are_nothing(path: Path) -> None:
    start = days.utc("2026-06-01T06:00")
    days.store(path, "gate", [(start, 59, {"car": 1}), (start + 900, 0, {})])
    [day] = figures(path, "2026-06-01T07:00").of_days("day", date(2026, 6, 1), date(2026, 6, 1))
    assert (day.state, day.count("car")) == ("unobserved", None)
    days.store(path, "gate", [(start + 1800, 1, {"car": 1})], first=3)
    [day] = figures(path, "2026-06-01T07:00").of_days("day", date(2026, 6, 1), date(2026, 6, 1))
    assert (day.state, day.count("car")) == ("partly", 2)


def test_the_day_ends_with_the_newest_interval_until_the_node_is_silent(path: Path) -> None:
    days.store(path, "gate", days.day("2026-06-01T00:00", 57))
    ends = days.utc("2026-06-01T14:15")
    assert figures(path, "2026-06-01T14:15").as_of == ends
    assert figures(path, "2026-06-01T14:50").as_of == ends
    silent = figures(path, "2026-06-01T19:05")
    assert silent.as_of == days.utc("2026-06-01T19:00")
    [today] = silent.of_days("day", date(2026, 6, 1), date(2026, 6, 1))
    assert today.coverage == pytest.approx(57 / 76)


def test_a_site_goes_on_with_its_next_node(path: Path) -> None:
    days.store(path, "gate", days.day("2026-06-30T12:00", 96))  # from July on it counts elsewhere
    days.store(path, "gate-2", days.day("2026-07-01T00:00", 96, cars=7))
    june, july = figures(path, "2026-07-02T00:00").of_days(
        "day", date(2026, 6, 30), date(2026, 7, 1)
    )
    assert (june.count("car"), july.count("car")) == (48 * 4, 96 * 7)
    assert june.coverage == 0.5


def test_a_quarter_of_an_hour_under_two_logs_counts_once(path: Path) -> None:
    start = days.utc("2026-06-01T06:00")
    days.store(path, "gate", [(start, 900, {"car": 9}), (start + 900, 300, {"car": 2})])
    days.store(path, "gate", [(start, 800, {"car": 8}), (start + 900, 500, {"car": 3})], "bb")
    day = figures(path, "2026-06-01T06:30").of_days("15min", date(2026, 6, 1), date(2026, 6, 1))
    assert day[24].count("car") == 9  # the better one: both cannot be true
    assert (day[25].count("car"), day[25].observed_s) == (5, 800)  # before and after a restart


def test_classes_that_are_not_published_stay_inside(path: Path) -> None:
    start = days.utc("2026-06-01T06:00")
    days.store(path, "gate", [(start, 900, {"car": 2, "pedestrian": 5, "unknown": 7})])
    [day] = figures(path, "2026-06-01T07:00").of_days("day", date(2026, 6, 1), date(2026, 6, 1))
    assert day.count("", "forward") == 2 and day.count("pedestrian") == 0


def test_percentiles_come_from_all_speeds_and_need_enough(path: Path) -> None:
    days.store(path, "gate", days.day("2026-06-01T06:00", 8, cars=9, bicycles=1))
    hours = figures(path, "2026-06-01T08:00").of_days("hour", date(2026, 6, 1), date(2026, 6, 1))
    both = total(hours)
    lane = both.lanes["forward"]
    assert lane.mean == 31.0 and lane.speeds == 80
    assert lane.percentiles()["v85"] == percentile(lane.bins, 0.85) == pytest.approx(31.4)
    assert both.lanes["backward"].percentiles()["v85"] is None  # 8 speeds
    assert both.count("car") == sum(n for one in hours if (n := one.count("car")))


def test_a_missing_database_is_named(path: Path) -> None:
    with pytest.raises(ToolError, match="no such file.*--db"):
        Records(path)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(ToolError, match="the database cannot be used.*--db"):
        Records(path)
