"""Promised figures of the detectors, on fewer runs than `make accuracy` makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.accuracy import __main__ as accuracy
from simulator.run.accuracy.cell import PROMISED, Cell, Share, precision_losses
from simulator.run.accuracy.words import limits, matrix, words
from simulator.run.checkers import records
from simulator.run.plans.sensors import SENSORS
from simulator.run.results.report import node_result
from tests.support.runs.living import live

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "lib" / "passage" / "ACCURACY.md"
TRUST = ROOT / "lib" / "passage" / "TRUST.md"


@pytest.mark.parametrize("one", sorted(PROMISED), ids="-".join)
def test_a_promise_holds(one: tuple[str, str]) -> None:
    (found,) = accuracy.run([one], 2, 2)
    assert found.shortfalls() == []
    assert found.recall.n > 50


def test_a_broken_promise_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Cell(
        "ld2451", "moderate", "", Share(90, 100), Share(90, 91), Share(90, 90),
        {}, (2.5, (2.0, 3.0)), None, ["node: a violation"],
    )  # fmt: skip
    texts = bad.shortfalls()
    assert len(texts) == 5 and "recall 0.9000" in texts[0] and texts[-1] == "node: a violation"


def _cell(scenario: str, recall: Share, precision: Share, pairs: float = 0.0) -> Cell:
    classes = {"bicycle": {"bicycle": 90, "pedestrian": 6, "unknown": 4}, "car": {"car": 100}}
    return Cell(
        "beam", scenario, "", recall, precision, Share(1, 1), classes, (0.5, (0.2, 0.8)), None, [],
        pairs,
    )  # fmt: skip


def test_precision_may_fall_a_little_in_noise_and_no_more() -> None:
    free_flow = _cell("moderate", Share(99, 100), Share(990, 1000))
    assert precision_losses([free_flow, _cell("rain", Share(99, 100), Share(971, 1000))]) == []
    (message,) = precision_losses([free_flow, _cell("rain", Share(99, 100), Share(969, 1000))])
    assert "beam, rain: precision falls by 0.0210, promised at most 0.02" in message


def test_the_words_tell_counts_speeds_limits_and_pairs() -> None:
    calm = _cell("moderate", Share(998, 1000), Share(998, 1000))
    pairs = _cell("pairs", Share(1000, 1300), Share(1000, 1000), pairs=0.3)
    (text,) = words([calm, pairs])
    assert text == (
        "- **beam**: in free traffic (`moderate`) 998 of 1,000 passages are counted, at least 993"
        " (95 % sure). Of 1,000 counts 998 are real, at least 993. The mean speed is within 0.8"
        " km/h of the true one. Of 100 pairs side by side 99 count as one (97 to 100)."
    )
    assert limits([calm, pairs])[2:] == ["| beam | `pairs` (77 %, 100 %) | - |"]
    assert "| beam | moderate | bicycle | 6 | 90 | 0 | 0 | 4 |" in matrix([calm, pairs])


def test_the_limits_name_situations_with_unreliable_classes() -> None:
    calm = _cell("moderate", Share(998, 1000), Share(998, 1000))
    queue = _cell("queue", Share(998, 1000), Share(998, 1000))
    queue.classes["car"] = {"bicycle": 99, "car": 1}
    assert limits([calm, queue])[2:] == ["| beam | - | `queue` (46 %) |"]


DAMAGE = ("resync_bytes", "bad_footer", "bad_len", "bad_lines", "odd_readings", "lamp_readings")


@pytest.mark.parametrize("detector", ("ld2451", "ld2450", "ops243", "doppler"))
def test_a_damaged_line_shows_in_the_counters_and_stalls_nothing(
    detector: str, tmp_path: Path
) -> None:
    noisy = live(accuracy.cell_plan(detector, "noisy_line", 1, 1), tmp_path)
    undamaged = live(accuracy.cell_plan(detector, "moderate", 1, 1), tmp_path)
    damaged, clean = (
        sum(evidence.health["detector"].get(k, 0) for k in DAMAGE)
        for evidence in (noisy, undamaged)
    )
    assert damaged > 20 and clean < damaged / 4
    last_us = max(one.t_us for one in noisy.truth)
    assert max(one.t_us for one in noisy.observer.passages) > last_us - 60_000_000
    assert node_result(noisy)["violations"] == []


def test_a_reversed_direction_byte_is_reported(tmp_path: Path) -> None:
    for swapped in (0.0, 1.0):
        plan = replace(accuracy.cell_plan("ld2451", "moderate", 1, 1), faults={"swapped": swapped})
        (folder := tmp_path / str(swapped)).mkdir()
        evidence = live(plan, folder)
        assert evidence.health["detector"]["direction_contradicts"] == swapped


@pytest.mark.parametrize("detector", ("ld2451", "ld2450", "ops243"))
def test_a_sensor_that_restarts_in_mid_frame_is_heard_again(detector: str, tmp_path: Path) -> None:
    plan = replace(accuracy.cell_plan(detector, "moderate", 1, 1), faults={"restart": 1800.0})
    evidence = live(plan, tmp_path)
    health = evidence.health["detector"]
    assert health["resync_bytes"] + health.get("bad_lines", 0) + health.get("bad_footer", 0) > 0
    result = node_result(evidence)
    assert result["violations"] == [] and result["matched"]["recall"] > 0.95
    late = [one for one in evidence.observer.passages if one.t_us > 1_830_000_000]
    due = [one for one in evidence.truth if one.t_us > 1_830_000_000]
    assert len(late) >= 0.95 * len(due) > 20


@pytest.mark.parametrize(
    ("detector", "faults", "config", "state"),
    (
        ("ld2451", {"branch": 600.0}, {}, "blocked"),
        ("ld2450", {"branch": 600.0}, {}, "blocked"),
        ("ops243", {"branch": 600.0}, {}, "blocked"),
        ("ld2450", {"aside": 6.0}, {}, "misaligned"),
    ),
)
def test_a_blind_detector_says_so_and_is_not_called_observed(
    detector: str, faults: dict[str, float], config: dict[str, object], state: str, tmp_path: Path
) -> None:
    plan = replace(accuracy.cell_plan(detector, "moderate", 1, 3), passages=1000, faults=faults)
    evidence = live(replace(plan, config={**plan.config, **config}), tmp_path)
    assert records.violations(evidence) == []
    states = [body["det"] for body in evidence.backend.delivered.values()]
    assert state in states, states
    assert evidence.backend.delivered[max(evidence.backend.delivered)]["cov"] < 450


def test_a_radar_that_is_turned_away_names_the_line_that_it_does_not_see(tmp_path: Path) -> None:
    """It still counts most vehicles, at places that it only estimates."""
    plan = replace(accuracy.cell_plan("ld2451", "moderate", 1, 3), passages=1000)
    plan = replace(plan, faults={"turned": 40.0}, config={**plan.config, "radar_line_m": 30})
    evidence = live(plan, tmp_path)
    assert records.violations(evidence) == []
    reasons = [reason for body in evidence.backend.delivered.values() for reason in body["why"]]
    assert "line_unseen" in reasons and {"forward_unseen", "backward_unseen"} & set(reasons)


def test_the_command_writes_table_picture_and_figures(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("json", "markdown", "words", "page")}
    options = [f"--{name}={path}" for name, path in files.items()]
    wanted = ["--detector=beam", "--scenario=pairs", "--seeds=2", "--hours=1"]
    assert accuracy.main([*options, *wanted]) == 0
    matrix_file = json.loads(files["json"].read_text())
    (cell,) = matrix_file["cells"]
    assert matrix_file["simulated"] and cell["scenario"] == "pairs"
    assert cell["recall"]["range"][0] < cell["recall"]["value"] < 0.9 < cell["precision"]["value"]
    assert "| beam | pairs | 0." in files["markdown"].read_text()
    assert cell["count_error_pct"] < -10 and cell["classed"]["value"] > 0.9
    assert cell["recall_by_chance"] < 0.3 and cell["hours"]["bias_pct"] < -10
    assert "| beam | 50-150 | 4 | -" in files["markdown"].read_text()
    assert "| beam | pairs | bicycle | 0 | " in files["words"].read_text()
    page = files["page"].read_text()
    assert page.count("<circle") == 6 and "simulated" in page and "<script" not in page
    assert "<th>as bicycle</th>" in page and "v85, km/h" in page


def test_an_unknown_situation_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert accuracy.main(["--scenario", "clock_steps"]) == 2
    assert "not a situation" in (errors := capsys.readouterr().err) and "platoons" in errors


def test_the_table_beside_the_detectors_has_every_cell() -> None:
    text = TABLE.read_text()
    for detector, scenario in accuracy.matrix(None, None):
        assert f"| {detector} | {scenario} |" in text, "make accuracy MARKDOWN= writes it"
    assert text.startswith("# How well") and "Simulated" in text
    trust = TRUST.read_text()
    for detector in SENSORS:
        assert f"- **{detector}**: " in trust, "make accuracy WORDS= writes it"
    assert "only a real sensor" in trust
