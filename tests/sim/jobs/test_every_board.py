"""Every board's image runs: it counts with the board's detectors, and delivers by each link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.plans.plan import RunOptions, draw
from tallypost.hardware import boards
from tests.support.runs.living import live
from tests.support.runs.running import simulate

LINKS = [
    (name, link)
    for name in boards.names()
    for link, has in (
        ("mqtt", boards.load(name).features.wifi),
        ("lorawan", boards.load(name).features.lorawan),
    )
    if has
]


def kind(name: str, link: str) -> str:
    """A node for the board. With LoRaWAN it is the radar where there is one."""
    radar = "ld2451" in boards.load(name).features.detectors and link == "lorawan"
    return ("lora-" if link == "lorawan" else "") + ("radar" if radar else "beam")


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_a_board_counts_and_delivers(name: str, link: str, tmp_path: Path) -> None:
    [plan] = draw(RunOptions(hours=1.0, seed=4, nodes=f"{kind(name, link)}@{name}"))
    assert (plan.board, plan.link) == (name, link)
    evidence = live(plan, tmp_path)
    assert records.violations(evidence) == [] and records.lost(evidence) == []
    assert len(evidence.observer.closed) >= 4 and evidence.observer.boots == 1
    assert len(evidence.observer.passages) >= 0.95 * len(evidence.truth) > 20
    assert evidence.backend.joins == (1 if link == "lorawan" else 0)
    assert f"on {name}" in evidence.observer.console[0]


def test_a_detector_that_the_board_cannot_have_counts_nothing_and_says_so(tmp_path: Path) -> None:
    [plan] = draw(RunOptions(hours=0.6, seed=4, nodes="beam@esp32c3_rak3172"))
    evidence = live(replace(plan, config={**plan.config, "detector": "ld2451"}), tmp_path)
    assert evidence.observer.boots == 1 and records.lost(evidence) == []
    assert any("this board has no line for a radar" in line for line in evidence.observer.console)
    assert {record.coverage for record in evidence.observer.closed.values()} == {0}
    assert len(evidence.observer.closed) >= 2


def test_a_board_gets_no_node_that_it_cannot_be(tmp_path: Path) -> None:
    for nodes, text in (
        ("radar@esp32c3_rak3172", "radar@esp32c3_rak3172: the board has no ld2451"),
        ("doppler@esp32c3_rak3172", "the board has no doppler"),
        ("lora-beam@esp32_generic", "lora-beam@esp32_generic: the board has no LoRaWAN"),
        ("beam@nope", "unknown board 'nope'"),
    ):
        ran = simulate(tmp_path, "--nodes", nodes)
        assert ran.status == 2 and text in ran.err, ran.err
