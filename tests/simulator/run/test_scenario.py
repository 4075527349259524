"""Scenarios and plans: the power of the seed, and refused files."""

from __future__ import annotations

import random
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.plans import plan, scenario
from simulator.run.plans.plan import HOUR_US, BrokerAddress, RunOptions, draw
from simulator.run.plans.rules import ScenarioError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scenario, "FOLDER", tmp_path)
    return tmp_path


def test_the_scenarios_can_all_be_drawn_and_have_a_title() -> None:
    assert len(scenario.names()) >= 8 and "moderate" in scenario.names()
    for name in scenario.names():
        plans = draw(RunOptions(scenario=name, nodes="3"))
        assert [p.detector for p in plans] == ["ld2451", "beam", "ld2451"]
        assert len({p.name for p in plans}) == len({p.seed for p in plans}) == 3
        assert len(scenario.load(name).title) > 10


def test_the_readme_names_every_key() -> None:
    text = (scenario.FOLDER / "README.md").read_text()
    for name in scenario.names():
        for key in tomllib.loads((scenario.FOLDER / f"{name}.toml").read_text()):
            assert f"`{key}`" in text or f"`[{key}" in text, key


@pytest.mark.parametrize("name", ("moderate", "power_cuts", "wifi_flap", "backend_away"))
def test_the_seed_decides_everything(name: str) -> None:
    options = RunOptions(scenario=name, seed=5, nodes="3")
    assert draw(options) == draw(options)
    other = draw(replace(options, seed=6))
    for one, two in zip(draw(options), other):
        assert one.seed != two.seed and one.drift_ppb != two.drift_ppb
        assert one.name == two.name and one.detector == two.detector
        assert not one.power_cuts or one.power_cuts != two.power_cuts


def test_a_node_is_the_same_whatever_the_number_of_nodes() -> None:
    assert draw(RunOptions(nodes="1", seed=9))[0] == draw(RunOptions(nodes="5", seed=9))[0]


def test_a_shorter_run_has_less_of_everything() -> None:
    day, hour = draw(RunOptions())[0], draw(RunOptions(hours=1.0))[0]
    assert (day.end_us, hour.end_us) == (24 * HOUR_US, HOUR_US)
    assert hour.passages == round(day.passages / 24)
    for name in scenario.names():
        for node in draw(RunOptions(hours=2.0, scenario=name)):
            for spans in (
                node.network_faults.wifi_down,
                node.network_faults.broker_away,
                node.backend_away,
            ):
                assert all(0 <= start < end for start, end in spans)
                assert all(start < node.end_us for start, _ in spans)


def test_a_run_has_the_power_cuts_it_asks_for() -> None:
    for node in draw(RunOptions(hours=3.0, scenario="power_cuts")):
        assert len(node.power_cuts) == 100 and node.power_cuts == sorted(node.power_cuts)
        assert min(node.power_cuts) >= 5


def test_flapping_leaves_time_to_recover() -> None:
    network_faults = scenario.network_faults(
        scenario.Scenario("x", "x", weather={"wifi_flap_s": 300}), 24, random.Random(1)
    )
    assert 200 < len(network_faults.wifi_down) < 400
    for start, end in network_faults.wifi_down:
        assert 3_000_000 <= end - start <= 12_000_000


def test_the_command_repeats_the_run() -> None:
    options = RunOptions(1.5, 7, 3, "wifi_flap", BrokerAddress("10.0.0.1", 1884))
    assert options.command() == (
        "make sim HOURS=1.5 SEED=7 NODES=3 SCENARIO=wifi_flap BROKER=10.0.0.1:1884"
    )
    assert "LIVE=1" in RunOptions(live=True).command()


def test_the_command_repeats_long_numbers_of_hours() -> None:
    assert "HOURS=100.0625 " in RunOptions(hours=100.0625).command()
    assert f"HOURS={1 / 3!r} " in RunOptions(hours=1 / 3).command()
    assert "HOURS=24 " in RunOptions(hours=24.0).command()


def test_the_summary_names_what_is_special() -> None:
    text = draw(RunOptions(scenario="power_cuts"))[0].summary()
    assert "radar-1: ld2451" in text and "100 power cuts" in text and "crystal" in text
    assert "broker away" in draw(RunOptions(scenario="broker_away"))[0].summary()


@pytest.mark.parametrize(
    "name", ("nope", "", "../scenarios/moderate", "Moderate", "moderate.toml")
)
def test_an_unknown_scenario_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(ScenarioError, match="unknown scenario .*there are: .*moderate"):
        scenario.load(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    (
        ('title = "x"\nspeed = 3', r"unknown \['speed'\]"),
        ("passages = 5", "no title"),
        ("", "no title"),
        ("title = ", "bad.toml: Invalid value"),
        ('title = "x"\ntitle = "y"', "bad.toml: Cannot overwrite"),
    ),
)
def test_a_bad_file_is_refused_by_name(folder: Path, text: str, reason: str) -> None:
    (folder / "bad.toml").write_text(text)
    with pytest.raises(ScenarioError, match=reason) as caught:
        draw(RunOptions(scenario="bad"))
    assert "bad.toml" in str(caught.value)


def test_road_users_of_a_file_replace_drawn_ones_and_a_missing_file_is_named(folder: Path) -> None:
    (folder / "real.toml").write_text('title = "x"\narrivals = "real.csv"')
    with pytest.raises(ScenarioError, match="real.csv"):
        draw(RunOptions(scenario="real"))
    (folder / "real.csv").write_text("time,direction,class,speed,length\n1,forward,car,30,4\n")
    assert [one.t_us for one in draw(RunOptions(scenario="real"))[0].traffic.known or ()] == [
        10**6
    ]


BAD_VALUES = (
    "passages = 'many'", "passages = -5", "passages = true", "headway_s = 3", "title = 7",
    "headway_s = {radar = 3.0}", "headway_s = {radar = 'x', beam = 1.0}",
    "power = {cuts = 'x'}", "power = {cuts = -1}", "power = {cut = 3}", "faults = 3",
    "faults = {radar = 3}", "faults = {sonar = {}}", "backend_away = [[1]]",
    "backend_away = [[5, 2]]", "weather = {rain = 3}", "weather = {wifi_down = [['a', 'b']]}",
    "weather = {wifi_flap_s = 'often'}", "weather = 7", "title = ''", "passages = 1.5",
    "weather = {wifi_flap_s = 0.001}", "weather = {wifi_flap_s = nan}", "headway_s = {}",
    "backend_away = [[0, inf]]", "backend_away = [[true, 2]]", "backend_away = [[3, 3]]",
    "passages = 50000", "faults = {radar = {torm = 0.1}}", "faults = {radar = {torn = 1.1}}",
    "mount = {lanes = [3]}", "mount = {line_m = 99}", "mount = {lobe = 3}", "arrivals = 3",
    "traffic = {flow = {forward = []}}", "traffic = {flow = {up = [3]}}",
    "traffic = {flow = {forward = [-1]}}", "traffic = {speeds = {car = [30]}}",
    "faults = {radar = {angle_sd_deg = -1}}", "faults = {tof = {reach = 9}}",
    "faults = {pir = {warm = 2}}", "traffic = {groups = [1.0]}", "traffic = {among = {dogs = 1}}",
    "traffic = {groups = [0.5, 0.4], flow = {forward = [9], backward = [9]}}",
    "traffic = {groups = [], flow = {forward = [9], backward = [9]}}",
    "faults = {beam = {blocked_from = 3}}", "faults = {beam = {blocked_from = 3, blocked_to = 2}}",
)  # fmt: skip


@pytest.mark.parametrize("text", BAD_VALUES)
def test_a_bad_value_is_refused(folder: Path, text: str) -> None:
    title = "" if text.startswith("title") else 'title = "x"\n'
    (folder / "bad.toml").write_text(title + text)
    with pytest.raises(ScenarioError, match="bad.toml"):
        draw(RunOptions(scenario="bad"))


@pytest.mark.parametrize(
    ("text", "reason"),
    (
        ("passages = -5", "passages = -5, wanted a whole number within 0 .. 1000000"),
        ("power = {cut = 3}", "unknown power.cut; there are: cuts"),
        ("backend_away = [[1, 2], [5, 2]]", r"backend_away\[1\] = \[5, 2\], wanted `from` before"),
        ("faults = {beam = {bounce = 2}}", "faults.beam.bounce = 2, wanted .* within 0 .. 1"),
        ("headway_s = {radar = 3}", "wanted radar and beam"),
    ),
)
def test_a_refusal_names_key_value_and_range(folder: Path, text: str, reason: str) -> None:
    (folder / "bad.toml").write_text(f'title = "x"\n{text}')
    with pytest.raises(ScenarioError, match=reason):
        draw(RunOptions(scenario="bad"))


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "bad.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(ScenarioError, match="bad.toml: .*codec"):
        draw(RunOptions(scenario="bad"))


def test_a_scenario_can_ask_for_any_fault(folder: Path) -> None:
    text = "[faults.beam]\nbounce = 0.1\nblocked_from = 60\nblocked_to = 90.5\n"
    (folder / "good.toml").write_text(f'title = "x"\n{text}[faults.radar]\nempty = 1\nmissed = 0')
    radar, beam = draw(RunOptions(scenario="good"))
    assert radar.faults == {"empty": 1, "missed": 0} and beam.faults["blocked_to"] == 90.5


def test_a_file_with_only_a_title_is_a_whole_scenario(folder: Path) -> None:
    (folder / "least.toml").write_text('title = "nothing special"')
    [node] = draw(RunOptions(scenario="least", nodes="1"))
    assert node.passages == 5000 and node.power_cuts == [] and node.faults == {}
    assert node.start_utc == plan.START_UTC
