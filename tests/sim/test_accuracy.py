"""What is promised of the detectors, on fewer runs than `make accuracy` makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.run import accuracy
from simulator.run.accuracy_cell import PROMISED, Cell, Share

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "lib" / "passage" / "ACCURACY.md"


@pytest.mark.parametrize("one", sorted(PROMISED), ids="-".join)
def test_a_promise_holds(one: tuple[str, str]) -> None:
    (found,) = accuracy.run([one], 2, 2)
    assert found.broken() == []
    assert found.recall.n > 50


def test_a_broken_promise_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Cell(
        "ld2451", "moderate", "", Share(90, 100), Share(90, 91), Share(90, 90),
        {}, (2.5, (2.0, 3.0)), None, ["node: a violation"],
    )  # fmt: skip
    texts = bad.broken()
    assert len(texts) == 5 and "recall 0.9000" in texts[0] and texts[-1] == "node: a violation"


def test_the_command_writes_table_picture_and_figures(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("json", "markdown", "page")}
    options = [f"--{name}={path}" for name, path in files.items()]
    wanted = ["--detector=beam", "--scenario=pairs", "--seeds=2", "--hours=1"]
    assert accuracy.main([*options, *wanted]) == 0
    told = json.loads(files["json"].read_text())
    (cell,) = told["cells"]
    assert told["simulated"] and cell["scenario"] == "pairs"
    assert cell["recall"]["range"][0] < cell["recall"]["value"] < 0.9 < cell["precision"]["value"]
    assert "| beam | pairs | 0." in files["markdown"].read_text()
    page = files["page"].read_text()
    assert page.count("<circle") == 3 and "simulated" in page and "<script" not in page


def test_what_is_no_situation_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert accuracy.main(["--scenario", "clock_steps"]) == 2
    assert "no situation" in (told := capsys.readouterr().err) and "platoons" in told


def test_the_table_beside_the_detectors_has_every_cell() -> None:
    text = TABLE.read_text()
    for detector, scenario in accuracy.matrix(None, None):
        assert f"| {detector} | {scenario} |" in text, "make accuracy MARKDOWN= writes it"
    assert text.startswith("# How well") and "Simulated" in text and "real sensor" in text
