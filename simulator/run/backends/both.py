"""What stands beyond a node with MQTT and LoRaWAN: both networks, and one file behind them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from simulator.run.backends.backend_log import AT_ONCE, Desk, Held
from simulator.run.backends.lorawan import LoraCity
from simulator.run.plans.plan import NodePlan
from simulator.run.backends.mqtt import TownCity
from simulator.world.spec import Detector
from simulator.world.kernel import Node


class BothCity:
    """As `simulator.run.backends.backend.City`. In the end MQTT works, and tells in full what it has not told
    before: what went over the air meanwhile gives way to it."""

    drain = AT_ONCE

    def __init__(self, plan: NodePlan, folder: Path) -> None:
        self.desk = Desk()
        self._path = folder / f"{plan.name}.sqlite"
        self._plan = plan
        self._town = TownCity(plan, folder, self.desk)
        self._air = LoraCity(plan, folder, self.desk)
        self.network = self._town.network

    def beside(self, detector: Detector) -> Detector:
        return self._air.beside(detector)

    def start(self, node: Node) -> None:
        self._air.start(node)
        self._town.start(node)

    def calm(self) -> None:
        self._air.calm()

    def finish(self) -> Held:
        over_air = self._air.finish()
        records = self._records()
        short = over_air.delivered
        spans = [(int(body.get("first", last)), last) for last, body in short.items()]
        for seq in list(records):
            if any(first <= seq <= last for first, last in spans):
                del records[seq]
        over_air.delivered = records | short
        for name, number in self._town.finish().notes.items():
            over_air.notes[name] = over_air.notes.get(name, 0) + number
        return over_air

    def _records(self) -> dict[int, dict[str, object]]:
        db = sqlite3.connect(self._path)
        rows = db.execute("SELECT seq, body FROM records WHERE kind = 'interval'").fetchall()
        db.close()
        return {int(seq): json.loads(body) for seq, body in rows}
