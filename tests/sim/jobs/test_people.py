"""People give commands all day, and connections are lost: memory for the next one stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.runs.running import simulate

IDF_FREE_BYTES = 20_480
IDF_BLOCK_BYTES = 17_000  # a record of TLS and its header


def _node(tmp_path: Path, scenario: str, *words: str) -> dict[str, Any]:
    ran = simulate(tmp_path, "--scenario", scenario, "--nodes", "radar", *words)
    assert ran.status == 0, ran.out
    return dict(ran.nodes[0])


def test_no_command_takes_the_memory_of_the_network(tmp_path: Path) -> None:
    node = _node(tmp_path, "people", "--hours", "6", "--seed", "23")
    asked = node["commands"]
    assert asked["asked"] == 50 and asked["lost"] == 0 and asked["answered"] >= 49
    assert asked["no_memory"] <= 3, "refused, and the node goes on"
    memory = node["memory"]
    assert memory["gc_growth_after_60s"] == 0
    assert memory["idf_free_min"] >= IDF_FREE_BYTES
    assert memory["idf_largest_min"] >= IDF_BLOCK_BYTES


def test_tls_comes_up_again_after_every_lost_connection(tmp_path: Path) -> None:
    """On the classic chip: the handshake finds its block of 16 KB each time."""
    node = _node(tmp_path, "people_tls", "--hours", "2", "--seed", "24")
    assert node["commands"]["lost"] == 0
    assert node["memory"]["gc_growth_after_60s"] == 0
    assert node["memory"]["idf_free_min"] < IDF_FREE_BYTES, "the session takes its memory"
