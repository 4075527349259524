"""`tallypost report`: counts, coverage and percentiles of an hour or a day."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tallypost.backend import report
from tallypost.backend.stores.spans import percentile
from tallypost.backend.store import Store
from tallypost.cli import main


def interval(seq: int, start: str, cov: int, cars: int, hist: dict[int, int]) -> dict[str, Any]:
    n = sum(hist.values())
    speed = {"mean": 40.0 + seq if n else None, "raw": 39.0 + seq if n else None, "n": n,
             "hist": [list(pair) for pair in hist.items()]}  # fmt: skip
    none = {"mean": None, "raw": None, "n": 0, "hist": []}
    return {
        "seq": seq, "start": start, "len": 900, "cov": cov,
        "counts": {"forward": {"car": cars, "bicycle": 1}, "backward": {"car": 0, "bicycle": 0}},
        "speed": {"forward": speed, "backward": none},
        "spacing": {"forward": {"headway": 6.0, "gap": None, "occ": None, "n": 2},
                    "backward": {"headway": None, "gap": None, "occ": None, "n": 0}},
    }  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "counts.sqlite"
    store = Store(path)
    rows = (
        (1, "2026-03-02T07:00:00Z", 900, 50, {10: 50}),
        (2, "2026-03-02T07:15:00Z", 450, 50, {10: 35, 12: 15}),
        (3, "2026-03-02T08:00:00Z", 900, 0, {}),
    )
    with store.transaction():
        for row in rows:
            store.insert(("gate", "aa"), "interval", interval(*row), 1_772_000_000.0)
    store.close()
    return path


def rows_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_hour_is_the_sum_of_its_intervals(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--db", str(db), "--node", "gate", "--json"]) == 0
    hour, _, later, _ = rows_of(capsys)
    assert (hour["start"], hour["direction"]) == ("2026-03-02T07", "forward")
    assert hour["counts"] == {"car": 100, "bicycle": 2} and hour["observed"] == 0.75
    assert hour["mean"] == 41.5 and hour["raw"] == 40.5 and hour["headway"] == 6.0
    # 85 of 100 are slower than 44 km/h, the limit between the bins of 40 and of 48.
    assert hour["v85"] == 44.0 and hour["v50"] == pytest.approx(40 + 4 * 50 / 85, abs=0.05)
    assert hour["v98"] == pytest.approx(48 + 4 * 13 / 15, abs=0.05)
    assert later["counts"] == {"car": 0, "bicycle": 1} and later["v85"] is None


def test_a_percentile_of_a_day_is_that_of_all_road_users(db: Path) -> None:
    [(key, day), _] = report.spans(db, "gate", ("2026-03-02", "2026-03-03"), "day")
    assert key == ("2026-03-02", "forward") and day.speeds == 100
    assert percentile(Counter({31: 5}), 0.85) == 124.0, "the last bin is open"
    assert percentile(Counter(), 0.85) is None


def test_a_table_has_the_classes_that_were_counted(
    db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--db", str(db), "--node", "gate", "--by", "day"]) == 0
    text = capsys.readouterr().out
    assert "v85" in text and "bicycle" in text and "83.3%" in text and "44.0" in text


@pytest.mark.parametrize(
    ("words", "error"),
    (
        (["--node", "other"], "there is no interval of other from"),
        (["--node", "gate", "--from", "2026-04-01"], "from 2026-04-01"),
        (
            ["--node", "gate", "--to", "1.4.2026"],
            "'1.4.2026' is not a date. Write it as YYYY-MM-DD",
        ),
    ),
)
def test_a_report_without_intervals_is_refused(
    words: list[str], error: str, db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--db", str(db), *words]) == 1
    assert error in capsys.readouterr().err


def test_a_file_without_counts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("nothing that SQLite knows, but long enough for it to look at " * 20)
    for path, what in ((tmp_path / "none", "no such file"), (other, "not a database")):
        assert main(["report", "--db", str(path), "--node", "gate"]) == 1
        assert what in capsys.readouterr().err
