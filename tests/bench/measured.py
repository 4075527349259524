"""A figure with its budget, and the run inside MicroPython that gives figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HEAP = "8m"
LIMIT_S = 300


@dataclass(frozen=True)
class Row:
    """One figure with its budget, a minimum or a maximum."""

    name: str
    value: float
    budget: float
    at_most: bool = False

    @property
    def kept(self) -> bool:
        return self.value <= self.budget if self.at_most else self.value >= self.budget

    def text(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "ok" if self.kept else "MISSED"
        return f"{self.name:<52} {self.value:>9.3g} {sign} {self.budget:<6g} {verdict}"


def figures_of(program: str, *search: Path | str) -> dict[str, Any]:
    """The figures that a program of device/ prints. search: its module path besides lib/."""
    path = ROOT / "tests" / "bench" / "device" / program
    found = ":".join(map(str, (ROOT / "lib", *search, ".frozen")))
    result = subprocess.run(
        [str(Path(sys.executable).parent / "micropython"), "-X", f"heapsize={HEAP}", str(path)],
        env={**os.environ, "MICROPYPATH": found},
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    if result.returncode:
        raise RuntimeError(f"{program}: {result.stdout}{result.stderr}")
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures
