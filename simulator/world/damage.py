"""A damaged line between a detector and its node.

Faults, as shares of the reports: `torn` (cut off), `glued` (a rest of rubbish in front), `flipped`
(one bit).
"""

from __future__ import annotations

import random


def spoiled(report: bytes, rng: random.Random, faults: dict[str, float]) -> bytes:
    """What arrives of a report; without faults nothing is drawn."""
    if not faults:
        return report
    if rng.random() < faults.get("torn", 0):
        return report[: rng.randrange(1, len(report))]
    if rng.random() < faults.get("glued", 0):
        return rng.randbytes(rng.randrange(1, 12)) + report
    if rng.random() < faults.get("flipped", 0):
        hurt = bytearray(report)
        hurt[rng.randrange(len(hurt))] ^= 1 << rng.randrange(8)
        return bytes(hurt)
    return report
