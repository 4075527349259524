"""A detector and a modem on one board, each on a line of its own."""

from __future__ import annotations

from simulator.world.lorawan.modems.at_modem import Modem
from simulator.world.protocol import Input
from simulator.world.spec import Detector


class CompositeDetector:
    """Bytes of the node go to the modem: the detector has no line towards it.

    Both are asked for the inputs of a window. Inputs that do not fit are asked for again in the
    next window. That works because both give the same inputs again.
    """

    def __init__(self, detector: Detector, modem: Modem) -> None:
        self._detector = detector
        self._modem = modem

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        inputs = self._detector.generate(t0_us, t1_us, limit)
        inputs += self._modem.generate(t0_us, t1_us, limit)
        return sorted(inputs, key=lambda one: one[0])[:limit]

    def write(self, t_us: int, data: bytes) -> list[Input]:
        return self._modem.write(t_us, data)

    def power(self, t_us: int, on: bool) -> None:
        self._detector.power(t_us, on)
        self._modem.power(t_us, on)
