"""The far side of a node with MQTT and LoRaWAN: both networks, and one database behind them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from simulator.run.backends.backend_log import DRAIN_AT_ONCE, BackendContents, BackendLog
from simulator.run.backends.lorawan import LorawanBackend
from simulator.run.backends.mqtt import MqttBackend
from simulator.run.plans.plan import NodePlan
from simulator.world.kernel import Node
from simulator.world.spec import Detector


class BothBackend:
    """In the end MQTT works and sends every record in full that it has not sent before. A record
    that also came over LoRaWAN gives way to it.
    """

    drain = DRAIN_AT_ONCE

    def __init__(self, plan: NodePlan, folder: Path) -> None:
        self.log = BackendLog()
        self._path = folder / f"{plan.name}.sqlite"
        self._plan = plan
        self._mqtt = MqttBackend(plan, folder, self.log)
        self._lorawan = LorawanBackend(plan, folder, self.log)
        self.network = self._mqtt.network

    def with_modem(self, detector: Detector) -> Detector:
        return self._lorawan.with_modem(detector)

    def start(self, node: Node) -> None:
        self._lorawan.start(node)
        self._mqtt.start(node)

    def end_faults(self) -> None:
        self._lorawan.end_faults()

    def finish(self) -> BackendContents:
        over_air = self._lorawan.finish()
        records = self._records()
        short = over_air.delivered
        spans = [(int(body.get("first", last)), last) for last, body in short.items()]
        for seq in list(records):
            if any(first <= seq <= last for first, last in spans):
                del records[seq]
        over_air.delivered = records | short
        for name, number in self._mqtt.finish().anomalies.items():
            over_air.anomalies[name] = over_air.anomalies.get(name, 0) + number
        return over_air

    def commands(self, console: list[str]) -> dict[str, int]:
        return self._mqtt.commands(console)

    def _records(self) -> dict[int, dict[str, object]]:
        db = sqlite3.connect(self._path)
        rows = db.execute("SELECT seq, body FROM records WHERE kind = 'interval'").fetchall()
        db.close()
        return {int(seq): json.loads(body) for seq, body in rows}
