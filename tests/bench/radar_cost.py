"""Cost of parsing a radar frame, compared with PyPI's micropython-ld2410 in the same run."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.measured import Row, figures_of

SPEEDUP_MIN = 3


def measure() -> dict[str, Any]:
    """The figures of one run inside MicroPython. The environment has the other driver."""
    spec = importlib.util.find_spec("ld2410")
    assert spec and spec.submodule_search_locations
    with tempfile.TemporaryDirectory() as folder:  # the package alone, not all of site-packages
        (Path(folder) / "ld2410").symlink_to(spec.submodule_search_locations[0])
        return figures_of("frames.py", folder)


def rows(figures: dict[str, Any]) -> list[Row]:
    other = figures["ld2410"]["us"]
    found = []
    for name in ("ld2451", "ld2450", "ops243"):
        if name != "ops243":  # of another family
            ratio = other / figures[name]["us"]
            found.append(Row(f"time a frame: ld2410 / {name}", ratio, SPEEDUP_MIN))
        allocated = figures[name]["bytes"]
        found.append(Row(f"bytes allocated a frame, {name}", allocated, 0, at_most=True))
    return found


def details(figures: dict[str, Any]) -> list[str]:
    return [
        f"{name:<44} {cost['us']:.1f} us {cost['bytes']:.0f} bytes a frame"
        for name, cost in figures.items()
    ]
