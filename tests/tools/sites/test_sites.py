"""`tallypost sites check`: each problem is named with what would be right."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.tools.sites import site_files

from tallypost.cli import main
from tallypost.faults import ToolError
from tallypost.provisioning import settings
from tallypost.sites import rules
from tallypost.sites.site import load, text_in

Capture = pytest.CaptureFixture[str]


def problems(path: Path, capsys: Capture) -> list[dict[str, Any]]:
    status = main(["sites", "check", str(path), "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["problems"]
    assert status == (1 if found else 0)
    return found


def test_a_right_file_has_no_problem(tmp_path: Path, capsys: Capture) -> None:
    assert problems(site_files.write(tmp_path), capsys) == []
    assert main(["sites", "check", str(tmp_path / "sites.toml"), "--lang", "de"]) == 0
    assert "2 Orte, kein Problem" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "what", "advice"),
    [
        (("lat = 49.41\nlon = 7.70", "lat = 7.70\nlon = 49.41"), "look swapped", "lat = 49.41"),
        (("lat = 49.41", "lat = 41.49"), "far from the city", "latitude first"),
        (("from = 2026-07-01", "from = 2026-06-30"), "overlaps", "to = 2026-06-29"),
        (('node = "path"', 'node = "gate-2"'), "at the same time", "2026-06-30"),
        (("to = 2026-06-30", "to = 2026-04-30"), "ends before it begins", "later than"),
        (("street =", "strasse ="), "unknown key 'strasse'", "'street'"),
        (("bearing = 180", "bearing = 400"), "bearing = 400 is wrong", "degrees from north"),
        (("bearing = 180\n", ""), "'bearing' is missing", "degrees from north"),
        (
            ('"pedestrian", "bicycle"', '"bike"'),
            "counts = ['bike'] is wrong",
            "pedestrian, bicycle",
        ),
        (("Europe/Berlin", "Europe/Musterstadt"), "timezone", "Europe/Berlin"),
        (('"dl-de/by-2-0"', '"free"'), "licence", "CC-BY-4.0"),
        (('id = "wehr"', 'id = "loewenplatz"'), "the id stands in 2 sites", "of its own"),
        (('id = "wehr"', 'id = "data"'), "id = 'data' is wrong", "a-z"),
        (("from = 2026-07-01", 'from = "July"'), "from = 'July' is wrong", "2026-03-02"),
        (("from = 2026-07-01", "from = 2026-07-01T00:00:00Z"), "is wrong", "local time"),
        (("height_m", "height"), "mounting", "height_m"),
    ],
)
def test_a_problem_is_named_with_what_would_be_right(
    tmp_path: Path, capsys: Capture, change: tuple[str, str], what: str, advice: str
) -> None:
    found = problems(site_files.write(tmp_path, change), capsys)
    assert any(what in one["what"] and advice in one["advice"] for one in found), found
    if what in ("look swapped", "overlaps"):
        assert len(found) == 1  # the other sites are not blamed


def test_periods_are_local_and_a_day_that_ends_one_is_included(tmp_path: Path) -> None:
    city = load(site_files.write(tmp_path))
    first, second = city.site("loewenplatz").periods
    berlin = ZoneInfo("Europe/Berlin")
    assert first.first == datetime(2026, 5, 1, tzinfo=berlin).timestamp()
    assert first.last == second.first == datetime(2026, 7, 1, tzinfo=berlin).timestamp()
    assert second.last == float("inf")
    assert city.site("wehr").periods[0].first == datetime(
        2026, 5, 1, 10, 30, tzinfo=berlin
    ).timestamp()  # fmt: skip
    assert city.site("wehr").classes == ("pedestrian", "bicycle")
    assert text_in(city.name, "en") == "Exampletown"
    assert city.site("wehr").direction("forward", "en") == "Richtung Park"


def test_a_command_that_reads_sites_names_the_first_problem(tmp_path: Path) -> None:
    path = site_files.write(tmp_path, ("bearing = 180", "bearing = -1"))
    with pytest.raises(ToolError, match="bearing = -1 is wrong.*tallypost sites check"):
        load(path)
    with pytest.raises(ToolError, match="there is no site 'x'.*loewenplatz, wehr"):
        load(site_files.write(tmp_path)).site("x")
    path.write_text("[city\n")
    with pytest.raises(ToolError, match="not TOML"):
        load(path)


def test_detectors_of_sites_are_those_of_nodes() -> None:
    [detector] = [row for row in settings.table() if row[0] == "detector"]
    assert set(rules.DETECTORS) == set(detector[2])
