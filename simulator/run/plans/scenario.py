"""Scenarios: TOML files in simulator/scenarios, and the values that a seed draws from them."""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.world.lorawan.plan import RadioFaults
from simulator.world.network.access_network import NetworkFaults, Span
from simulator.world.streets.street import USER_CLASSES
from simulator.world.streets.traffic import Traffic

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
HOUR_US = 3_600_000_000
REQUESTS_PER_HOUR = 900  # of a node to the world, roughly, for drawing power cuts
HOURS_MAX = 2160  # of a run
_DAY_S = 86_400
STEP_MAX_S = 40 * 366 * _DAY_S
Rule = Callable[[str, Any], None]  # (key, value). Raises ScenarioError naming key and range.


class ScenarioError(Exception):
    """A scenario that does not exist or is not valid."""


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
    air: dict[str, Any] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)  # in `make accuracy`
    config: dict[str, int | str] = field(default_factory=dict)  # of the node


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario. Raises ScenarioError naming file and cause."""
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
        _check_capacity(scenario)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return scenario


def _title(key: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ScenarioError(f"{key} = {value!r}, wanted a line of text")


def _integer(maximum: int) -> Rule:
    def check(key: str, value: Any) -> None:
        if type(value) is not int or not 0 <= value <= maximum:
            raise ScenarioError(f"{key} = {value!r}, wanted a whole number within 0 .. {maximum}")

    return check


def _number(minimum: float, maximum: float) -> Rule:
    def check(key: str, value: Any) -> None:
        if type(value) not in (int, float) or not minimum <= value <= maximum:
            raise ScenarioError(
                f"{key} = {value!r}, wanted a number within {minimum} .. {maximum}"
            )

    return check


def _hour_spans(key: str, value: Any) -> None:
    """Spans [from, to]."""
    if not isinstance(value, list):
        raise ScenarioError(f"{key} = {value!r}, wanted a list of [from, to]")
    for i, span in enumerate(value):
        if not isinstance(span, list) or len(span) != 2:
            raise ScenarioError(f"{key}[{i}] = {span!r}, wanted [from, to] in hours")
        for hour in span:
            _number(0, HOURS_MAX)(f"{key}[{i}]", hour)
        if span[0] >= span[1]:
            raise ScenarioError(f"{key}[{i}] = {span!r}, wanted `from` before `to`")


def _table(rules: dict[str, Rule], all_required: bool = False) -> Rule:
    """A table with these keys. `all_required`: all of them or none."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise ScenarioError(f"{key} = {value!r}, wanted a table of {', '.join(rules)}")
        for name, inner in value.items():
            if name not in rules:
                raise ScenarioError(f"unknown {key}.{name}; there are: {', '.join(rules)}")
            rules[name](f"{key}.{name}", inner)
        if all_required and len(value) != len(rules):
            raise ScenarioError(f"{key} = {value!r}, wanted {' and '.join(rules)}")

    return check


def _beam_faults(key: str, value: Any) -> None:
    times = ("blocked_from", "blocked_to")
    seconds = _number(0, HOURS_MAX * 3600)
    _table(
        {
            "bounce": _SHARE,
            "turn_back": _SHARE,
            "drops": _number(0, 36_000),
            "chatter_at": seconds,
            **dict.fromkeys(times, seconds),
        }
    )(key, value)
    blocked = [value[name] for name in times if name in value]
    if len(blocked) == 1 or blocked != sorted(set(blocked)):
        raise ScenarioError(f"{key} = {value!r}, wanted blocked_from before blocked_to")


def _seconds_range(key: str, value: Any) -> None:
    """Seconds [from, to]."""
    if not isinstance(value, list) or len(value) != 2:
        raise ScenarioError(f"{key} = {value!r}, wanted [least, most] in seconds")
    for seconds in value:
        _number(0.001, 3600)(key, seconds)
    if value[0] > value[1]:
        raise ScenarioError(f"{key} = {value!r}, wanted `least` before `most`")


def _steps(key: str, value: Any) -> None:
    """Clock steps [hour, seconds]."""
    if not isinstance(value, list):
        raise ScenarioError(f"{key} = {value!r}, wanted a list of [hour, seconds]")
    for i, step in enumerate(value):
        if not isinstance(step, list) or len(step) != 2 or type(step[1]) is not int:
            raise ScenarioError(f"{key}[{i}] = {step!r}, wanted [hour, whole seconds]")
        _number(0, HOURS_MAX)(f"{key}[{i}]", step[0])
        _number(-STEP_MAX_S, STEP_MAX_S)(f"{key}[{i}]", step[1])


def _flag(key: str, value: Any) -> None:
    if type(value) is not bool:
        raise ScenarioError(f"{key} = {value!r}, wanted true or false")


def _mix(key: str, value: Any) -> None:
    """Shares of the classes."""
    _table(dict.fromkeys(USER_CLASSES, _SHARE))(key, value)
    if not value or not math.isclose(sum(value.values()), 1.0):
        raise ScenarioError(
            f"{key} = {value!r}, wanted shares of {', '.join(USER_CLASSES)}, 1 in all"
        )


def _places(key: str, value: Any) -> None:
    if not isinstance(value, list) or not value or not set(value) <= set(_PLACES):
        raise ScenarioError(f"{key} = {value!r}, wanted a list of some of {_PLACES}")


def _config(key: str, value: Any) -> None:
    """Of the node. The node itself checks its keys and values."""
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} = {value!r}, wanted a table of the node's configuration")
    for name, one in value.items():
        if type(one) not in (int, str):
            raise ScenarioError(f"{key}.{name} = {one!r}, wanted a whole number or a text")


def _interval(key: str, value: Any) -> None:
    if type(value) is not int or value not in _INTERVALS:
        raise ScenarioError(f"{key} = {value!r}, wanted one of {_INTERVALS}")


FAULT_SPANS = (
    "broker_away", "wifi_down", "ntp_away", "dns_dead", "half_open", "refused", "puback_late",
    "hostile_broker",
)  # fmt: skip
_INTERVALS = (1, 5, 15, 60)
_PLACES = ("radar", "beam")
_SHARE = _number(0, 1)
_RUN_S = HOURS_MAX * 3600
_LINE_FAULTS = "torn glued flipped missed ghost clutter turn_back".split()
_ANSWER_FAULTS = "deaf refused late misprint".split()
_RADAR_FAULTS = "outlier swapped empty empty_long paired".split()
_PATH_RADAR_FAULTS = "stale swapped single".split()


def _sensor_faults(*names: str, **rules: Rule) -> Rule:
    """Shares by `names`. `branch` and `restart` are seconds."""
    times = dict.fromkeys(("branch", "restart"), _number(0, _RUN_S))
    return _table({**dict.fromkeys(names, _SHARE), **times, **rules})


_HEADWAY = _number(0, 3600)
_RULES: dict[str, Rule] = {
    "title": _title,
    "hours": _number(0.01, HOURS_MAX),
    "interval_min": _interval,
    "passages": _integer(1_000_000),
    "headway_s": _table({"radar": _HEADWAY, "beam": _HEADWAY}, all_required=True),
    "faults": _table(
        {
            "radar": _sensor_faults(
                *_LINE_FAULTS, *_ANSWER_FAULTS, *_RADAR_FAULTS, turned=_number(-45, 45)
            ),
            "ld2450": _sensor_faults(
                *_LINE_FAULTS, *_ANSWER_FAULTS, *_PATH_RADAR_FAULTS, aside=_number(-8, 8)
            ),
            "ops243": _sensor_faults(*_LINE_FAULTS),
            "doppler": _table(
                {
                    **dict.fromkeys(("wifi", "clutter", "turn_back"), _SHARE),
                    **dict.fromkeys(("lamp_from", "lamp_to", "branch"), _number(0, _RUN_S)),
                }
            ),
            "beam": _beam_faults,
        }
    ),
    "weather": _table(
        {
            **dict.fromkeys(FAULT_SPANS, _hour_spans),
            "puback_late_s": _seconds_range,
            "wifi_flap_s": _number(20, _DAY_S),  # each time Wi-Fi is down for up to 12 s
            "ntp_steps": _steps,
        }
    ),
    "power": _table({"cuts": _integer(10_000), "rot": _integer(100), "rtc_steps": _steps}),
    "backend_away": _hour_spans,
    "places": _places,
    "config": _config,
    "traffic": _table(
        {
            "bunched": _SHARE,
            "bunch_s": _seconds_range,
            "pairs": _SHARE,
            "queued": _flag,
            "one_way": _flag,
            "mix": _mix,
        }
    ),
    "air": _table({"loss": _SHARE, "gateway_away": _hour_spans, "clock_ppm": _number(-100, 100)}),
}


def _check_capacity(scenario: Scenario) -> None:
    """Refuse more passages than fit into a day with this headway."""
    # The radar's road has two lanes.
    headway_s = max(scenario.headway_s["beam"], scenario.headway_s["radar"] / 2)
    maximum = int(_DAY_S / 2 / headway_s) if headway_s else scenario.passages
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
    """The arrivals of road users."""
    drawn = dict(scenario.traffic)
    if "bunch_s" in drawn:
        drawn["bunch_s"] = tuple(drawn["bunch_s"])
    return Traffic(**drawn)


def radio_faults(scenario: Scenario, hours: float) -> RadioFaults:
    """Faults of the LoRaWAN radio link."""
    drawn = dict(scenario.air)
    away = spans(drawn.pop("gateway_away", []), scale(scenario, hours))
    return RadioFaults(gateway_away=away, **drawn)


def scale(scenario: Scenario, hours: float) -> float:
    """The factor by which the spans of a scenario shrink in a run of `hours`."""
    return min(1.0, hours / scenario.hours)


def spans(hours: list[list[float]], scale: float) -> list[Span]:
    return [(int(a * scale * HOUR_US), int(b * scale * HOUR_US)) for a, b in hours]


def steps(hours: list[list[Any]], scale: float) -> list[tuple[int, int]]:
    """Clock steps as (microseconds, seconds)."""
    return [(int(hour * scale * HOUR_US), seconds) for hour, seconds in hours]


def power_cuts(scenario: Scenario, hours: float, rng: random.Random) -> list[int]:
    """Numbers of the node's requests at which the power fails."""
    cuts = scenario.power.get("cuts", 0)
    return sorted(rng.randrange(5, int(REQUESTS_PER_HOUR * hours) + 50) for _ in range(cuts))
