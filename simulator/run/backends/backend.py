"""What stands beyond the node's radio: broker and backend, the world's own or real ones.

Both kinds offer the same: `network` for the node, `delivered` and `order` as they come in, and
`notes()` of what the backend found fault with. The backend is the product's in both cases: its
collector behind the world's broker, or `tallypost listen` as a process at a real one.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Protocol

from simulator.run.backends.backend_log import (
    DRAIN_AT_ONCE,
    BackendContents,
    BackendLog,
    DrainRule,
)
from simulator.run.backends.both import BothBackend
from simulator.run.backends.lorawan import LorawanBackend
from simulator.run.backends.mqtt import MqttBackend, contents_of
from simulator.run.plans.plan import BrokerAddress, NodePlan
from simulator.world.chip.process import die_with_parent
from simulator.world.kernel import Node
from simulator.world.network.access_network import AccessNetwork
from simulator.world.network.relay import RelayNetwork
from simulator.world.spec import Detector
from tallypost.backend.store import Store
from tallypost.faults import ToolError

ROOT = Path(__file__).resolve().parents[3]


class Backend(Protocol):
    network: AccessNetwork
    log: BackendLog

    drain: DrainRule

    def with_modem(self, detector: Detector) -> Detector:
        """All that talks to the board: its detector, and a modem if it has one."""

    def start(self, node: Node) -> None: ...

    def end_faults(self) -> None:
        """The run is over, and the storm with it; what is closed has to arrive."""

    def finish(self) -> BackendContents:
        """Ends everything."""


def backend_for(plan: NodePlan, folder: Path) -> Backend:
    """The other side of a node; raises ToolError when a real one cannot be reached."""
    if plan.link == "both":
        return BothBackend(plan, folder)
    if plan.link == "lorawan":
        return LorawanBackend(plan, folder)
    return (
        ExternalMqttBackend(plan, folder, plan.broker)
        if plan.broker
        else MqttBackend(plan, folder)
    )


class ExternalMqttBackend:
    """A real broker, and `tallypost listen` at it. Every node has topics of its own there."""

    drain = DRAIN_AT_ONCE

    def __init__(self, plan: NodePlan, folder: Path, target: BrokerAddress) -> None:
        self.log = BackendLog()
        self._plan = plan
        self._path = folder / f"{plan.name}.sqlite"
        self._listener = _listen(plan, target, self._path)
        assert self._listener.stdout
        lines = self._listener.stdout
        self._thread = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._thread.start()
        rng = random.Random(f"{plan.seed}/network")
        address = (target.host, target.port)
        self.network: AccessNetwork = RelayNetwork(
            address, plan.network_faults, rng, plan.start_utc, self.log.on_publish
        )

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            news = json.loads(line)
            self.log.on_news(news["what"], news["node"], news)

    def with_modem(self, detector: Detector) -> Detector:
        return detector

    def start(self, node: Node) -> None:
        self.network.call_at = node.call_at
        self.network.begin()

    def end_faults(self) -> None:
        """Its weather has an end of its own."""

    def finish(self) -> BackendContents:
        self._listener.terminate()
        self._listener.wait()
        self._thread.join()
        store = Store(self._path)
        held = contents_of(store, self._plan.name)
        store.close()
        return held


def _listen(plan: NodePlan, target: BrokerAddress, path: Path) -> subprocess.Popen[str]:
    """Start `tallypost listen`; returns when it has subscribed. Raises ToolError."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "tallypost", "listen", "--host", target.host,
            "--port", str(target.port), "--root", plan.root, "--db", str(path),
            "--client-id", "", "--json",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    assert process.stderr
    said = process.stderr.readline()
    if not said.startswith("listening"):
        rest = said + process.stderr.read()  # to its end, which is near
        process.wait()
        raise ToolError(rest.strip().removeprefix("error: "))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process
