"""`make accuracy SENSITIVITY=1`: one assumption about the sensor is changed at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.accuracy import __main__ as accuracy
from simulator.run.accuracy import sensitivity
from simulator.run.accuracy.cell import Cell, Share


def test_a_variant_changes_one_fault_and_no_road_user() -> None:
    base = accuracy.cell_plan("ld2451", sensitivity.BASE, 51, 1)
    for name in sensitivity.VARIANTS:
        plan = sensitivity.varied(base, name)
        faults = {key for key in {*base.faults, *plan.faults}
                  if base.faults.get(key, 0.0) != plan.faults.get(key, 0.0)}  # fmt: skip
        assert len(faults) == (name != sensitivity.BASE), name
        assert len(plan.name) <= 32 and plan.name != base.name
        assert replace(plan, faults=base.faults, name=base.name) == base


def test_the_command_runs_the_variants_and_writes_a_row_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ("harsh", "missed_doubled")
    monkeypatch.setattr(
        sensitivity, "VARIANTS", {name: sensitivity.VARIANTS[name] for name in kept}
    )
    table, page = tmp_path / "table.txt", tmp_path / "page.html"
    wanted = ["--sensitivity", "--seeds=1", "--hours=1", f"--markdown={table}", f"--page={page}"]
    assert accuracy.main(wanted) == 0
    text = table.read_text()
    assert "`missed_doubled`: `missed` x 2" in text
    rows = [line for line in text.splitlines() if line.startswith("| ld2451 |")]
    assert [row.split(" | ")[1] for row in rows] == list(kept) and len(set(rows)) == 2


def test_too_many_phantoms_of_a_variant_are_reported() -> None:
    shares = Share(90, 100), Share(90, 100), Share(90, 90)
    cell = Cell("ld2451", "echo_doubled", "", *shares, {}, None, None, [])
    added = Cell("ld2451", "paired_added", "", *shares, {}, None, None, [])
    (text,) = sensitivity.shortfalls([cell, added])
    assert text == "echo_doubled: precision 0.9000 is below 0.93"
