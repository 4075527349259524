"""The tools accept the same configurations as the node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tallypost.faults import ToolError
from tallypost.hardware.boards import ROOT
from tallypost.provisioning import settings

KEYS = [row[0] for row in settings.table()]
VALUES = st.one_of(
    st.integers(-50, 900_000), st.text(max_size=70), st.booleans(), st.none(),
    st.sampled_from(("beam", "ld2451", "both", "tallypost/+", "a#b", "x" * 65)),
)  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    """The firmware's own module: it is plain Python."""
    sys.path.insert(0, str(ROOT / "firmware"))
    names = ("config", "config.schema", "config.settings", "core", "core.faults")
    kept = {name: sys.modules.pop(name, None) for name in names}
    try:
        from config import schema

        yield schema
    finally:
        sys.path.remove(str(ROOT / "firmware"))
        for name in names:
            sys.modules.pop(name, None)
            if kept[name]:
                sys.modules[name] = kept[name]


def accepts(check: Any, error: type[Exception], values: dict[str, Any]) -> bool:
    try:
        check(values)
    except error:
        return False
    return True


@given(st.dictionaries(st.sampled_from([*KEYS, "nope"]), VALUES, max_size=4))
@examples(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_tools_and_node_accept_the_same_values(node: Any, values: dict[str, Any]) -> None:
    mine = accepts(settings.check, ToolError, values)
    assert mine == accepts(node.check, node.ConfigError, values)


@pytest.mark.parametrize(
    "values",
    (
        {"class_ped_max_kmh": 12, "class_bike_max_kmh": 12},
        {"radar_line_m": 40, "radar_max_m": 40},
        {"class_bike_min_mm": 2000, "class_car_min_mm": 2000},
        {"class_car_min_mm": 8000},
        {"beam_debounce_ms": 20, "beam_merge_ms": 20},
        {"radar_mount_deg": 21},
        {"radar_line_m": 18, "radar_offset_m": 7},
        {"radar_line_m": 19, "radar_offset_m": 7},
        {"radar_line_m": 8, "radar_offset_m": 7, "detector": "ops243"},
        {"radar_mount_deg": 21, "detector": "ops243"},
        {"mqtt_root": "a/#"},
        {"radar_max_m": 10, "radar_line_m": 8},
        {"site": "Marktplatz"},
    ),
)
def test_tools_and_node_apply_the_same_rules_to_pairs(node: Any, values: dict[str, Any]) -> None:
    mine = accepts(settings.check, ToolError, values)
    assert mine == accepts(node.check, node.ConfigError, values)


def test_the_whole_table_is_read(node: Any) -> None:
    assert settings.table() == tuple(node.rows())


@pytest.mark.parametrize(
    ("key", "text", "error"),
    (
        (
            "interval_min",
            "7",
            "configuration: interval_min = 7 is not allowed. Use one of 1, 5, 15, 60.",
        ),
        ("interval_min", "often", "interval_min = 'often' is not allowed. Use a whole number."),
        ("mqtt_port", "70000", "mqtt_port = 70000 is not allowed. Use a number of 1..65535."),
        (
            "radar_mount_deg",
            "90",
            "radar_mount_deg = 90 is not allowed. Use a number of -45..45 degrees.",
        ),
        ("lora_region", "EU433", "Use one of EU868, US915, AS923, AS923-2, AS923-3, AS923-4."),
        ("site", "x" * 41, "Use a text of 0 to 40 characters."),
        ("detektor", "beam", "unknown key 'detektor'. Use one of site, detector,"),
    ),
)
def test_a_wrong_value_is_reported_with_the_right_ones(key: str, text: str, error: str) -> None:
    with pytest.raises(ToolError) as caught:
        settings.from_text(key, text)
    assert error in str(caught.value)


def test_a_text_stays_a_text() -> None:
    assert settings.from_text("site", "12") == "12"
    assert settings.from_text("interval_min", "15") == 15
