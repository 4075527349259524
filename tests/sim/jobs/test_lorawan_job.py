"""The main job over LoRaWAN: own MAC, an emulated SX1276, gateway, network server, backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simulator.run.checkers import records
from simulator.run.plans.plan import RunOptions, draw
from tests.support.runs.living import live
from tests.support.runs.running import simulate


def test_lorawan_loses_and_duplicates_no_interval(tmp_path: Path) -> None:
    ran = simulate(tmp_path, "--hours", "3", "--seed", "7", "--nodes", "lorawan")
    assert ran.status == 0, ran.out + ran.err
    assert [node["link"] for node in ran.nodes] == ["lorawan", "lorawan"]
    for node in ran.nodes:
        numbers = node["intervals"]
        assert numbers["closed"] == numbers["delivered"] >= 12
        assert numbers["lost"] == numbers["duplicated"] == node["resets"] == 0
        assert node["delivered"] == node["counted"]
        assert node["matched"]["recall"] >= 0.99 and node["matched"]["precision"] >= 0.99
        assert node["radio"]["joins"] == 1 and 0 < node["radio"]["airtime_s_a_day"] < 30
        assert node["heap_free_min"] > 4_000  # of 256k


def test_lost_frames_and_an_absent_gateway_delay_and_lose_nothing(tmp_path: Path) -> None:
    ran = simulate(
        tmp_path, "--hours", "12", "--seed", "3", "--nodes", "lora-beam",
        "--scenario", "lorawan_loss",
    )  # fmt: skip
    assert ran.status == 0, ran.out + ran.err
    [node] = ran.nodes
    assert node["intervals"]["lost"] == node["intervals"]["duplicated"] == 0
    assert node["radio"]["drained_h"] >= 0.5  # a calm run needs an eighth


def test_power_cuts_cost_no_interval_and_no_counter(tmp_path: Path) -> None:
    """A counter or a DevNonce used twice is a fault that the network server notes."""
    ran = simulate(
        tmp_path, "--hours", "2", "--seed", "5", "--nodes", "lora-radar",
        "--scenario", "power_cuts",
    )  # fmt: skip
    assert ran.status == 0, ran.out + ran.err
    [node] = ran.nodes
    assert node["power_cuts"] >= 50 and node["intervals"]["lost"] == 0


def test_nodes_with_and_without_lorawan_side_by_side(tmp_path: Path) -> None:
    ran = simulate(tmp_path, "--hours", "0.5", "--nodes", "beam,lora-beam")
    assert ran.status == 0, ran.out + ran.err
    assert [node["node"] for node in ran.nodes] == ["beam-1", "lora-beam-2"]


def test_an_impossible_node_is_refused(tmp_path: Path) -> None:
    for options, text in (
        (("--nodes", "0"), "nodes '0', wanted a number within 1 .. 1000"),
        (("--nodes", "radar,bike"), "nodes 'radar,bike', wanted"),
        (("--nodes", "lorawan", "--live"), "BROKER= and LIVE=1 are for nodes with MQTT"),
    ):
        ran = simulate(tmp_path, *options)
        assert ran.status == 2 and text in ran.err and not ran.result, ran.err


def test_the_image_of_another_board_with_another_transceiver(tmp_path: Path) -> None:
    options = RunOptions(hours=1.0, seed=4, nodes="lora-beam")
    plan = replace(draw(options)[0], board="heltec_wifi_lora_32_v3")
    evidence = live(plan, tmp_path)
    assert records.violations(evidence) == [] and records.lost(evidence) == []
    assert len(evidence.observer.closed) >= 4 and evidence.backend.joins == 1
    assert "on heltec_wifi_lora_32_v3" in evidence.observer.console[0]


def test_nodes_on_one_air_lose_few_frames_and_no_interval(tmp_path: Path) -> None:
    """Twice the same, although each node has a thread of its own."""
    options = ("--hours", "1", "--seed", "2", "--nodes", "lora-beam:8")
    ran, again = simulate(tmp_path, *options), simulate(tmp_path, *options)
    assert ran.status == 0, ran.out + ran.err
    assert ran.result["trace_sha256"] == again.result["trace_sha256"]
    assert ran.result["air"] == again.result["air"]
    assert all(node["intervals"]["lost"] == 0 for node in ran.nodes)
    air = ran.result["air"]
    assert air["frames"] == sum(node["radio"]["frames"] for node in ran.nodes) >= 8 * 6
    assert air["spoiled"] <= 3 and "lost by collision" in ran.out


def test_a_node_alone_has_no_air_to_share(tmp_path: Path) -> None:
    ran = simulate(tmp_path, "--hours", "0.3", "--nodes", "lora-beam:1,beam:1")
    assert [node["node"] for node in ran.nodes] == ["lora-beam-1", "beam-2"]
    assert "air" not in ran.result and ran.nodes[0]["intervals"]["confirmed"] >= 1
