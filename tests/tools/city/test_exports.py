"""`tallypost export` and the downloads of the pages: every form has the same numbers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from tests.tools.city import city, days
from tests.tools.sites import site_files

from tallypost.backend.exports.rows import COLUMNS
from tallypost.cli import main

Capture = pytest.CaptureFixture[str]
WINTER = "2026-10-25"  # 25 hours
NUMBERS = {"integer": int, "number": float}


def export(folder: Path, capsys: Capture, *words: str, site: str = "loewenplatz") -> str:
    sites = folder / "sites.toml"
    if not sites.exists():
        site_files.write(folder)
    database = str(folder / "counts.sqlite")
    known = ["--database", database, "--sites", str(sites), "--site", site]
    assert main(["export", *known, *words]) == 0
    return capsys.readouterr().out


def typed(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV file with the types of their columns."""
    kinds = {column.name: NUMBERS.get(column.kind, str) for column in COLUMNS}
    return [
        {key: kinds[key](value) if value else None for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def span(day: str, *more: str) -> tuple[str, ...]:
    return ("--from", day, "--to", day, *more)


def test_all_forms_have_the_same_numbers(tmp_path: Path, capsys: Capture) -> None:
    city.fill(tmp_path / "counts.sqlite")
    words = ("--from", "2026-06-01", "--to", "2026-06-10", "--step", "15min")
    rows = typed(export(tmp_path, capsys, *words))
    as_json = json.loads(export(tmp_path, capsys, *words, "--format", "json"))
    as_geojson = json.loads(export(tmp_path, capsys, *words, "--format", "geojson"))
    [feature] = as_geojson["features"]
    empty = [{k: v or None if k == "speed_hist" else v for k, v in row.items()}
             for row in as_json["rows"]]  # fmt: skip
    assert rows == empty and feature["properties"]["rows"] == as_json["rows"]
    assert len(rows) == 10 * 96 * 2
    assert sum(row["car"] or 0 for row in rows) == 4 * (9 * 96 + 57 - 8)
    assert as_json["site"]["forward"]["en"] == "to the centre"
    assert as_json["site"]["periods"][0]["mounting"]["height_m"] == 3.5
    assert feature["geometry"] == {"type": "Point", "coordinates": [7.7689, 49.4447]}


def test_not_observed_is_empty_and_zero_is_0(tmp_path: Path, capsys: Capture) -> None:
    city.fill(tmp_path / "counts.sqlite")
    rows = typed(export(tmp_path, capsys, *span("2026-06-10", "--step", "hour")))
    found = {row["start"][11:13]: row for row in rows if row["direction"] == "forward"}
    assert (found["03"]["car"], found["03"]["observed_s"]) == (0, 3600)
    assert (found["09"]["car"], found["09"]["observed_s"]) == (None, 0)
    assert found["10"]["car"] == 16 and found["10"]["pedestrian"] is None


def test_a_day_of_25_hours_has_25_starts(tmp_path: Path, capsys: Capture) -> None:
    days.store(tmp_path / "counts.sqlite", "gate-2", days.day(f"{WINTER}T00:00", 100))
    rows = typed(export(tmp_path, capsys, *span(WINTER)))
    starts = [row["start"] for row in rows if row["direction"] == "forward"]
    assert len(set(starts)) == 25
    assert f"{WINTER}T02:00:00+02:00" in starts and f"{WINTER}T02:00:00+01:00" in starts
    [day, _back] = typed(export(tmp_path, capsys, *span(WINTER, "--step", "day")))
    assert day["car"] == sum(row["car"] for row in rows) == 400 and day["expected_s"] == 90_000


def test_histograms_of_quarters_add_up_to_that_of_the_day(tmp_path: Path, capsys: Capture) -> None:
    city.fill(tmp_path / "counts.sqlite")

    def bins(row: dict[str, Any]) -> dict[str, int]:
        pairs = (one.split(":") for one in (row["speed_hist"] or "").split())
        return {low: int(n) for low, n in pairs}

    quarters = typed(export(tmp_path, capsys, *span("2026-06-09", "--step", "15min")))
    [day, _back] = typed(export(tmp_path, capsys, *span("2026-06-09", "--step", "day")))
    forward = [bins(row) for row in quarters if row["direction"] == "forward"]
    assert bins(day) == {"28": sum(row.get("28", 0) for row in forward)}
    assert day["v85_kmh"] == pytest.approx(31.4) and quarters[0]["v85_kmh"] is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--from", "2026-06-02", "--to", "2026-06-01"), "no span of 1"),
        (("--from", "1926-06-02", "--to", "2026-06-01"), "no span of 1"),
        (span("yesterday"), "not a date"),
        (span("2026-06-01", "--step", "15min"), "no step shorter than an hour"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, capsys: Capture, words: tuple[str, ...], reason: str
) -> None:
    site_files.write(tmp_path, ("[city]", '[city]\nfinest = "hour"'))
    city.fill(tmp_path / "counts.sqlite")
    known = [
        "--database",
        str(tmp_path / "counts.sqlite"),
        "--sites",
        str(tmp_path / "sites.toml"),
    ]
    assert main(["export", *known, "--site", "wehr", *words]) == 2
    assert reason in capsys.readouterr().err
    assert main(["export", *known, "--site", "bridge", *span("2026-06-01")]) == 1
    assert "there is no site 'bridge'" in capsys.readouterr().err


def test_the_downloads_of_the_pages_are_described_and_complete(tmp_path: Path) -> None:
    city.build(tmp_path)
    folder = tmp_path / "out/data/loewenplatz"
    package = json.loads((folder / "datapackage.json").read_text())
    names = [one["path"] for one in package["resources"]]
    assert names == ["loewenplatz-2026-06.csv", "loewenplatz-2026-05.csv"]
    assert [one["name"] for one in package["resources"][0]["schema"]["fields"]] == [
        column.name for column in COLUMNS
    ]
    rows = [row for name in names for row in typed((folder / name).read_text())]
    year = typed((folder / "loewenplatz-days.csv").read_text())
    for name in ("bicycle", "car", "heavy"):
        assert sum(row[name] or 0 for row in rows) == sum(row[name] or 0 for row in year)
    page = city.Page(tmp_path / "out/loewenplatz/index.html")
    linked = {one["href"] for one in page.all("a") if "download" in one}
    assert {f"../data/loewenplatz/{name}" for name in names} <= linked
    sites = json.loads((tmp_path / "out/data/sites.geojson").read_text())
    assert [one["id"] for one in sites["features"]] == ["loewenplatz", "wehr"]


def test_parquet_has_the_rows_with_types_and_the_site(tmp_path: Path, capsys: Capture) -> None:
    days.store(tmp_path / "counts.sqlite", "gate-2", days.day(f"{WINTER}T00:00", 100))
    out = tmp_path / "day.parquet"
    export(tmp_path, capsys, *span(WINTER, "--format", "parquet", "--out", str(out)))
    table = parquet.read_table(out)
    rows = typed(export(tmp_path, capsys, *span(WINTER)))
    found = table.to_pylist()
    assert [row["start"].isoformat() for row in found] == [row["start"] for row in rows]
    for name in ("car", "bicycle", "pedestrian", "observed_s", "mean_kmh", "v85_kmh"):
        assert [row[name] for row in found] == [row[name] for row in rows], name
    notes = table.schema.metadata
    assert json.loads(notes[b"tallypost.site"])["licence"]["name"].startswith("Datenlizenz")


def test_months_that_are_over_are_written_again_at_night(tmp_path: Path) -> None:
    city.build(tmp_path)
    start = days.utc("2026-05-10T12:00")
    days.store(tmp_path / "counts.sqlite", "gate", [(start, 900, {"car": 77})], first=9000)
    may = "data/loewenplatz/loewenplatz-2026-05.csv"
    assert may not in city.build(tmp_path, now="2026-06-10T15:05").changed
    assert may in city.build(tmp_path, now="2026-06-11T03:20").changed
    assert ",77,0," in (tmp_path / "out" / may).read_text()
