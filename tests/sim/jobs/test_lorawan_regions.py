"""Other regions than EU868, with both transceivers: everything arrives, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs.running import simulate


@pytest.mark.parametrize(
    ("scenario", "nodes"),
    [
        ("lorawan_us915", "lora-beam@heltec_wifi_lora_32_v3"),
        ("lorawan_as923", "lora-beam"),
    ],
)
def test_other_regions_lose_and_duplicate_no_interval(
    tmp_path: Path, scenario: str, nodes: str
) -> None:
    ran = simulate(tmp_path, "--seed", "7", "--nodes", nodes, "--scenario", scenario)
    assert ran.status == 0, ran.out + ran.err
    for node in ran.nodes:
        numbers = node["intervals"]
        assert numbers["closed"] == numbers["delivered"] >= 12
        assert numbers["lost"] == numbers["duplicated"] == node["resets"] == 0
        assert node["delivered"] == node["counted"]
        assert node["radio"]["joins"] == 1 and 0 < node["radio"]["airtime_s_a_day"] < 30
