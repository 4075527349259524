"""Runs a fuzzer of `device/` inside MicroPython, and judges its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import HEAP, SEARCH
from tests.tidy.source import ROOT

DEVICE = Path(__file__).resolve().parent / "device"
ON_DEVICE = ("commands", "reader", "ring", "nvs")
GROWTH_MAX = 4096  # bytes, from the first tenth of the inputs to the last
PER_INPUT_S = 0.05  # an input that takes longer, on the average, counts as a hang
Figures = dict[str, Any]


def run_on_device(name: str, n: int, seed: int) -> Figures:
    """Feed `n` inputs. Raises AssertionError for an exception, a hang or growing memory."""
    micropython = Path(sys.executable).parent / "micropython"
    path = [*(str(ROOT / part) for part in SEARCH), str(DEVICE), ".frozen"]
    command = [str(micropython), "-X", f"heapsize={HEAP}", str(DEVICE / f"fuzz_{name}.py")]
    result = subprocess.run(
        [*command, str(n), str(seed)],
        env={**os.environ, "MICROPYPATH": ":".join(path)},
        cwd=ROOT, capture_output=True, text=True, timeout=60 + n * PER_INPUT_S, check=False,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    if result.returncode or not lines or not lines[-1].startswith("{"):
        raise AssertionError(f"{name}: ended\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    found: Figures = json.loads(lines[-1])
    if "error" in found:
        raise AssertionError(f"{name}: {found}\n{result.stdout[-2000:]}")
    first, last = found["memory_bytes"]
    if last - first > GROWTH_MAX:
        raise AssertionError(f"{name}: memory grows from {first} to {last} bytes")
    return found
