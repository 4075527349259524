"""A detector's noise depends on the street, not on the node's commands."""

from __future__ import annotations

import random

import pytest

from simulator.world.protocol import Input
from simulator.world.sensors.ld2450 import Ld2450
from simulator.world.sensors.ld2451 import Ld2451
from simulator.world.sensors.ops243 import Ops243
from simulator.world.streets.street import Street

Model = type[Ld2450] | type[Ld2451] | type[Ops243]

NOISY = {"ghost": 0.2, "missed": 0.2, "torn": 0.1, "glued": 0.1, "flipped": 0.1, "deaf": 0.5}
MIX = {"pedestrian": 0.5, "bicycle": 0.5}
ENABLE = bytes.fromhex("fdfcfbfa0400ff00010004030201")
END = bytes.fromhex("fdfcfbfa0200fe0004030201")
S = 1_000_000
HOUR_US = 3600 * S


def reports(model: Model, asked_at_s: range) -> list[Input]:
    street = Street(random.Random(1), MIX, 300, 1.0, 4.0)
    radar = model(street, random.Random(2), NOISY)
    radar.power(0, True)
    out = []
    for second in range(600):
        if second in asked_at_s:
            radar.write(second * S, ENABLE + END + b"??")
        if second == asked_at_s.stop:
            radar.write(second * S, END * 20)  # one of them is heard
        out += radar.generate(second * S, second * S + S, 1000)
    return [one for one in out if one[0] > 60 * S]


@pytest.mark.parametrize("model", (Ld2451, Ld2450, Ops243))
def test_noise_does_not_depend_on_earlier_calls(model: Model) -> None:
    calm, asked = reports(model, range(0)), reports(model, range(5, 50))
    assert len(calm) > 1000
    assert asked == calm
