"""Scenarios: TOML files in simulator/scenarios, and what a seed draws from them."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.world.network import Span, Weather

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
HOUR_US = 3_600_000_000
REQUESTS_PER_HOUR = 900  # about what a node asks of the world, for drawing power cuts
_KEYS = {"title", "passages", "headway_s", "faults", "weather", "power", "backend_away"}


class ScenarioError(Exception):
    """A scenario that does not exist or says nonsense."""


@dataclass
class Scenario:
    """passages: a day and node. headway_s: smallest, by detector. Spans in hours."""

    name: str
    title: str
    passages: int = 5000
    headway_s: dict[str, float] = field(default_factory=lambda: {"radar": 3.0, "beam": 2.0})
    faults: dict[str, dict[str, float]] = field(default_factory=dict)
    weather: dict[str, Any] = field(default_factory=dict)
    power: dict[str, int] = field(default_factory=dict)
    backend_away: list[list[float]] = field(default_factory=list)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario; raises ScenarioError naming file and cause."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise ScenarioError(f"unknown scenario '{name}'; there are: {', '.join(names())}")
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: {error}") from error
    unknown = set(data) - _KEYS
    if unknown or "title" not in data:
        raise ScenarioError(f"{path}: unknown {sorted(unknown)} or no title")
    return Scenario(name, **data)


def weather(scenario: Scenario, hours: float, rng: random.Random) -> Weather:
    """The network's weather in microseconds. Spans of a day shrink with a shorter run."""
    scale = min(1.0, hours / 24)
    drawn = Weather(
        broker_away=spans(scenario.weather.get("broker_away", []), scale),
        wifi_down=spans(scenario.weather.get("wifi_down", []), scale),
        ntp_away=spans(scenario.weather.get("ntp_away", []), scale),
    )
    every_s = scenario.weather.get("wifi_flap_s")
    if every_s:
        t_us = 60_000_000
        while t_us < hours * HOUR_US:
            down_us = rng.randrange(3_000_000, 12_000_000)
            drawn.wifi_down.append((t_us, t_us + down_us))
            t_us += int(every_s * 1e6 * rng.uniform(0.7, 1.3))
        drawn.wifi_down.sort()
    return drawn


def spans(hours: list[list[float]], scale: float) -> list[Span]:
    return [(int(a * scale * HOUR_US), int(b * scale * HOUR_US)) for a, b in hours]


def power_cuts(scenario: Scenario, hours: float, rng: random.Random) -> list[int]:
    """At which requests of the node the power fails."""
    cuts = scenario.power.get("cuts", 0)
    return sorted(rng.randrange(5, int(REQUESTS_PER_HOUR * hours) + 50) for _ in range(cuts))
