"""The pictures and figures of boards/MOUNTING.md agree with the geometry."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tallypost.hardware import mounting

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "boards" / "MOUNTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(mounting.drawn()))
def test_a_picture_is_the_drawn_one(name: str) -> None:
    stored = (ROOT / "boards" / name).read_text(encoding="utf-8")
    assert stored == mounting.drawn()[name], "python -m tallypost.hardware.mounting boards"
    ElementTree.fromstring(stored)


def test_the_lanes_of_the_guide_are_seen_from_where_it_says() -> None:
    rows = re.findall(r"^\| (\d+(?:\.\d+)?) m \| (\d+) m \| (\d+) m \|", GUIDE, re.MULTILINE)
    assert len(rows) >= 4
    for offset, seen, line in rows:
        first_m = mounting.first_seen_m(float(offset))
        assert int(seen) - 1 < first_m <= int(seen) < int(line)


def test_the_tilt_of_the_guide_is_that_of_its_height_and_line() -> None:
    found = re.findall(r"(\d\.\d) m high, line at (\d+) m: (\d+) degrees", GUIDE)
    assert len(found) >= 3
    for height, line, degrees in found:
        assert round(mounting.tilt_deg(float(height), float(line))) == int(degrees)


def test_a_lane_at_the_edge_of_the_lobe_is_seen_at_45_degrees_at_once() -> None:
    assert mounting.first_seen_m(5.0, 45.0) == pytest.approx(5.0)
