"""`tallypost compare`: matches, misses and phantoms by direction and class."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallypost.cli import main
from tallypost.field.compare import Tally, compared, geh, read
from tallypost.field.matching import Seen, by_chance, offset, paired

T0 = datetime(2026, 3, 2, 7, tzinfo=UTC).timestamp()


def seen(s: float, direction: str = "forward", cls: str = "car") -> Seen:
    return Seen(T0 + s, direction, cls)


def street(n: int, seed: int = 3) -> list[Seen]:
    rng = random.Random(seed)
    s, found = 0.0, []
    for i in range(n):
        s += rng.uniform(3, 30)
        found.append(seen(s, ("forward", "backward")[i % 2], ("car", "bicycle")[i % 3 == 0]))
    return found


def test_misses_and_phantoms_do_not_cancel() -> None:
    truth = street(40)
    counted = [*truth[1:], seen(truth[-1].s - T0 + 60)]
    match = paired(truth, counted, 1.5)
    assert len(match.pairs) == 39
    assert match.missed == [truth[0]] and match.phantoms == [counted[-1]]


def test_another_direction_or_a_late_count_is_no_match() -> None:
    assert paired([seen(0)], [seen(0, "backward")], 1.5).pairs == []
    assert paired([seen(0)], [seen(1.6)], 1.5).pairs == []
    assert len(paired([seen(0)], [seen(-1.4)], 1.5).pairs) == 1


@pytest.mark.parametrize("slow_s", (-17.5, 0.0, 8.25))
def test_the_offset_between_two_clocks_is_found(slow_s: float) -> None:
    truth = street(60)
    rng = random.Random(5)
    counted = [
        Seen(one.s - slow_s + rng.uniform(-0.3, 0.3), one.direction, one.cls)
        for one in truth
        if rng.random() > 0.1
    ]
    assert offset(truth, counted, 1.5) == pytest.approx(slow_s, abs=1.0)


def test_the_recall_by_chance_grows_with_the_flow() -> None:
    dense = [seen(2 * i) for i in range(300)]
    assert by_chance(dense, dense, 1.5) > 0.7 > 0.3 > by_chance(street(60), street(60), 1.5)


def test_classes_and_directions_have_rows_of_their_own() -> None:
    truth = [seen(0), seen(10, cls="bicycle"), seen(20, "backward")]
    counted = [seen(0), seen(10), seen(40)]
    found = compared(Tally(truth, T0, T0 + 60), Tally(counted), 1.5, 0.0)
    rows = {(row["direction"], row["class"]): row for row in found["rows"]}
    assert rows["forward", "all"]["matched"] == 2 and rows["forward", "all"]["phantoms"] == 1
    assert rows["forward", "bicycle"]["class_right"] == 0
    assert rows["backward", "all"]["recall"] == 0.0 and rows["backward", "all"]["missed"] == 1
    assert [one["direction"] for one in found["missed"]] == ["backward"]


def test_counts_before_start_and_after_stop_are_left_out() -> None:
    truth = Tally([seen(100)], T0 + 60, T0 + 120)
    found = compared(truth, Tally([seen(5), seen(100), seen(300)]), 1.5, 0.0)
    assert found["phantoms"] == [] and found["rows"][-1]["matched"] == 1


def test_geh_is_that_of_the_manuals() -> None:
    assert geh(0, 0) == 0.0 and round(geh(100, 67), 2) == 3.61


TALLY = """# tallypost truth 1
# started: 2026-03-02T07:00:00.000Z
# stopped: 2026-03-02T07:10:00.000Z
utc,direction,class
2026-03-02T07:00:04.120Z,forward,car
2026-03-02T07:00:09.000Z,backward,bicycle
"""


def files(folder: Path) -> list[str]:
    tally, counts = folder / "truth.csv", folder / "counts.json"
    tally.write_text(TALLY)
    passages = [
        {"s": 6.3, "direction": "forward", "class": "car", "kmh": 31.0},
        {"s": 11.4, "direction": "backward", "class": "unknown", "kmh": None},
    ]
    data: dict[str, Any] = {"started": "2026-03-02T06:59:58.000Z", "passages": passages}
    counts.write_text(json.dumps(data))
    return [str(tally), str(counts)]


def test_the_command_prints_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert main(["compare", *files(tmp_path), "--out", str(page)]) == 0
    out = capsys.readouterr()
    assert "forward" in out.out and "fewer than 100" in out.err
    text = page.read_text()
    assert "<h2>Missed: 0</h2>" in text and "<script" not in text and "http" not in text
    assert main(["--lang", "de", "compare", *files(tmp_path), "--out", str(page)]) == 0
    assert "Zählung von Hand" in page.read_text()


def test_json_has_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *files(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][-1]["matched"] == 1 and found["window_s"] == 1.5


@pytest.mark.parametrize(
    ("text", "named"),
    (
        ("utc,direction,class\n2026-03-02T07:00:04Z,up,car\n", ":2"),
        ("2026-03-02T07:00:04,forward,car\n", ":1"),
        ("{}", "replay"),
        ('{"passages": [{"s": 1}], "started": ""}', "replay"),
        ("# started: never\n", ":1"),
    ),
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    text: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(text)
    assert main(["compare", files(tmp_path)[0], str(bad)]) == 1
    err = capsys.readouterr().err
    assert "bad.csv" in err and named in err


def test_a_tally_without_a_passage_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("utc,direction,class\n")
    assert main(["compare", str(empty), files(tmp_path)[1]]) == 1
    assert "empty.csv" in capsys.readouterr().err


def test_a_tally_is_read_with_its_start_and_stop(tmp_path: Path) -> None:
    tally = read(Path(files(tmp_path)[0]))
    assert tally.begin_s == T0 and tally.end_s == T0 + 600
    assert tally.passages[1] == Seen(T0 + 9, "backward", "bicycle")
