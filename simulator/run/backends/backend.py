"""The far side of the node's radio: broker and backend, the world's own or real ones.

All kinds have the same interface: `network` for the node, `log` of arrivals, and `finish()` with
the contents of the backend. The backend is always the product's own: its collector behind the
world's broker or network server, or `tallypost listen` as a process at a real broker.
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
from simulator.run.backends.shared import SharedMqttBackend
from simulator.run.backends.mqtt import MqttBackend, contents_of
from simulator.run.plans.plan import BrokerAddress, NodePlan
from simulator.world.chip.process import die_with_parent
from simulator.world.kernel import Node
from simulator.world.lorawan.ether import Ether
from simulator.world.network.access_network import AccessNetwork
from simulator.world.network.relay import RelayNetwork
from simulator.world.spec import Detector
from tallypost.backend.stores.store import Store
from tallypost.faults import ToolError

ROOT = Path(__file__).resolve().parents[3]


class Backend(Protocol):
    network: AccessNetwork
    log: BackendLog

    drain: DrainRule

    def with_modem(self, detector: Detector) -> Detector:
        """Everything that talks to the board: its detector, and a modem if it has one."""

    def start(self, node: Node) -> None: ...

    def end_faults(self) -> None:
        """The run is over, and its faults end. Closed intervals have to arrive now."""

    def finish(self) -> BackendContents:
        """End everything and return the contents."""

    def commands(self, console: list[str]) -> dict[str, int]:
        """What became of the commands of people. Empty where there are none."""


def backend_for(plan: NodePlan, folder: Path, ether: Ether | None = None) -> Backend:
    """The far side of a node, with LoRaWAN on the air that it shares. Raises ToolError when a real
    broker cannot be reached."""
    if plan.link == "both":
        return BothBackend(plan, folder)
    if plan.link == "lorawan":
        return LorawanBackend(plan, folder, ether=ether)
    if plan.broker and plan.lines:
        return SharedMqttBackend(plan, plan.broker, plan.lines)
    return (
        ExternalMqttBackend(plan, folder, plan.broker)
        if plan.broker
        else MqttBackend(plan, folder)
    )


class ExternalMqttBackend:
    """A real broker, and `tallypost listen` at it. Every node has its own topics there."""

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
        """Network faults end by themselves."""

    def finish(self) -> BackendContents:
        self._listener.terminate()
        self._listener.wait()
        self._thread.join()
        store = Store(self._path)
        held = contents_of(store, self._plan.name)
        store.close()
        return held

    def commands(self, console: list[str]) -> dict[str, int]:
        """People give commands behind the world's own broker alone."""
        return {}


def _listen(plan: NodePlan, target: BrokerAddress, path: Path) -> subprocess.Popen[str]:
    """Start `tallypost listen` and wait until it has subscribed. Raises ToolError."""
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
        rest = said + process.stderr.read()  # the process ends
        process.wait()
        raise ToolError(rest.strip().removeprefix("error: "))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process
