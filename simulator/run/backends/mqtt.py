"""What stands beyond a node with MQTT: the world's own broker and the product's collector."""

from __future__ import annotations

import random
from pathlib import Path

from simulator.run.backends.backend_log import AT_ONCE, Desk, Held
from simulator.run.plans.plan import NodePlan
from simulator.world.spec import Detector
from simulator.world.network.backend import Backend
from simulator.world.network.broker import Broker
from simulator.world.kernel import Node
from simulator.world.network.access_network import Network, TownNetwork
from tallypost.backend.store import Store

_NOTES = ("gone", "doubts", "quarantine")


def held_by(store: Store, node: str) -> Held:
    """What the backend has of a node."""
    delivered = {int(body["seq"]): body for _, body in store.intervals(node)}
    return Held(delivered, {name: store.count_rows(name) for name in _NOTES})


class TownCity:
    """The world's own broker, deterministic, and the collector behind it."""

    drain = AT_ONCE

    def __init__(self, plan: NodePlan, folder: Path, desk: Desk | None = None) -> None:
        self.desk = desk or Desk()
        self._plan = plan
        broker = Broker(plan.root)
        broker.attach(self.desk.heard)
        path = folder / f"{plan.name}.sqlite"
        self._backend = Backend(path, broker, plan.start_utc, plan.backend_away, self.desk.on_news)
        rng = random.Random(f"{plan.seed}/network")
        self.network: Network = TownNetwork(broker, plan.weather, rng, plan.start_utc)

    def beside(self, detector: Detector) -> Detector:
        return detector

    def start(self, node: Node) -> None:
        self.network.call_at = self._backend.call_at = node.call_at
        self.network.begin()

    def calm(self) -> None:
        """Its weather has an end of its own."""

    def finish(self) -> Held:
        held = held_by(self._backend.collector.store, self._plan.name)
        self._backend.collector.close()
        return held
