"""Scenarios: TOML files in simulator/scenarios, and the values that a seed draws from them."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.run.plans.rules import DAY_S, FAULT_SPANS, RULES, ScenarioError
from simulator.world.lorawan.plan import RadioFaults
from simulator.world.network.access_network import NetworkFaults, Span
from simulator.world.operators import Change
from simulator.world.streets import arrivals_file
from simulator.world.streets.arrivals_file import ArrivalsError
from simulator.world.streets.mount import Mount
from simulator.world.streets.street import RoadUser
from simulator.world.streets.traffic import Traffic

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
HOUR_US = 3_600_000_000
REQUESTS_PER_HOUR = 900  # of a node to the world, roughly, for drawing power cuts


@dataclass
class Scenario:
    """The values of a file. Each field is a key, `simulator/scenarios/README.md` describes them.

    passages: a day and node. headway_s: smallest, by detector. Spans are in hours of a run of
    `hours`. In a shorter run they shrink with it.
    """

    name: str
    title: str
    hours: float = 24.0
    interval_min: int = 15
    passages: int = 5000
    headway_s: dict[str, float] = field(default_factory=lambda: {"radar": 3.0, "beam": 2.0})
    faults: dict[str, dict[str, float]] = field(default_factory=dict)
    weather: dict[str, Any] = field(default_factory=dict)
    power: dict[str, Any] = field(default_factory=dict)
    backend_away: list[list[float]] = field(default_factory=list)
    commands: int = 0  # of people at the console and the broker
    changes: list[list[Any]] = field(default_factory=list)  # of the configuration
    storage: dict[str, Any] = field(default_factory=dict)  # its faults
    air: dict[str, Any] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)  # in `make accuracy`
    config: dict[str, int | str] = field(default_factory=dict)  # of the node
    mount: dict[str, Any] = field(default_factory=dict)  # of a radar at a road
    arrivals: str = ""  # file of road users, beside the scenario


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario. Raises ScenarioError naming file and cause."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise ScenarioError(f"unknown scenario '{name}'; there are: {', '.join(names())}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(data) - set(RULES)
        if unknown or "title" not in data:
            raise ScenarioError(f"unknown {sorted(unknown)} or no title")
        for key, value in data.items():
            RULES[key](key, value)
        scenario = Scenario(name, **data)
        _check_groups(scenario)
        _check_capacity(scenario)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return scenario


def _check_groups(scenario: Scenario) -> None:
    """Groups come by a flow of both directions."""
    if "groups" in scenario.traffic and len(scenario.traffic.get("flow", {})) != 2:
        raise ScenarioError(
            "traffic.groups, wanted traffic.flow = {forward = [..], backward = [..]}"
        )


def _check_capacity(scenario: Scenario) -> None:
    """Refuse more passages than fit into a day with this headway."""
    # The radar's road has two lanes.
    headway_s = max(scenario.headway_s["beam"], scenario.headway_s["radar"] / 2)
    maximum = int(DAY_S / 2 / headway_s) if headway_s else scenario.passages
    if scenario.passages > maximum:
        raise ScenarioError(
            f"passages = {scenario.passages}, wanted a number within 0 .. {maximum}"
            f" with headway_s = {scenario.headway_s}"
        )


def network_faults(scenario: Scenario, hours: float, rng: random.Random) -> NetworkFaults:
    """The network's faults in microseconds."""
    shrunk = scale(scenario, hours)
    drawn = NetworkFaults()
    for key in FAULT_SPANS:
        setattr(drawn, key, spans(scenario.weather.get(key, []), shrunk))
    drawn.ntp_offset_s = steps(scenario.weather.get("ntp_steps", []), shrunk)
    if late_s := scenario.weather.get("puback_late_s"):
        drawn.puback_late_us = int(late_s[0] * 1e6), int(late_s[1] * 1e6)
    every_s = scenario.weather.get("wifi_flap_s")
    if every_s:
        t_us = 60_000_000
        while t_us < hours * HOUR_US:
            down_us = rng.randrange(3_000_000, 12_000_000)
            drawn.wifi_down.append((t_us, t_us + down_us))
            t_us += int(every_s * 1e6 * rng.uniform(0.7, 1.3))
        drawn.wifi_down.sort()
    return drawn


def traffic(scenario: Scenario) -> Traffic:
    """The arrivals of road users. Raises ScenarioError."""
    drawn = dict(scenario.traffic)
    if "bunch_s" in drawn:
        drawn["bunch_s"] = tuple(drawn["bunch_s"])
    drawn["speeds"] = {cls: tuple(pair) for cls, pair in drawn.get("speeds", {}).items()}
    return Traffic(**drawn, known=_known(scenario))


def mount(scenario: Scenario) -> Mount:
    """Where a radar hangs."""
    drawn = dict(scenario.mount)
    if "lanes" in drawn:
        drawn["lanes"] = tuple(drawn["lanes"])
    return Mount(**drawn)


def _known(scenario: Scenario) -> list[RoadUser] | None:
    """The road users of the scenario's file, None without one. Raises ScenarioError."""
    if not scenario.arrivals:
        return None
    try:
        return arrivals_file.read(FOLDER / scenario.arrivals, mount(scenario).lanes)
    except ArrivalsError as error:
        raise ScenarioError(str(error)) from error


def radio_faults(scenario: Scenario, hours: float) -> RadioFaults:
    """Faults of the LoRaWAN radio link."""
    drawn = dict(scenario.air)
    away = spans(drawn.pop("gateway_away", []), scale(scenario, hours))
    if "path_db" in drawn:
        drawn["path_db"] = tuple(drawn["path_db"])
    return RadioFaults(gateway_away=away, **drawn)


def scale(scenario: Scenario, hours: float) -> float:
    """The factor by which the spans of a scenario shrink in a run of `hours`."""
    return min(1.0, hours / scenario.hours)


def spans(hours: list[list[float]], scale: float) -> list[Span]:
    return [(int(a * scale * HOUR_US), int(b * scale * HOUR_US)) for a, b in hours]


def steps(hours: list[list[Any]], scale: float) -> list[tuple[int, int]]:
    """Clock steps as (microseconds, seconds)."""
    return [(int(hour * scale * HOUR_US), seconds) for hour, seconds in hours]


def changes(scenario: Scenario, scale: float) -> list[Change]:
    """Changes of the node's configuration as (microseconds, values)."""
    return [(int(hour * scale * HOUR_US), values) for hour, values in scenario.changes]


def power_cuts(scenario: Scenario, hours: float, rng: random.Random) -> list[int]:
    """Numbers of the node's requests at which the power fails."""
    cuts = scenario.power.get("cuts", 0)
    return sorted(rng.randrange(5, int(REQUESTS_PER_HOUR * hours) + 50) for _ in range(cuts))
