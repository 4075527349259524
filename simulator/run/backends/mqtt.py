"""The far side of a node with MQTT: the world's own broker and the product's collector."""

from __future__ import annotations

import random
from pathlib import Path

from simulator.run.backends.authority import tls_of
from simulator.run.backends.backend_log import DRAIN_AT_ONCE, BackendContents, BackendLog, Body
from simulator.run.plans.plan import NodePlan
from simulator.world.kernel import Node
from simulator.world.network.access_network import AccessNetwork, EmbeddedBrokerNetwork
from simulator.world.network.backend import CollectorBridge
from simulator.world.network.broker import Broker
from simulator.world.operators import Operators
from simulator.world.spec import Detector
from tallypost.backend.record_macs import KEY_BYTES, MacKeys
from tallypost.backend.stores.store import Store

MQTT_PORT = 1883  # default of the firmware
_ANOMALY_TABLES = ("gone", "doubts", "quarantine")


def contents_of(store: Store, node: str) -> BackendContents:
    """The backend's records of a node."""
    logs: dict[str, dict[int, Body]] = {}
    for log, body in store.intervals(node):
        logs.setdefault(log, {})[int(body["seq"])] = body
    delivered = {seq: body for bodies in logs.values() for seq, body in bodies.items()}
    anomalies = {name: store.count_rows(name) for name in _ANOMALY_TABLES}
    return BackendContents(delivered, anomalies, logs=logs)


def mac_key(plan: NodePlan) -> bytes:
    """The key that the node signs its records with, drawn from its seed."""
    return random.Random(f"{plan.seed}/mac").randbytes(KEY_BYTES)


class MqttBackend:
    """The world's own broker, deterministic, and the collector behind it."""

    drain = DRAIN_AT_ONCE

    def __init__(self, plan: NodePlan, folder: Path, log: BackendLog | None = None) -> None:
        self.log = log or BackendLog()
        self._plan = plan
        broker = Broker(plan.root)
        broker.attach(self.log.on_publish)
        path = folder / f"{plan.name}.sqlite"
        self._backend = CollectorBridge(
            path, broker, plan.start_utc, plan.backend_away, on_news=self.log.on_news,
            macs=MacKeys({plan.name: mac_key(plan)}, is_required=True),
        )  # fmt: skip
        self.operators = Operators(
            random.Random(f"{plan.seed}/operators"), broker, f"{plan.root}/{plan.name}"
        )
        rng = random.Random(f"{plan.seed}/network")
        self.network: AccessNetwork = EmbeddedBrokerNetwork(
            broker, plan.network_faults, rng, plan.start_utc, tls_of(plan, folder)
        )
        self.network.port = int(str(plan.config.get("mqtt_port", MQTT_PORT)))

    def with_modem(self, detector: Detector) -> Detector:
        return detector

    def start(self, node: Node) -> None:
        self.network.call_at = self._backend.call_at = node.call_at
        self.network.begin()
        self.operators.begin(self._plan.commands, self._plan.end_us, node.call_at, node.deliver)
        self.operators.change(self._plan.changes, node.call_at, node.deliver)

    def end_faults(self) -> None:
        """Network faults end by themselves."""

    def finish(self) -> BackendContents:
        held = contents_of(self._backend.collector.store, self._plan.name)
        self._backend.collector.close()
        return held

    def commands(self, console: list[str]) -> dict[str, int]:
        """What became of the commands. console: what the node has written."""
        return self.operators.figures(console)
