"""Everything LoRaWAN around one node: its chip on its pins, the radio medium, a gateway, a
network.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from simulator.world.kernel import Node
from simulator.world.lorawan.gateway import Gateway
from simulator.world.lorawan.plan import RadioFaults
from simulator.world.lorawan.radio_medium import RadioMedium
from simulator.world.lorawan.server import NetworkServer
from simulator.world.lorawan.transceivers.sx1262 import Sx1262
from simulator.world.lorawan.transceivers.sx1276 import Sx1276
from simulator.world.lorawan.transceivers.wiring import Wiring

CHIPS = ("sx1262", "sx1276")


class RadioSite:
    """chip: one of `CHIPS`. pins: GPIO by line: cs, reset, and busy and dio1, or dio0 and dio1.

    network: its own network unless one is given. faults: those of the radio link. air: shared with
    other nodes, their gateway is there.
    """

    def __init__(
        self,
        node: Node,
        chip: str,
        pins: Mapping[str, int],
        rng: random.Random,
        *,
        network: NetworkServer | None = None,
        faults: RadioFaults | None = None,
        air: RadioMedium | None = None,
    ) -> None:
        faults = faults or RadioFaults()
        self.medium = air or RadioMedium(node.call_at, rng)
        self.medium.loss = faults.loss
        self.network = network or NetworkServer()
        if air is None:
            self.gateway = Gateway(
                self.medium, self.network, node.call_at, clock_ppm=faults.clock_ppm,
                away=faults.gateway_away, region=self.network.region,
            )  # fmt: skip
        self.wiring = Wiring(node, pins)
        name = node.spec.name
        self.chip: Sx1262 | Sx1276
        if chip == "sx1262":
            self.chip = Sx1262(name, self.wiring, self.medium)
        elif chip == "sx1276":
            self.chip = Sx1276(name, self.wiring, self.medium)
        else:
            raise ValueError(f"chip {chip!r}: {', '.join(CHIPS)}")
        self.wiring.connect_chip(self.chip)
        node.peripheral = self.wiring
