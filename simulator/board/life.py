"""A running board: the node on the flash file, with a street on its pins and a broker in reach."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from simulator.board.chip import mac_of
from simulator.board.radar_port import RadarPort
from simulator.run.backends.lorawan import GPS_TO_UNIX, MODEM_UART
from simulator.run.plans.plan import BrokerAddress
from simulator.run.plans.sensors import SENSORS, Sensor, Site
from simulator.world.chip.devices import NVS_OFFSET, NVS_SIZE
from simulator.world.chip.nvs import NvsPartition
from simulator.world.kernel import Node
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.modems.mac import Mac
from simulator.world.lorawan.modems.rui3 import Rui3
from simulator.world.lorawan.server import NetworkServer
from simulator.world.lorawan.site import RadioSite
from simulator.world.network.access_network import NetworkFaults
from simulator.world.network.relay import RelayNetwork
from simulator.world.sensors.composite_detector import CompositeDetector
from simulator.world.sensors.recording import RecordedDetector
from simulator.world.spec import NodeSpec, Observer
from simulator.world.streets.mount import Mount
from simulator.world.streets.street import Street
from tallypost.hardware.boards import Board
from tallypost.provisioning.identity import NAMESPACE

HOUR_US = 3_600_000_000
_HOURS = 24  # of traffic, from power-on
_HEADWAY_S = 2.0
BENCH_MOUNT = Mount(line_m=20.0)  # where a node without a configured line counts
_DETECTOR = "ld2451"  # of a board without a configured one
_NOWHERE = BrokerAddress("127.0.0.1", 9)  # discard: no program listens there


class NullObserver:
    """An observer that keeps nothing."""

    def on(self, kind: str, t_us: int, data: bytes | str) -> None:
        return None


@dataclass(frozen=True)
class Environment:
    """detector: None for the node's configured one. per_hour: passages. seed: of all random
    numbers. broker: None for none, connections are refused. observer: of the node's actions. wifi:
    SSID and password of the one network, None for any. faults: of the sensor. radar: a port in the
    place of the radar, on an empty street.
    """

    detector: str | None = None
    per_hour: int = 240
    seed: int = 1
    broker: BrokerAddress | None = None
    observer: Observer = field(default_factory=NullObserver)
    wifi: tuple[str, str] | None = None
    faults: dict[str, float] = field(default_factory=dict)
    radar: RadarPort | None = None


def build_node(board: Board, flash: Path, environment: Environment) -> Node:
    """The node as it is when its power comes on now."""
    rng = random.Random(f"{environment.seed}/board")
    stored = NvsContents(flash)
    sensor = SENSORS[environment.detector or stored.detector() or default_detector(board)]
    per_hour = 0 if environment.radar else environment.per_hour
    site = Site(_street(sensor, rng, per_hour), BENCH_MOUNT, board)
    detector = sensor.model(site, rng, environment.faults)
    if environment.radar:
        detector = RecordedDetector([], detector)  # it answers commands, and sends nothing
    start_utc = int(time.time())
    target = environment.broker or _NOWHERE
    network = RelayNetwork(
        (target.host, target.port),
        NetworkFaults(),
        rng,
        start_utc,
        lambda *_: None,
        waits_for_answers=False,
    )
    server = _network(start_utc, stored)
    if board.modem:
        modem = Rui3(Mac(server, rng, rising=True), rng)
        modem.uart = MODEM_UART
        detector = CompositeDetector(detector, modem)
    spec = NodeSpec(
        board.name, flash, start_utc, environment.seed, chip=board.chip,
        psram=board.psram_mb > 0, mac=mac_of(board.name, flash),
    )  # fmt: skip
    made = Node(spec, network, detector, environment.observer)
    network.access_point = environment.wifi
    network.call_at = made.call_at
    network.begin()
    if board.radio:
        pins = {name: int(pin) for name, pin in board.radio.items() if name != "chip"}
        RadioSite(made, str(board.radio["chip"]), pins, rng, network=server)
    return made


def default_detector(board: Board) -> str:
    """The detector that most boards of this kind have."""
    return next((name for name in board.features.detectors if name in SENSORS), _DETECTOR)


def _street(sensor: Sensor, rng: random.Random, per_hour: int) -> Street:
    """The same traffic every hour, so that a board on the bench does not wait for the morning."""
    street = Street(rng, sensor.mix, 0, 1, _HEADWAY_S)
    for hour in range(_HOURS):
        one = Street(rng, sensor.mix, per_hour, 1, _HEADWAY_S, single_file=sensor.single_file)
        street.users += [replace(u, t_us=u.t_us + hour * HOUR_US) for u in one.users]
    return street


def _network(start_utc: int, stored: NvsContents) -> NetworkServer:
    """A LoRaWAN network in range. It knows the node's keys, if the node has any."""
    server = NetworkServer(start_utc - GPS_TO_UNIX)
    names = ("lora_dev_eui", "lora_join_eui", "lora_app_key")
    keys = [key for name in names if (key := stored.blob(name)) is not None]
    if len(keys) == len(names):
        dev_eui, join_eui = (int.from_bytes(eui, "big") for eui in keys[:2])
        server.joins.add(Device(dev_eui, join_eui, keys[2]))
    return server


class NvsContents:
    """The contents of a node's NVS partition."""

    def __init__(self, flash: Path) -> None:
        with open(flash, "rb") as file:
            file.seek(NVS_OFFSET)
            data = file.read(NVS_SIZE)
        self._nvs = NvsPartition(lambda at, n: data[at : at + n], _write, _write)

    def blob(self, key: str) -> bytes | None:
        try:
            return self._nvs.get_blob(NAMESPACE, key)
        except KeyError:
            return None

    def detector(self) -> str | None:
        """The configured detector. None if there is none to be read."""
        try:
            name = json.loads(self.blob("config") or b"{}").get("detector")
        except (ValueError, AttributeError):
            return None
        return name if name in SENSORS else None


def _write(*_: object) -> None:
    """This view is read only."""
