"""Scenarios: TOML files in simulator/scenarios, and what a seed draws from them."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.world.network import Span, Weather

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
HOUR_US = 3_600_000_000
REQUESTS_PER_HOUR = 900  # about what a node asks of the world, for drawing power cuts
_MOST_HOURS = 2160  # the longest run
_DAY_S = 86_400
Rule = Callable[[str, Any], None]  # (key, value); raises ScenarioError naming key and range


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
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(data) - set(_RULES)
        if unknown or "title" not in data:
            raise ScenarioError(f"unknown {sorted(unknown)} or no title")
        for key, value in data.items():
            _RULES[key](key, value)
        scenario = Scenario(name, **data)
        _fits_a_day(scenario)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return scenario


def _title(key: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ScenarioError(f"{key} = {value!r}, wanted a line of text")


def _whole(most: int) -> Rule:
    def check(key: str, value: Any) -> None:
        if type(value) is not int or not 0 <= value <= most:
            raise ScenarioError(f"{key} = {value!r}, wanted a whole number within 0 .. {most}")

    return check


def _number(least: float, most: float) -> Rule:
    def check(key: str, value: Any) -> None:
        if type(value) not in (int, float) or not least <= value <= most:
            raise ScenarioError(f"{key} = {value!r}, wanted a number within {least} .. {most}")

    return check


def _hours(key: str, value: Any) -> None:
    """Spans [from, to]."""
    if not isinstance(value, list):
        raise ScenarioError(f"{key} = {value!r}, wanted a list of [from, to]")
    for i, span in enumerate(value):
        if not isinstance(span, list) or len(span) != 2:
            raise ScenarioError(f"{key}[{i}] = {span!r}, wanted [from, to] in hours")
        for hour in span:
            _number(0, _MOST_HOURS)(f"{key}[{i}]", hour)
        if span[0] >= span[1]:
            raise ScenarioError(f"{key}[{i}] = {span!r}, wanted `from` before `to`")


def _table(rules: dict[str, Rule], together: bool = False) -> Rule:
    """A table with these keys; `together`: all of them or none."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise ScenarioError(f"{key} = {value!r}, wanted a table of {', '.join(rules)}")
        for name, inner in value.items():
            if name not in rules:
                raise ScenarioError(f"unknown {key}.{name}; there are: {', '.join(rules)}")
            rules[name](f"{key}.{name}", inner)
        if together and len(value) != len(rules):
            raise ScenarioError(f"{key} = {value!r}, wanted {' and '.join(rules)}")

    return check


def _beam_faults(key: str, value: Any) -> None:
    times = ("blocked_from", "blocked_to")
    seconds = _number(0, _MOST_HOURS * 3600)
    _table({"bounce": _SHARE, **dict.fromkeys(times, seconds)})(key, value)
    blocked = [value[name] for name in times if name in value]
    if len(blocked) == 1 or blocked != sorted(set(blocked)):
        raise ScenarioError(f"{key} = {value!r}, wanted blocked_from before blocked_to")


_SHARE = _number(0, 1)
_RADAR_FAULTS = "torn glued flipped missed outlier ghost swapped empty".split()
_HEADWAY = _number(0, 3600)
_RULES: dict[str, Rule] = {
    "title": _title,
    "passages": _whole(1_000_000),
    "headway_s": _table({"radar": _HEADWAY, "beam": _HEADWAY}, together=True),
    "faults": _table(
        {"radar": _table(dict.fromkeys(_RADAR_FAULTS, _SHARE)), "beam": _beam_faults}
    ),
    "weather": _table(
        {
            "broker_away": _hours,
            "wifi_down": _hours,
            "ntp_away": _hours,
            "wifi_flap_s": _number(20, _DAY_S),  # it is down for up to 12 s each time
        }
    ),
    "power": _table({"cuts": _whole(10_000)}),
    "backend_away": _hours,
}


def _fits_a_day(scenario: Scenario) -> None:
    """Whoever has no room left would pass before the run begins."""
    headway_s = max(scenario.headway_s["beam"], scenario.headway_s["radar"] / 2)  # it has two ways
    most = int(_DAY_S / 2 / headway_s) if headway_s else scenario.passages
    if scenario.passages > most:
        raise ScenarioError(
            f"passages = {scenario.passages}, wanted a number within 0 .. {most}"
            f" with headway_s = {scenario.headway_s}"
        )


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
