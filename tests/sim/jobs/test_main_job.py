"""Street to backend on one command."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.runs.running import ROOT, simulate

KEYS = {"seed", "scenario", "simulated_s", "wall_s", "trace_sha256", "violations", "nodes"}
NODE_KEYS = {
    "node", "detector", "link", "truth", "counted", "delivered", "matched", "intervals",
    "resets", "heap_free_min", "memory",
}  # fmt: skip


def test_three_hours_lose_and_duplicate_no_interval(tmp_path: Path) -> None:
    ran = simulate(tmp_path, "--hours", "3", "--seed", "7")
    assert ran.status == 0, ran.out + ran.err
    assert set(ran.result) >= KEYS and ran.result["violations"] == []
    assert [node["detector"] for node in ran.nodes] == ["ld2451", "beam"]
    for node, least in zip(ran.nodes, (0.95, 0.99), strict=True):
        assert set(node) >= NODE_KEYS
        assert sum(sum(classes.values()) for classes in node["truth"].values()) == 625
        assert node["delivered"] == node["counted"]
        numbers = node["intervals"]
        assert numbers["closed"] == numbers["delivered"] == numbers["confirmed"] == 12
        assert numbers["lost"] == numbers["duplicated"] == node["resets"] == 0
        assert node["matched"]["recall"] >= least and node["matched"]["precision"] >= least
        memory = node["memory"]
        assert memory["gc_free_min"] > 4_000  # of two areas of 56 KiB
        assert memory["idf_free_min"] >= memory["idf_largest_min"] > 16_000
    assert "No interval is lost or duplicated, and no check has failed." in ran.out


def test_a_seed_gives_the_same_run_again_and_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "a longer path than the first" / "tallypost"
    leave = shutil.ignore_patterns(".git", ".venv", ".build", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, elsewhere, ignore=leave)
    shutil.copytree(ROOT / ".build" / "third_party", elsewhere / ".build" / "third_party")
    options = ("--hours", "0.5", "--seed", "11")
    here = simulate(tmp_path, *options).result["trace_sha256"]
    assert simulate(tmp_path, *options).result["trace_sha256"] == here
    assert simulate(tmp_path, *options, root=elsewhere).result["trace_sha256"] == here
    other = simulate(tmp_path, "--hours", "0.5", "--seed", "12").result["trace_sha256"]
    assert other != here


def test_the_trace_is_written(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    ran = simulate(tmp_path, "--hours", "0.3", "--nodes", "1", "--trace", str(trace))
    assert ran.status == 0
    kinds = {line.split(b" ")[1] for line in trace.read_bytes().splitlines() if line}
    assert kinds >= {b"boot", b"flash:program", b"net:tx", b"net:rx", b"log"}
