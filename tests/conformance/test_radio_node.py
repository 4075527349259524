"""Board, driver, MAC, chip, air, gateway and network together, in virtual time."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.world.chip.process import PowerCut, Reset
from simulator.world.lorawan import commands
from simulator.world.lorawan.radio_medium import RadioMedium, Signal
from simulator.world.lorawan.join import cf_list
from simulator.world.lorawan.server import GPS_AT_ZERO, Message
from tests.conformance.support.board import Plan, RadioNode, compiled

SEEDS = int(os.environ.get("LORAWAN_SEEDS", "8")) // 2
CHIPS: dict[str, dict[str, Any]] = {
    "sx1262": {"tcxo_mv": 1800, "dio2_switch": True},
    "sx1276": {"pa_boost": True},
}
SIZES = {"EU868": 40_000, "AS923": 40_000, "US915": 41_000}
ONE_OF = {"EU868": {"eu868"}, "AS923": {"as923"}, "US915": {"us915", "fixed_plan"}}
TABLES = set().union(*ONE_OF.values())
GPS_TO_UNIX = 315_964_800 - 18


def live(folder: Path, plan: Plan, seconds: float = 600) -> RadioNode:
    """Run a node until it is done. It must not have misused its chip."""
    node = RadioNode(folder, plan)
    try:
        assert node.until("done", seconds), node.lines()[-5:]
    finally:
        node.stop()
    assert node.chip.violations == []
    assert node.network.faults == []
    return node


@pytest.fixture(params=CHIPS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return Plan(chip=request.param, options=CHIPS[request.param])


def state(node: RadioNode) -> dict[str, Any]:
    line = next(line for line in node.lines() if line.startswith("state "))
    found: dict[str, Any] = eval(line[6:], {"__builtins__": {}})
    return found


def test_a_node_joins_delivers_and_learns_the_time(tmp_path: Path, plan: Plan) -> None:
    node = live(tmp_path, plan)
    assert node.received() == [b"0000", b"0001", b"0002"]
    _time, utc, ago_ms = next(line.split() for line in node.lines() if line.startswith("time"))
    said_us = next(t for kind, t, text in node.log.seen if str(text).startswith("time"))
    network_ms = (GPS_AT_ZERO + GPS_TO_UNIX) * 1000 + said_us // 1000
    assert abs(int(utc) * 1000 + int(ago_ms) - network_ms) <= 8  # 1/256 s, and two roundings
    facts = state(node)
    assert facts["joined"] and facts["f_cnt_up"] == 3 and facts["errors"]["late"] == 0
    assert (facts["rssi"], facts["airtime_s"]) == (-96, 1)


def test_downlinks_arrive_in_both_windows_of_all_channels(tmp_path: Path, plan: Plan) -> None:
    plan.frames, plan.confirmed = 6, True
    node = RadioNode(tmp_path, plan)
    node.device.settings.cf_list = cf_list(867_100_000, 867_300_000, 867_500_000)
    node.device.settings.rx2_rate = 3
    assert node.until("up", 300)
    for window in (1, 2, 1):
        node.network.window = window
        node.session().messages.append(Message(9, bytes([window]) * 11))
        frames = len(node.received())
        while len(node.received()) == frames:
            node.run(node.node.now_us / 1e6 + 5)
    assert node.until("done", 600)
    node.stop()
    assert [line for line in node.lines() if line.startswith("down")] == [
        "down 9 " + "01" * 11,
        "down 9 " + "02" * 11,
        "down 9 " + "01" * 11,
    ]
    assert [line for line in node.lines() if line.endswith("False")] == []
    assert node.chip.violations == [] and node.network.faults == []
    assert len({signal.freq_hz // 100_000 for signal in node.medium.sent}) > 3


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_window_covers_the_preamble(tmp_path: Path, plan: Plan, seed: int) -> None:
    """With all errors of clocks and interrupts within the budget."""
    rng = random.Random(seed)
    plan.error_us = rng.choice((4000, 10_000, 20_000))
    plan.drift_ppm = rng.choice((10, 50, 100))
    plan.gateway_ppm = rng.uniform(-1, 1) * plan.drift_ppm
    plan.late_us = plan.error_us - 2000
    plan.chatter_bits, plan.frames, plan.confirmed, plan.seed = 14, 8, True, seed
    node = RadioNode(tmp_path, plan)
    node.device.settings.delay = rng.randint(1, 15)
    assert node.until("up", 600), node.lines()
    for rate in range(6):
        node.network.window = rng.choice((1, 2))
        node.session().requests.append(commands.link_adr(rate, 0, 7))
        sent = len(node.session().frames)
        while len(node.session().frames) == sent:
            node.run(node.node.now_us / 1e6 + 5)
    assert node.until("done", 900), node.lines()
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    assert [line for line in node.lines() if line.startswith("sent") and "True" not in line] == []
    assert {signal.modulation.sf for signal in node.medium.sent} >= {8, 9, 10, 11, 12}
    for down in (signal for signal in node.medium.sent if signal.sender == "gateway"):
        opened = [w for w in node.chip.windows if w.locks_us(down)]
        assert opened and opened[0].open_us <= down.begin_us, down


def test_uplinks_and_windows_of_500_khz_work(tmp_path: Path, plan: Plan) -> None:
    plan.region, plan.frames, plan.confirmed, plan.seed = "US915", 4, True, 3
    node = RadioNode(tmp_path, plan)
    assert node.until("up", 900, 30), node.lines()
    node.session().requests.append(commands.link_adr(4, 0, 2, 7))
    assert node.until("done", 1200), node.lines()
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    assert [line for line in node.lines() if line.startswith("sent") and "True" not in line] == []
    assert {125_000, 500_000} == {s.modulation.bw_hz for s in node.medium.sent if s.sender == "n1"}


def test_a_loss_of_frames_costs_no_acknowledged_one(tmp_path: Path, plan: Plan) -> None:
    plan.loss, plan.frames, plan.confirmed = 0.2, 15, True
    node = live(tmp_path, plan, 1800)
    acknowledged = [line.split()[1] for line in node.lines() if line.endswith("True")]
    assert 5 <= len(acknowledged) < 15 and node.medium.lost > 3
    assert {b"%04d" % int(number) for number in acknowledged} <= set(node.received())
    assert len(set(node.received())) == len(node.received())


def test_another_node_on_the_same_channel_is_a_collision(tmp_path: Path, plan: Plan) -> None:
    node = RadioNode(tmp_path, plan)
    interferer(node.medium)
    assert not node.until("up", 60)
    assert node.gateway.spoiled and node.gateway.received == []
    node.stop()


def interferer(medium: RadioMedium) -> None:
    """Put a stronger signal on top of all signals of the node."""
    send = medium.send

    def both(signal: Signal) -> None:
        send(signal)
        if signal.sender != "other":
            begin_us = signal.begin_us + 5000
            both(replace(signal, sender="other", begin_us=begin_us, raw=bytes(40), dbm=14.0))

    medium.send = both  # type: ignore[method-assign]


def test_a_session_outlives_a_reset_and_a_power_cut(tmp_path: Path, plan: Plan) -> None:
    plan.frames = 2
    node = RadioNode(tmp_path, plan)
    assert node.until("done", 300)
    for failure in (Reset("hard"), PowerCut(2_000_000)):
        node.log.seen.clear()
        node.fail(failure)
        assert node.until("done", node.node.now_us / 1e6 + 300)
        assert any("session restored" in line for line in node.lines())
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    assert len(node.received()) == 6 and len(node.device.nonces) == 1


def test_a_gateway_that_is_away_is_found_again(tmp_path: Path, plan: Plan) -> None:
    plan.frames, plan.pause_s = 48, 300
    node = RadioNode(tmp_path, plan)
    node.gateway.away.append((60_000_000, 10_000_000_000))
    assert node.until("done", 20_000, 600)
    node.stop()
    assert node.received()[0] == b"0000" and node.received()[-1] == b"0047"
    assert 10 < len(node.received()) < 25
    assert state(node)["margin"] == 18  # 10 dB at SF7, as LinkCheckAns says
    assert node.chip.violations == [] and node.network.faults == []


def test_a_network_that_has_forgotten_the_node_is_joined_again(tmp_path: Path) -> None:
    plan = Plan(chip="sx1276", options=CHIPS["sx1276"], frames=360, pause_s=300)
    node = RadioNode(tmp_path, plan)
    assert node.until("up", 60)
    node.network.silent = True
    assert node.until("info lorawan: 352 frames without an answer", 200_000, 600)
    node.network.silent = False
    assert node.until("done", 200_000, 600)
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    assert node.received()[-1] == b"0359" and len(node.device.nonces) > 1
    assert sum(line == "info lorawan: joined" for line in node.lines()) == 2


def test_a_missing_wire_is_logged_and_the_node_recovers(tmp_path: Path) -> None:
    """Failures of the chip are errors with a text, and the node tries again."""
    plan = Plan(frames=1)
    node = RadioNode(tmp_path, plan)
    node.chip.mute = True
    node.run(20)
    assert any("no SX126x answers" in line for line in node.lines())
    node.chip.mute, node.chip.stuck = False, True
    node.run(90)
    assert any("BUSY stays high" in line for line in node.lines())
    node.chip.stuck = False
    assert node.until("done", 400), node.lines()
    node.stop()
    assert node.received() == [b"0000"]


def test_noise_like_a_preamble_does_not_cost_the_second_window(tmp_path: Path, plan: Plan) -> None:
    plan.confirmed, plan.frames = True, 8
    node = RadioNode(tmp_path, plan)
    assert node.until("up", 300)
    node.network.window = 2
    for rate in range(6):
        node.session().requests.append(commands.link_adr(rate, 0, 7))
        sent = len(node.session().frames)
        while len(node.session().frames) == sent:
            node.chip.false_locks = 1
            node.run(node.node.now_us / 1e6 + 2)
    assert node.until("done", 600)
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    assert [line for line in node.lines() if line.startswith("sent") and "True" not in line] == []
    assert state(node)["errors"]["deaf"] >= 6 and state(node)["errors"]["late"] == 0


def test_a_late_event_loop_makes_the_node_wake_earlier(tmp_path: Path, plan: Plan) -> None:
    """Other tasks hold the loop for up to 33 ms. The lead before a window follows the measured
    delay.
    """
    plan.chatter_bits, plan.confirmed, plan.frames = 15, True, 12
    node = live(tmp_path, plan)
    failed = [line for line in node.lines() if line.startswith("sent") and "False" in line]
    assert len(failed) <= 1 and state(node)["late_us"] > 1000
    assert state(node)["errors"]["late"] <= 2


def test_a_slow_set_up_is_begun_earlier(tmp_path: Path, plan: Plan) -> None:
    """A large heap may take 60 ms to collect. After the first window the node allows for that."""
    plan.slow_us, plan.confirmed, plan.frames, plan.error_us = 60_000, True, 6, 4000
    node = live(tmp_path, plan)
    assert [line for line in node.lines() if line.startswith("sent") and "True" not in line] == []
    downs = [signal for signal in node.medium.sent if signal.sender == "gateway"][-6:]
    for down in downs:
        assert any(window.locks_us(down) for window in node.chip.windows)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(("region", "size_max"), SIZES.items())
def test_mac_and_driver_keep_their_size(chip: str, region: str, size_max: int) -> None:
    """End device, MAC, the table of one region and one driver. The packages are loaded when
    needed.
    """
    driver = "sx127x" if chip == "sx1276" else "sx126x"
    others = {f"lorawan/regions/{name}.mpy" for name in TABLES - ONE_OF[region]}
    others.add("lorawan/device/packages.mpy")
    parts = {
        name: data
        for name, data in compiled("lorawan", "radio").items()
        if name.startswith(("lorawan/", "radio/__", "radio/chip", f"radio/{driver}"))
        and name not in others
    }
    assert len(parts) > 20
    assert sum(len(data) for data in parts.values()) <= size_max


def test_a_join_and_an_uplink_fit_into_a_small_heap(tmp_path: Path, plan: Plan) -> None:
    """Some 180 KB of 64-bit words are enough, the shims of the board among them."""
    plan.heap = "180k"
    node = live(tmp_path, plan)
    used = [int(line.split()[1]) for line in node.lines() if line.startswith("heap")]
    assert len(used) == 2 and used[1] < 150_000


def test_an_sx1276_works_without_its_second_line(tmp_path: Path) -> None:
    """The end of an empty window is found by asking."""
    plan = Plan(chip="sx1276", options={}, wires=("cs", "reset", "dio0"))
    node = live(tmp_path, plan)
    assert node.received() == [b"0000", b"0001", b"0002"]
    assert state(node)["errors"]["irq"] == state(node)["errors"]["late"] == 0


def test_a_lost_interrupt_line_costs_precision_alone(tmp_path: Path, plan: Plan) -> None:
    plan.wires, plan.confirmed = ("cs", "reset", "busy"), True
    node = live(tmp_path, plan)
    assert node.received() == [b"0000", b"0001", b"0002"]
    assert not any("False" in line for line in node.lines() if line.startswith("sent"))
    assert state(node)["errors"]["irq"] == len(node.gateway.received)


def test_an_antenna_on_the_other_pin_means_silence(tmp_path: Path) -> None:
    node = RadioNode(tmp_path, Plan(chip="sx1276", options={"pa_boost": False}))
    node.run(60)
    node.stop()
    assert node.medium.sent and node.gateway.received == []


def test_a_tcxo_missing_in_the_options_is_logged(tmp_path: Path) -> None:
    node = RadioNode(tmp_path, Plan(options={"dio2_switch": True}))
    node.run(20)
    node.stop()
    assert any("oscillator" in line for line in node.lines())
    assert node.medium.sent == []


def test_the_wrong_switch_means_silence(tmp_path: Path) -> None:
    node = RadioNode(tmp_path, Plan(options={"tcxo_mv": 1800}))
    node.run(60)
    node.stop()
    assert node.medium.sent == [] and not any("joined" in line for line in node.lines())
