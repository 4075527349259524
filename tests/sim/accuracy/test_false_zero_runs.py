"""`make zeros`, on fewer intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.run import false_zeros
from simulator.run.false_zeros import SITUATIONS, plans, run, situation_plan
from simulator.run.plans.plan import NodePlan
from tests.support.long import LONG

INTERVALS = 64 if LONG else 32


def test_the_command_finds_no_false_zero_and_writes_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "zeros.json"
    assert false_zeros.main([f"--n={INTERVALS}", "--seed=77", f"--json={path}"]) == 0
    found = json.loads(path.read_text())
    assert found["intervals"] >= INTERVALS and found["false_zeros"] == 0 == len(
        found["violations"]
    )


@pytest.mark.parametrize("name", ("far-lane", "covered", "turned-far"))
def test_a_blind_radar_calls_what_it_does_not_see_unobserved(name: str) -> None:
    found = run([situation_plan(name, 78)])
    (one,) = found["situations"].values()
    assert found["false_zeros"] == 0 and one["counted"] < 0.6 * one["passed"]
    assert one["observed_share"] < 0.6


def test_every_situation_has_its_turn() -> None:
    names = [plan.name.rpartition("-")[0] for plan in plans(1000, 5)]
    assert len(names) == 63 and set(names) == set(SITUATIONS)


def test_a_false_zero_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blind(_plans: list[NodePlan]) -> dict[str, Any]:
        row = {"intervals": 16, "passed": 9, "counted": 0, "observed_share": 1, "false_zeros": 1}
        return {**row, "situations": {"harsh": row}, "violations": []}

    monkeypatch.setattr(false_zeros, "run", blind)
    assert false_zeros.main(["--n=16"]) == 1
    assert "16 intervals, 1 false zeros" in capsys.readouterr().out
