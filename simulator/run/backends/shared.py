"""A real broker, and one `tallypost listen` for all nodes: a city in small."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path

from simulator.run.backends.backend_log import DRAIN_AT_ONCE, BackendContents, BackendLog
from simulator.run.plans.plan import BrokerAddress, NodePlan
from simulator.world.kernel import Node
from simulator.world.network.access_network import AccessNetwork
from simulator.world.network.relay import RelayNetwork
from simulator.world.spec import Detector
from tallypost.backend.stores.reading import open_reader

_POLL_S = 0.05
_ANOMALIES = {"gone": "gone", "doubt": "doubts", "quarantine": "quarantine"}  # by kind of line


class SharedMqttBackend:
    """The listener runs elsewhere and prints its lines to a file. This follows the file."""

    drain = DRAIN_AT_ONCE

    def __init__(self, plan: NodePlan, target: BrokerAddress, lines: Path) -> None:
        self.log = BackendLog()
        self._plan, self._lines = plan, lines
        self._anomalies: Counter[str] = Counter()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        rng = random.Random(f"{plan.seed}/network")
        self.network: AccessNetwork = RelayNetwork(
            (target.host, target.port), plan.network_faults, rng, plan.start_utc,
            self.log.on_publish,
        )  # fmt: skip

    def _follow(self) -> None:
        """Read lines as they come. The last one may still be without its end."""
        rest = ""
        with open(self._lines, encoding="utf-8") as lines:
            while not self._is_over.is_set():
                rest += lines.readline()
                if rest.endswith("\n"):
                    self._heard(rest)
                    rest = ""
                else:
                    time.sleep(_POLL_S)

    def _heard(self, line: str) -> None:
        news = json.loads(line)
        if news["node"] == self._plan.name:
            self._anomalies[news["what"]] += 1
            self.log.on_news(news["what"], news["node"], news)

    def with_modem(self, detector: Detector) -> Detector:
        return detector

    def start(self, node: Node) -> None:
        self.network.call_at = node.call_at
        self.network.begin()

    def end_faults(self) -> None:
        """Network faults end by themselves."""

    def finish(self) -> BackendContents:
        self._is_over.set()
        self._thread.join()
        assert self._plan.database
        with open_reader(self._plan.database) as reader:
            held = {one.last: one.body for one in reader.intervals(self._plan.name)}
        return BackendContents(
            held, {table: self._anomalies[kind] for kind, table in _ANOMALIES.items()}
        )

    def commands(self, console: list[str]) -> dict[str, int]:
        """People give commands behind the world's own broker alone."""
        return {}
