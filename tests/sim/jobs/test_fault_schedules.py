"""`make fuzz`: fault schedules from seeds. Those that once found an error are here for good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.run import fuzz
from simulator.run.plans.fault_schedule import FAULT_KINDS, faulty_plan

FOUND = (
    18,  # compared with its calm by closed intervals, whose ends a clock step had moved
    97,  # the time server wrong, then the real-time clock: both add up
)


def run(tmp_path: Path, *words: str) -> tuple[int, dict[str, object]]:
    path = tmp_path / "result.json"
    status = fuzz.main([*words, "--json", str(path)])
    return status, json.loads(path.read_text())


@pytest.mark.parametrize("seed", FOUND)
def test_a_fault_schedule_that_once_found_a_bug_passes(seed: int, tmp_path: Path) -> None:
    status, result = run(tmp_path, "--n", "1", "--seed", str(seed))
    assert status == 0 and result["violations"] == []
    assert result["intervals"]


def test_a_violation_is_reported_with_its_repeat_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"violations": ["storm-7: lost"], "violated": 1}
    rest = dict.fromkeys(("simulated_h", "wall_s", "compared", "passages", "intervals"), 0)
    monkeypatch.setattr(fuzz, "run", lambda _storms: {**rest, "power_cuts": 0, **found})
    assert fuzz.main(["--n", "9", "--seed", "3"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "To repeat it:",
        "make fuzz N=1 SEED=7",
    ]


def test_a_hundred_seeds_draw_every_fault_and_repeat_them() -> None:
    drawn = [faulty_plan(seed) for seed in range(1, 101)]
    assert drawn == [faulty_plan(seed) for seed in range(1, 101)]
    said = " ".join(plan.summary() for plan in drawn)
    titles = ("broker away", "Wi-Fi down", "NTP away", "DNS dead", "half open", "refused",
              "late PUBACK", "backend away", "power cuts", "NTP steps", "RTC steps", "bounce",
              "torn", "NVS dead", "log dead")  # fmt: skip
    assert [title for title in titles if title not in said] == []
    assert len(FAULT_KINDS) >= 12
