"""Writes `lib/lorawan/CONFORMANCE.md`, one row for each scenario of `test_certification*.py`."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = sorted((ROOT / "tests" / "conformance").glob("test_certification*.py"))
TABLE = ROOT / "lib" / "lorawan" / "CONFORMANCE.md"
HEAD = """\
# Conformance of lib/lorawan

LoRaWAN 1.0.4 (TS001-1.0.4), RP002-1.0.4, Class A. **Conformance-tested in simulation, not
certified.** Each row is a test of `tests/conformance/test_certification*.py`. It has the number of
a 1.0.4 certification test for end devices. Its checks were written from the specification, not
from the Alliance's procedures. The MAC runs in the MicroPython interpreter against an independent
network. `python -m tests.conformance.support.table` writes this page.

All rows are for EU868.

| test | checked |
|---|---|
"""
TAIL = """
**US915 and AS923**, by `tests/conformance/test_regions.py`: joining under a gateway of 8 + 1
channels, masks by CFList and by LinkADRReq, both windows at every data rate and offset, the
longest payloads, the dwell time of TxParamSetupReq.

**All three regions.** In `test_properties.py` random lives keep the limits of airtime, counters
and windows. In `test_fuzz.py` fuzzed downlinks change nothing. `test_lorawan_us915.py`,
`test_lorawan_as923.py` and `test_lorawan_region.py` in `tests/lib/lorawan/regions` compare the
tables with the formulae.

**Packages**, by `tests/conformance/test_packages.py` over the air and by
`tests/lib/lorawan/device/test_lorawan_packages.py`. TS009-1.0.0 on port 224 is off unless
`lora_certification` is set. TS003-2.0.0 on port 202 is used after three DeviceTimeReq without an
answer.

**Not covered**

- 000, the activation of the device under test by the test harness.
- Everything that needs a real radio: power, spectrum, sensitivity, time on air as measured.
- Of TS009: TxCwReq, beacons and ping slots, fragments, relays. They are dropped and counted.
- DR7 (FSK) and LR-FHSS, listening before talking (Japan), Class B and C, multicast, repeaters.
- Activation by personalisation, beyond the unit tests.
- Several networks or devices at once, collisions, downlinks outside the windows.
"""


def rows() -> list[tuple[str, str]]:
    """(number, description) of each scenario, in order."""
    found = []
    body = [node for path in SCENARIOS for node in ast.parse(path.read_text()).body]
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            text = " ".join((ast.get_docstring(node) or "").split())
            found.append((node.name.split("_")[1], text))
    return found


def text() -> str:
    return HEAD + "".join(f"| {number} | {what} |\n" for number, what in rows()) + TAIL


if __name__ == "__main__":
    TABLE.write_text(text())
