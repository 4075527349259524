"""Fuzzed downlinks. LORAWAN_FUZZ=1000000 gives that many to the MAC instead of the usual 4,000."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBER = int(os.environ.get("LORAWAN_FUZZ", "4000"))
SEED = int(os.environ.get("LORAWAN_FUZZ_SEED", "1"))


@pytest.mark.parametrize(("region", "share"), [("EU868", 1), ("US915", 4), ("AS923", 4)])
def test_no_frame_without_the_key_moves_anything_and_none_stops_the_mac(
    region: str, share: int
) -> None:
    number = NUMBER // share
    micropython = Path(sys.executable).parent / "micropython"
    script = ROOT / "tests" / "conformance" / "support" / "fuzz.py"
    command = [str(micropython), "-X", "heapsize=2m", str(script), str(number), str(SEED)]
    command.append(region)
    result = subprocess.run(
        command,
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:{ROOT / 'tests' / 'fakes'}:.frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout) >= number
