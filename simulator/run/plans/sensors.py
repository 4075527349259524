"""Sensors: the street of each one, and the model that plays it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from simulator.world.sensors.beams import Beams
from simulator.world.sensors.doppler import Doppler
from simulator.world.sensors.ld2450 import Ld2450
from simulator.world.sensors.ld2451 import Ld2451
from simulator.world.sensors.ops243 import Ops243
from simulator.world.spec import Detector
from simulator.world.streets.street import BEAM_MIX, RADAR_MIX, Street
from tallypost.hardware.boards import Board

FaultShares = dict[str, float]
Model = Callable[[Street, random.Random, FaultShares, Board], Detector]


@dataclass(frozen=True)
class Sensor:
    """place: "radar" (a road with two lanes) or "beam" (a path in single file), as scenarios name
    them. faults: its table of faults there. mix: shares of the classes. model: makes the sensor
    from street, rng, faults and board. directional: it tells directions apart.
    """

    place: str
    faults: str
    mix: dict[str, float]
    model: Model
    directional: bool = True

    @property
    def single_file(self) -> bool:
        return self.place == "beam"


def _ld2451(street: Street, rng: random.Random, faults: FaultShares, _: Board) -> Detector:
    return Ld2451(street, rng, faults)


def _ld2450(street: Street, rng: random.Random, faults: FaultShares, _: Board) -> Detector:
    return Ld2450(street, rng, faults)


def _ops243(street: Street, rng: random.Random, faults: FaultShares, _: Board) -> Detector:
    return Ops243(street, rng, faults)


def _doppler(street: Street, rng: random.Random, faults: FaultShares, board: Board) -> Detector:
    return Doppler(street, rng, faults, board.beams[0])


def _beams(street: Street, rng: random.Random, faults: FaultShares, board: Board) -> Detector:
    return Beams(street, rng, faults, board.beams)


SENSORS = {
    "ld2451": Sensor("radar", "radar", RADAR_MIX, _ld2451),
    "ld2450": Sensor("beam", "ld2450", BEAM_MIX, _ld2450),
    "ops243": Sensor("radar", "ops243", RADAR_MIX, _ops243),
    "doppler": Sensor("radar", "doppler", RADAR_MIX, _doppler, directional=False),
    "beam": Sensor("beam", "beam", BEAM_MIX, _beams),
    "beam_single": Sensor("beam", "beam", BEAM_MIX, _beams, directional=False),
}
