"""The airtime table in the payload's README, from the formula (SX126x data sheet, 6.1.4)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

PAYLOAD = Path(__file__).resolve().parents[2] / "lib" / "wire" / "lorawan"
FACTORS = (7, 9, 10)
AROUND = 13  # header, address, counter, port, MIC of a data frame without options
A_DAY = 96
FAIR_USE_S = 30


def airtime_ms(sf: int, payload: int) -> float:
    """Airtime of an uplink: 125 kHz, coding rate 4/5, 8 symbols preamble, explicit header, CRC."""
    symbol = 2**sf / 125
    slow = 2 if symbol >= 16 else 0
    bits = 8 * (payload + AROUND) + 16 - 4 * sf + 28
    symbols = 8 + max(math.ceil(bits / (4 * (sf - slow))), 0) * 5
    return (12.25 + symbols) * symbol


def day_s(sf: int, payload: int, frames: int = 1) -> float:
    return A_DAY * frames * airtime_ms(sf, payload) / 1000


def rows() -> dict[str, list[float]]:
    plans = {
        "one interval, 24 bytes": (24, 1),
        "with the one before, 39 bytes": (39, 1),
        "4 x 10 bytes": (10, 4),
    }
    return {name: [day_s(sf, *plan) for sf in FACTORS] for name, plan in plans.items()}


@pytest.mark.parametrize(
    "sf,payload,ms", [(12, 20, 1810.4), (12, 51, 2793.5), (9, 10, 205.8), (7, 20, 71.9)]
)
def test_the_formula_gives_known_airtimes(sf: int, payload: int, ms: float) -> None:
    assert airtime_ms(sf, payload) == pytest.approx(ms, abs=0.06)


def test_the_table_is_what_the_formula_gives() -> None:
    text = (PAYLOAD / "README.md").read_text()
    for name, figures in rows().items():
        line = f"| {name} | " + " | ".join(f"{figure:.1f} s" for figure in figures) + " |"
        assert line in text, line


def test_the_sizes_of_the_table_are_those_of_the_vectors() -> None:
    sizes = {
        v["name"]: len(v["hex"]) // 2 for v in json.loads((PAYLOAD / "vectors.json").read_text())
    }
    assert sizes["one interval"] <= 24
    assert sizes["one interval and the one before it"] == 39 <= 51


def test_an_interval_costs_less_than_half_of_four_small_frames() -> None:
    table = rows()
    ours, theirs = table["one interval, 24 bytes"], table["4 x 10 bytes"]
    assert all(2 * mine < other for mine, other in zip(ours, theirs, strict=True))
    assert max(ours[:2]) < FAIR_USE_S < ours[2], "15 minutes up to SF9, longer behind it"
    assert day_s(10, 24) / 2 < FAIR_USE_S and day_s(11, 24) / 4 < FAIR_USE_S
