"""One air for many nodes: one gateway, one network server, one order of time.

Each node runs in a thread of its own. While a node of class A is silent it hears nothing, so it
may be far ahead of the others. From the end of a frame until its receive windows are over it waits
every `STEP_US` until all others have come as far. An answer follows a frame by a second or more.
So everything that it can hear in its next step is known by then, and equal runs are equal.

The gateway runs in the thread of `run`, behind the slowest node. Nodes do not hear one another:
their chirps are not inverted, and no node listens before it talks.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from simulator.world.kernel import Node
from simulator.world.lorawan.gateway import Gateway
from simulator.world.lorawan.join import Device, cf_list
from simulator.world.lorawan.plan import RadioFaults
from simulator.world.lorawan.radio_medium import CallAt, RadioMedium, Signal
from simulator.world.lorawan.server import NetworkServer, OnData, Session

STEP_US = 900_000
LOOKAHEAD_US = 990_000  # less than a second, the shortest time from a frame to its answer
EXCHANGE_US = 8_000_000  # RX2 of a Join-Accept opens after 6 s
HOUR_US = 3_600_000_000
END_US = 1 << 62
CAUSES = ("collision", "demodulators", "gateway_sends", "away", "weak", "loss")


class EtherFailed(Exception):
    """Another node of this air has failed."""


class Ether:
    """nodes: their names. server: of all of them. Its devices get all channels of the region.

    faults: `loss` ends at `calm_us`, so that closed intervals can arrive after the run.
    """

    def __init__(
        self,
        nodes: list[str],
        server: NetworkServer,
        faults: RadioFaults,
        seed: int,
        calm_us: int = END_US,
    ) -> None:
        self.nodes = nodes
        self.server = server
        self.downlinks: list[Signal] = []
        self._now_us = 0
        self._events: list[tuple[int, str, int, Callable[[], None]]] = []
        self._event_number = 0
        self._published: list[Signal] = []
        self._reached_us = dict.fromkeys(nodes, 0)  # a node sends nothing before this time
        self._settled_us = 0  # the gateway has handled everything before this time
        self._failed = False
        lock = threading.Lock()
        self._node_came = threading.Condition(lock)
        self._settled = threading.Condition(lock)
        self._on_data: dict[int, OnData] = {}
        server.on_data = self._hand_over
        self.gateway_medium = GatewayMedium(
            self.call_at, random.Random(f"{seed}/ether"), self.downlinks
        )
        self.gateway_medium.loss = faults.loss
        self.gateway = Gateway(
            self.gateway_medium, server, self.call_at, clock_ppm=faults.clock_ppm,
            away=faults.gateway_away, region=server.region, keeps_duty_cycle=True,
        )  # fmt: skip
        self.call_at(calm_us, lambda: setattr(self.gateway_medium, "loss", 0.0))

    # --- before the run

    def medium(self, node: Node, rng: random.Random, path_db: float) -> NodeMedium:
        """The air at a node."""
        self.gateway_medium.path_db_by_node[node.spec.name] = path_db
        return NodeMedium(self, node, rng, path_db)

    def add(self, device: Device, on_data: OnData) -> Device:
        """Add a device to the network. Its uplinks go to `on_data`."""
        channels = cf_list(*extra) if (extra := self.server.region.extra_hz) else b""
        device.settings = replace(device.settings, cf_list=channels or device.settings.cf_list)
        self._on_data[device.dev_eui] = on_data
        return self.server.joins.add(device)

    def _hand_over(self, session: Session, port: int, data: bytes, end_us: int) -> None:
        assert session.device
        self._on_data[session.device.dev_eui](session, port, data, end_us)

    # --- called by the threads of the nodes

    def publish(self, signal: Signal) -> None:
        with self._node_came:
            self._published.append(signal)

    def advance(self, name: str, t_us: int) -> None:
        """The node sends nothing before `t_us`."""
        with self._node_came:
            self._advance(name, t_us)

    def _advance(self, name: str, t_us: int) -> None:
        held_back = self._reached_us[name] <= self._settled_us
        self._reached_us[name] = max(t_us, self._reached_us[name])
        if held_back:
            self._node_came.notify()

    def meet(self, name: str, t_us: int) -> None:
        """Wait until everything before `t_us` has happened. Raises EtherFailed."""
        with self._settled:
            self._advance(name, t_us)
            self._settled.wait_for(lambda: self._settled_us >= t_us or self._failed)
            if self._failed:
                raise EtherFailed

    def leave(self, name: str) -> None:
        """The node is switched off for good."""
        self.advance(name, END_US)

    def fail(self) -> None:
        """End everything."""
        with self._settled:
            self._failed = True
            self._settled.notify_all()
            self._node_came.notify()

    # --- the gateway's thread

    def call_at(self, t_us: int, function: Callable[[], None]) -> None:
        """Run `function` when the gateway's time reaches `t_us`."""
        self._push(t_us, "", function)

    def _push(self, t_us: int, sender: str, function: Callable[[], None]) -> None:
        """At the same time, signals begin in the order of their senders' names."""
        self._event_number += 1
        event = max(t_us, self._now_us), sender, self._event_number, function
        heapq.heappush(self._events, event)

    def run(self) -> None:
        """Run the gateway until all nodes have left, or one has failed."""
        while self._settled_us < END_US:
            with self._node_came:
                self._node_came.wait_for(lambda: self._slowest_us() > self._settled_us)
                if self._failed:
                    return
                until_us = self._slowest_us()
                signals, self._published = self._published, []
            for signal in signals:
                self._push(signal.begin_us, signal.sender, self.gateway_medium.beginning(signal))
            while self._events and self._events[0][0] < until_us:
                self._now_us, _, _, function = heapq.heappop(self._events)
                function()
            with self._settled:
                self._settled_us = until_us
                self._settled.notify_all()

    def _slowest_us(self) -> int:
        return END_US if self._failed else min(self._reached_us.values())

    # --- after the run

    def outcomes(self, name: str) -> list[tuple[Signal, str]]:
        """A node's frames, and why each was lost ("" if it was not)."""
        lost = {id(signal): cause for signal, cause in self.gateway.spoiled}
        sent = [signal for signal in self.gateway_medium.sent if signal.sender == name]
        return [
            (
                s,
                "loss"
                if self.gateway_medium.is_missed(s, self.gateway.name)
                else lost.get(id(s), ""),
            )
            for s in sent
        ]


class GatewayMedium(RadioMedium):
    """The air at the gateway. Its signals go into `downlinks`."""

    def __init__(self, call_at: CallAt, rng: random.Random, downlinks: list[Signal]) -> None:
        super().__init__(call_at, rng)
        self.path_db_by_node: dict[str, float] = {}
        self._downlinks = downlinks

    def path_of(self, signal: Signal) -> float:
        return self.path_db_by_node[signal.sender]

    def send(self, signal: Signal) -> None:
        self._downlinks.append(signal)

    def beginning(self, signal: Signal) -> Callable[[], None]:
        """What happens when a node's signal begins."""
        self.sent.append(signal)
        return lambda: self._begin(signal)


class NodeMedium(RadioMedium):
    """The air at a node: its own frames, and the gateway's."""

    def __init__(self, ether: Ether, node: Node, rng: random.Random, path_db: float) -> None:
        super().__init__(node.call_at, rng, path_db)
        self._ether = ether
        self._node = node
        self._listens_until_us = 0
        self._known_us = 0  # the gateway's signals up to here are in the node's time
        self._is_meeting = False

    def send(self, signal: Signal) -> None:
        super().send(signal)
        self._ether.publish(signal)
        self._listens_until_us = signal.end_us() + EXCHANGE_US
        if not self._is_meeting:
            self._is_meeting = True
            self._known_us = signal.end_us()
            self._node.call_at(signal.end_us(), self._meet)

    def _meet(self) -> None:
        """Wait for the others, and take the signals of the next step."""
        now_us = self._node.now_us
        self._ether.meet(self._node.spec.name, now_us)
        until_us = now_us + LOOKAHEAD_US
        for signal in self._heard(self._known_us, until_us):
            super().send(signal)
        self._known_us = until_us
        self._is_meeting = now_us < self._listens_until_us
        if self._is_meeting:
            self._node.call_at(now_us + STEP_US, self._meet)

    def _heard(self, from_us: int, to_us: int) -> list[Signal]:
        """The gateway's signals that begin within this span. The newest are the last ones."""
        found = []
        for signal in reversed(self._ether.downlinks):
            if signal.begin_us < from_us - EXCHANGE_US:
                break
            if from_us <= signal.begin_us < to_us:
                found.append(signal)
        return sorted(found, key=lambda signal: signal.begin_us)


def tally(outcomes: list[tuple[Signal, str]]) -> Mapping[str, object]:
    """Frames, those that were lost, by cause, and [frames, lost] by spreading factor and of the
    time after the first hour. In that hour all nodes join.
    """
    later = [cause for signal, cause in outcomes if signal.begin_us >= HOUR_US]
    by_sf: dict[str, list[int]] = {}
    for signal, cause in outcomes:
        row = by_sf.setdefault(str(signal.modulation.sf), [0, 0])
        row[0] += 1
        row[1] += bool(cause)
    causes = [cause for _, cause in outcomes if cause]
    return {
        "frames": len(outcomes), "spoiled": len(causes),
        **{cause: causes.count(cause) for cause in CAUSES}, "by_sf": by_sf,
        "after_first_hour": [len(later), len(later) - later.count("")],
    }  # fmt: skip
