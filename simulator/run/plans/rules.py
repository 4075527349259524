"""Rules for the keys of a scenario. A refusal names key, value and range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from simulator.world.streets.street import DIRECTIONS, USER_CLASSES

HOURS_MAX = 2160  # of a run
DAY_S = 86_400
STEP_MAX_S = 40 * 366 * DAY_S
FLOW_MAX = 1500  # an hour and lane: the headways of the model do not fit more
LANE_MAX_M = 30
GROUP_MAX = 6
Rule = Callable[[str, Any], None]  # (key, value). Raises ScenarioError naming key and range.


class ScenarioError(Exception):
    """A scenario that does not exist or is not valid."""


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


def _path(key: str, value: Any) -> None:
    """Path loss [from, to]."""
    _pair(key, value, "least, most] in dB")
    for loss_db in value:
        _number(40, 180)(key, loss_db)
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


def _flows(key: str, value: Any) -> None:
    """Road users an hour, hour by hour."""
    if not isinstance(value, list) or not 1 <= len(value) <= 24:
        raise ScenarioError(f"{key} = {value!r}, wanted a list of 1 to 24 numbers, one an hour")
    for i, flow in enumerate(value):
        _number(0, FLOW_MAX)(f"{key}[{i}]", flow)


def _groups(key: str, value: Any) -> None:
    """Shares of groups of one, two, three ... walkers."""
    if not isinstance(value, list) or not 1 <= len(value) <= GROUP_MAX:
        raise ScenarioError(f"{key} = {value!r}, wanted a list of 1 to {GROUP_MAX} shares")
    for i, share in enumerate(value):
        _number(0, 1)(f"{key}[{i}]", share)
    if not math.isclose(sum(value), 1.0):
        raise ScenarioError(f"{key} = {value!r}, wanted shares, 1 in all")


def _pair(key: str, value: Any, meaning: str) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise ScenarioError(f"{key} = {value!r}, wanted [{meaning}")


def _speed(key: str, value: Any) -> None:
    """Mean and deviation in km/h."""
    _pair(key, value, "mean, deviation] in km/h")
    _number(0.5, 200)(key, value[0])
    _number(0, 50)(key, value[1])


def _lanes(key: str, value: Any) -> None:
    """Sideways from the radar, in m."""
    _pair(key, value, "forward, backward] in m")
    for metres in value:
        _number(-LANE_MAX_M, LANE_MAX_M)(key, metres)


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


def _changes(key: str, value: Any) -> None:
    """Changes [hour, {key = value}]."""
    if not isinstance(value, list):
        raise ScenarioError(f"{key} = {value!r}, wanted a list of [hour, values]")
    for i, change in enumerate(value):
        if not isinstance(change, list) or len(change) != 2:
            raise ScenarioError(f"{key}[{i}] = {change!r}, wanted [hour, values]")
        _number(0, HOURS_MAX)(f"{key}[{i}]", change[0])
        _config(f"{key}[{i}]", change[1])


def _interval(key: str, value: Any) -> None:
    if type(value) is not int or value not in _INTERVALS:
        raise ScenarioError(f"{key} = {value!r}, wanted one of {_INTERVALS}")


FAULT_SPANS = (
    "broker_away", "wifi_down", "ntp_away", "dns_dead", "half_open", "refused", "puback_late",
    "hostile_broker",
)  # fmt: skip
_INTERVALS = (1, 5, 15, 60)
_PLACES = ("radar", "beam", "pole")
_SHARE = _number(0, 1)
_RUN_S = HOURS_MAX * 3600
_LINE_FAULTS = "torn glued flipped missed ghost clutter turn_back".split()
_ANSWER_FAULTS = "deaf refused late misprint".split()
_RADAR_FAULTS = "outlier swapped empty empty_long paired second_echo wrong_direction".split()
_PATH_RADAR_FAULTS = "stale swapped single".split()


def _sensor_faults(*names: str, **rules: Rule) -> Rule:
    """Shares by `names`. `branch` and `restart` are seconds."""
    times = dict.fromkeys(("branch", "restart"), _number(0, _RUN_S))
    return _table({**dict.fromkeys(names, _SHARE), **times, **rules})


_HEADWAY = _number(0, 3600)
_RADAR_NOISE = {
    "turned": _number(-45, 45),
    "angle_sd_deg": _number(0, 45),
    "distance_sd_m": _number(0, 20),
    "rain_hz": _number(0, 100),
    "snr_scale": _number(0.1, 1000),
    "covered": _number(0, _RUN_S),
}
_MOUNT = {
    "line_m": _number(3, 40),
    "lanes": _lanes,
    "height_m": _number(0, 10),
    "lobe_deg": _number(0, 60),
}
RULES: dict[str, Rule] = {
    "title": _title,
    "hours": _number(0.01, HOURS_MAX),
    "interval_min": _interval,
    "passages": _integer(1_000_000),
    "headway_s": _table({"radar": _HEADWAY, "beam": _HEADWAY}, all_required=True),
    "faults": _table(
        {
            "radar": _sensor_faults(
                *_LINE_FAULTS, *_ANSWER_FAULTS, *_RADAR_FAULTS, **_RADAR_NOISE
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
            "tof": _table(
                {
                    "reach": _number(0.1, 4),
                    **dict.fromkeys(
                        ("absent_from", "absent_to", "hung_from", "frozen_from"),
                        _number(0, _RUN_S),
                    ),
                }
            ),
            "pir": _table(
                {
                    "warm": _SHARE,
                    "sun": _number(0, 3600),
                    **dict.fromkeys(("stuck_from", "dead_from"), _number(0, _RUN_S)),
                }
            ),
        }
    ),
    "weather": _table(
        {
            **dict.fromkeys(FAULT_SPANS, _hour_spans),
            "puback_late_s": _seconds_range,
            "wifi_flap_s": _number(20, DAY_S),  # each time Wi-Fi is down for up to 12 s
            "ntp_steps": _steps,
        }
    ),
    "power": _table({"cuts": _integer(10_000), "rot": _integer(100), "rtc_steps": _steps}),
    "backend_away": _hour_spans,
    "places": _places,
    "config": _config,
    "commands": _integer(10_000),
    "changes": _changes,
    "storage": _table(dict.fromkeys(("nvs_dead", "ring_dead"), _hour_spans)),
    "traffic": _table(
        {
            "bunched": _SHARE,
            "bunch_s": _seconds_range,
            "pairs": _SHARE,
            "queued": _flag,
            "one_way": _flag,
            "mix": _mix,
            "flow": _table(dict.fromkeys(DIRECTIONS, _flows)),
            "speeds": _table(dict.fromkeys(USER_CLASSES, _speed)),
            "manoeuvres": _SHARE,
            "groups": _groups,
            "among": _table(dict.fromkeys(("prams", "scooters", "stops"), _SHARE)),
        }
    ),
    "mount": _table(_MOUNT),
    "arrivals": _title,
    "air": _table(
        {
            "loss": _SHARE,
            "gateway_away": _hour_spans,
            "clock_ppm": _number(-100, 100),
            "path_db": _path,
        }
    ),
}
