"""Sensors: the street of each one, and the model that plays it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from simulator.world.sensors.beams import Beams
from simulator.world.sensors.doppler import Doppler
from simulator.world.sensors.ld2450 import Ld2450
from simulator.world.sensors.ld2451 import Ld2451
from simulator.world.sensors.ops243 import Ops243
from simulator.world.sensors.pir_pair import PirSensors
from simulator.world.sensors.vl53l1x import Vl53l1x
from simulator.world.spec import Detector
from simulator.world.streets.mount import Mount
from simulator.world.streets.street import BEAM_MIX, RADAR_MIX, Street
from tallypost.hardware.boards import Board

FaultShares = dict[str, float]


class Window(NamedTuple):
    """A count is noted so much before the front is on the line, or after it, at most. A negative
    `early_us` means: not earlier than that after it.

    A node notes a passage when it is sure of it. The window of a sensor is its own timing error:
    from the 1st to the 99th percentile of its lateness, measured with WIDEST in thin traffic. A
    wider one would match more counts by chance.
    """

    early_us: int = 1_500_000
    late_us: int = 3_000_000


WIDEST = Window()


class Site(NamedTuple):
    """The street, where the sensor hangs there, and the board that reads it."""

    street: Street
    mount: Mount
    board: Board


Model = Callable[[Site, random.Random, FaultShares], Detector]


@dataclass(frozen=True)
class Sensor:
    """place: "radar" (a road with two lanes) or "beam" (a path in single file), as scenarios name
    them. faults: its table of faults there. mix: shares of the classes. model: makes the sensor.
    directional: it tells directions apart. window: of the time between a passage and its
    count. on_pole: its model knows where it hangs. situations: of the accuracy table, () = all
    at its place.
    """

    place: str
    faults: str
    mix: dict[str, float]
    model: Model
    directional: bool = True
    window: Window = WIDEST
    on_pole: bool = False
    situations: tuple[str, ...] = ()

    @property
    def single_file(self) -> bool:
        return self.place == "beam"


def _ld2451(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Ld2451(site.street, rng, faults, site.mount)


def _ld2450(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Ld2450(site.street, rng, faults)


def _ops243(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Ops243(site.street, rng, faults)


def _doppler(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Doppler(site.street, rng, faults, site.board.beams[0])


def _pir_pair(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return PirSensors(site.street, rng, faults, site.board.beams)


def _vl53l1x(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Vl53l1x(site.street, rng, faults)


def _beams(site: Site, rng: random.Random, faults: FaultShares) -> Detector:
    return Beams(site.street, rng, faults, site.board.beams)


SENSORS = {
    "ld2451": Sensor(
        "radar", "radar", RADAR_MIX, _ld2451, window=Window(0, 2_000_000), on_pole=True
    ),
    "ld2450": Sensor("beam", "ld2450", BEAM_MIX, _ld2450, window=Window(0, 2_000_000)),
    "ops243": Sensor("radar", "ops243", RADAR_MIX, _ops243, window=Window(-300_000, 2_300_000)),
    "doppler": Sensor(
        "radar", "doppler", RADAR_MIX, _doppler, directional=False, window=Window(900_000)
    ),
    # A barrier waits for the second leg. In platoons that takes longest.
    "beam": Sensor("beam", "beam", BEAM_MIX, _beams, window=Window(-400_000, 2_800_000)),
    "beam_single": Sensor(
        "beam", "beam", BEAM_MIX, _beams, directional=False, window=Window(-300_000, 1_800_000)
    ),
    "pir_pair": Sensor(
        "beam",
        "pir",
        BEAM_MIX,
        _pir_pair,
        window=Window(0, 2_000_000),
        situations=("moderate", "shared_path", "pavement"),
    ),
    # A run has a million transfers on the bus: not every situation is worth them.
    "vl53l1x": Sensor(
        "beam",
        "tof",
        BEAM_MIX,
        _vl53l1x,
        window=Window(0, 2_000_000),
        situations=("moderate",),
    ),
}
