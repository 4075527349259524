"""What a radar's frame costs to parse, against PyPI's micropython-ld2410, in one run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.ring_cost import HEAP, LIMIT_S, ROOT, Row

PROGRAM = ROOT / "tests" / "bench" / "device" / "frames.py"
LEAST_FASTER = 3


def measure() -> dict[str, Any]:
    """The figures of one run inside MicroPython; the other driver is found in the environment."""
    spec = importlib.util.find_spec("ld2410")
    assert spec and spec.submodule_search_locations
    with tempfile.TemporaryDirectory() as folder:  # the package alone, not all of site-packages
        (Path(folder) / "ld2410").symlink_to(spec.submodule_search_locations[0])
        micropython = Path(sys.executable).parent / "micropython"
        path = f"{ROOT / 'lib'}:{folder}:.frozen"
        result = subprocess.run(
            [str(micropython), "-X", f"heapsize={HEAP}", str(PROGRAM)],
            env={**os.environ, "MICROPYPATH": path},
            cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    if result.returncode:
        raise RuntimeError(f"{PROGRAM.name}: {result.stdout}{result.stderr}")
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def rows(figures: dict[str, Any]) -> list[Row]:
    other = figures["ld2410"]["us"]
    found = []
    for name in ("ld2451", "ld2450", "ops243"):
        if name != "ops243":  # of another family
            ratio = other / figures[name]["us"]
            found.append(Row(f"time a frame: ld2410 / {name}", ratio, LEAST_FASTER))
        allocated = figures[name]["bytes"]
        found.append(Row(f"bytes allocated a frame, {name}", allocated, 0, at_most=True))
    return found


def details(figures: dict[str, Any]) -> list[str]:
    return [
        f"{name:<44} {cost['us']:.1f} us {cost['bytes']:.0f} bytes a frame"
        for name, cost in figures.items()
    ]
