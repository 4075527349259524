"""A board with a one-file image, for tests of the seam: runs a script in the simulated ESP32."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from littlefs import LittleFS

from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from simulator.world.protocol import Input
from simulator.world.spec import NodeSpec

PARTITIONS = [
    ("nvs", 1, 2, 0x9000, 0x6000),
    ("vfs", 1, 0x81, 0x200000, 0x40000),
    ("ring", 1, 0x40, 0x300000, 0x100000),
]


def partition_table() -> bytes:
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, sub, offset, size, name.encode(), 0)
        for name, kind, sub, offset, size in PARTITIONS
    )
    return table + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()


def image(path: Path, script: str, more: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """A 4 MB flash file whose file system holds `script` as /main.py, and more files."""
    table = partition_table()
    files = LittleFS(
        block_size=4096, block_count=64, read_size=32, prog_size=32, disk_version=0x20000
    )
    with files.open("/main.py", "wb") as main:
        main.write(script.encode())
    for name, data in more.items():
        files.makedirs(str(Path(name).parent), exist_ok=True)
        with files.open(name, "wb") as file:
            file.write(data)
    flash = bytearray(b"\xff" * 0x400000)
    flash[0x8000 : 0x8000 + len(table)] = table
    flash[0x200000 : 0x200000 + 0x40000] = files.context.buffer
    path.write_bytes(flash)
    return path


class ScriptedSensor:
    """Sends the given inputs at the given times, and keeps the node's bytes."""

    def __init__(self, inputs: Sequence[Input] = ()) -> None:
        self.inputs = sorted(inputs)
        self.heard: list[tuple[int, bytes]] = []

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        return [item for item in self.inputs if t0_us < item[0] <= t1_us][:limit]

    def write(self, t_us: int, data: bytes) -> list[Input]:
        self.heard.append((t_us, data))
        return []

    def power(self, t_us: int, on: bool) -> None:
        return None


class Log:
    """Keeps the reports of the kernel."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, bytes | str]] = []

    def on(self, kind: str, t_us: int, data: bytes | str) -> None:
        self.seen.append((kind, t_us, data))

    def lines(self) -> list[str]:
        return [str(data).rstrip() for kind, _, data in self.seen if kind == "log"]

    def count(self, kind: str) -> int:
        return sum(seen[0] == kind for seen in self.seen)


class DeadNetwork:
    """A network that answers nothing, except names."""

    def wifi_up(self, _node: str, _t_us: int) -> bool:
        return True

    def join_refusal(self, _ssid: str, _key: str) -> int:
        return 0

    def resolve(self, _node: str, host: str, _t_us: int) -> tuple[str, int]:
        return ("", 14_000_000) if host == "nowhere" else ("192.0.2.7", 20_000)

    def open(self, *_args: object) -> object:
        raise OSError(110, "timed out")

    def udp(self, *_args: object) -> list[tuple[int, bytes]]:
        return []


def _starve(node: Node) -> None:
    heap = node.memory.heap
    while size := heap.largest:
        heap.take(("test", heap.free), size)


def board(
    folder: Path,
    script: str,
    inputs: Sequence[Input] = (),
    seconds: float = 10,
    *,
    power_cuts: Sequence[int] = (),
    power_off: Sequence[tuple[int, int]] = (),
    starved_s: float = 0,
) -> tuple[Log, Node]:
    """Run `script` on a fresh board for some simulated seconds. starved_s: from then on ESP-IDF's
    heap is empty."""
    compile_shims()
    spec = NodeSpec("n1", image(folder / "flash.bin", script), 0, 1)
    spec.power_cuts.extend(power_cuts)
    spec.power_off.extend(power_off)
    log = Log()
    node = Node(spec, DeadNetwork(), ScriptedSensor(inputs), log)
    if starved_s:
        node.call_at(int(starved_s * 1_000_000), lambda: _starve(node))
    node.run(int(seconds * 1_000_000))
    node.stop()
    return log, node
