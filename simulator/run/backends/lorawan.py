"""The far side of a node with LoRaWAN: radio medium, gateway, network server, backend."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

from simulator.run.backends.backend_log import (
    BackendContents,
    BackendLog,
    Body,
    DrainRule,
    Transmission,
)
from simulator.run.plans.plan import NodePlan
from simulator.world.kernel import Node
from simulator.world.lorawan import regions
from simulator.world.lorawan.backend import LorawanCollectorBridge
from simulator.world.lorawan.ether import Ether, tally
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.modems.mac import Mac
from simulator.world.lorawan.modems.rui3 import Rui3
from simulator.world.lorawan.radio_medium import RadioMedium
from simulator.world.lorawan.server import NetworkServer
from simulator.world.lorawan.site import RadioSite
from simulator.world.network.access_network import AccessNetwork, DeadEnd, NetworkFaults
from simulator.world.sensors.composite_detector import CompositeDetector
from simulator.world.operators import Operators
from simulator.world.spec import Detector
from tallypost.hardware import boards
from tallypost.provisioning.provision import LoraKeys

GPS_TO_UNIX = 315_964_800 - 18  # leap seconds since 1980
DAY_US = 86_400_000_000
_ANOMALY_TABLES = ("gone", "quarantine", "waiting")
MODEM_UART = 1  # of a board with a modem


def lora_keys(plan: NodePlan) -> LoraKeys:
    """The keys that the node joins with, drawn from its seed."""
    rng = random.Random(f"{plan.seed}/lora")
    return LoraKeys(rng.randbytes(8), rng.randbytes(8), rng.randbytes(16))


def network_server(plan: NodePlan) -> NetworkServer:
    """The world's network server in the node's region."""
    region = regions.by_name(str(plan.config.get("lora_region", "EU868")))
    server = NetworkServer(plan.start_utc - GPS_TO_UNIX, region)
    server.adr = True
    return server


class LorawanBackend:
    """The world's network server and the product's collector. The node's Wi-Fi reaches nothing.

    ether: shared with other nodes, and their server.
    """

    def __init__(
        self,
        plan: NodePlan,
        folder: Path,
        log: BackendLog | None = None,
        ether: Ether | None = None,
    ) -> None:
        self.log = log or BackendLog()
        self._plan = plan
        self._board = boards.load(plan.board)
        self._site: RadioSite | None = None
        self._mac: Mac | None = None  # in the board's modem
        self._path = folder / f"{plan.name}.sqlite"
        self._ether = ether
        # The backend confirms every 12 hours: too long for many nodes at once.
        timeout_us = DAY_US if ether else 14 * DAY_US
        self.drain = DrainRule(900_000_000, timeout_us, False, not ether, 450_000_000)
        self._server = ether.server if ether else network_server(plan)
        keys = lora_keys(plan)
        dev_eui, join_eui = (int.from_bytes(eui, "big") for eui in (keys.dev_eui, keys.join_eui))
        device = Device(dev_eui, join_eui, keys.app_key, self._server.region.accept())
        self._backend = LorawanCollectorBridge(
            self._path, plan.name, plan.start_utc,
            away=plan.backend_away, on_news=self.log.on_news,
        )  # fmt: skip
        if ether:
            self._device = ether.add(device, self._backend.uplink)
        else:
            self._device = self._server.joins.add(device)
            self._server.on_data = self._backend.uplink
        self._rng = random.Random(f"{plan.seed}/air")
        self.network: AccessNetwork = DeadEnd(NetworkFaults(), self._rng, plan.start_utc)

    def with_modem(self, detector: Detector) -> Detector:
        if not self._board.modem:
            return detector
        self._mac = Mac(self._server, self._rng, rising=True)
        self._mac.loss, self._mac.away = (
            self._plan.radio_faults.loss,
            self._plan.radio_faults.gateway_away,
        )
        modem = Rui3(self._mac, self._rng)
        modem.uart = MODEM_UART
        return CompositeDetector(detector, modem)

    def start(self, node: Node) -> None:
        self.network.call_at = node.call_at
        self._backend.call_at = self._ether.call_at if self._ether else node.call_at
        Operators.change(self._plan.changes, node.call_at, node.deliver)
        radio = dict(self._board.radio)
        if not radio:
            return
        chip = str(radio.pop("chip"))
        self._site = RadioSite(
            node, chip, {name: int(pin) for name, pin in radio.items()}, self._rng,
            network=self._server, faults=self._plan.radio_faults, air=self._air(node),
        )  # fmt: skip

    def _air(self, node: Node) -> RadioMedium | None:
        if not self._ether:
            return None
        place = random.Random(f"{self._plan.seed}/place")
        return self._ether.medium(node, self._rng, place.uniform(*self._plan.radio_faults.path_db))

    def end_faults(self) -> None:
        """From now on no frame is lost."""
        if self._mac:
            self._mac.loss = 0.0
        if self._site:
            self._site.medium.loss = 0.0

    def commands(self, console: list[str]) -> dict[str, int]:
        """People give commands behind the world's own broker alone."""
        return {}

    def finish(self) -> BackendContents:
        collector = self._backend.collector
        anomalies = {name: collector.store.count_rows(name) for name in _ANOMALY_TABLES}
        collector.close()
        ether = self._ether
        is_own = not ether or ether.nodes[0] == self._plan.name  # a fault is told once
        refused = [text for text in self._server.joins.refused if text]
        return BackendContents(
            delivered={int(body["seq"]): body for body in _counted_intervals(self._path)},
            anomalies=anomalies,
            faults=[*self._violations(), *([*self._server.faults, *refused] if is_own else [])],
            transmissions=self._transmissions(),
            joins=len(self._device.nonces),
            air=tally(ether.outcomes(self._plan.name)) if ether else None,
        )

    def _violations(self) -> list[str]:
        return self._site.chip.violations if self._site else []

    def _transmissions(self) -> list[Transmission]:
        if self._mac:
            return [Transmission(*frame) for frame in self._mac.sent]
        assert self._site
        return [
            Transmission(s.begin_us, s.end_us() - s.begin_us, s.freq_hz)
            for s in self._site.medium.sent
            if s.sender == self._plan.name
        ]


def _counted_intervals(path: Path) -> list[Body]:
    """The intervals that the backend counts: none of them lies inside another one."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT first, last, body FROM short WHERE kind = 'interval'").fetchall()
    db.close()
    spans = [(first, last) for first, last, _ in rows]
    return [
        json.loads(body)
        for first, last, body in rows
        if not any(a <= first and last <= b and (a, b) != (first, last) for a, b in spans)
    ]
