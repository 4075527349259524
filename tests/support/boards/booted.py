"""Boots the contents of a board's flash in the simulator, for a few seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from simulator.world.chip.nvs import NvsPartition
from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from simulator.world.spec import NodeSpec
from tallypost.hardware import boards
from tests.support.boards.seam_board import DeadNetwork, Log, ScriptedSensor

_STARTED = re.compile(r"info (\S+) \S+ boot (\d+) on ")
RING = boards.load("esp32_generic").partition("ring")
NVS = boards.load("esp32_generic").partition("nvs")
PLACES = {"flash:program", "flash:erase"}


@dataclass(frozen=True)
class Life:
    """node: the name under which it counts, "" = it refuses. logged: it wrote to its log."""

    node: str
    boot: int
    logged: bool
    console: list[str]


def boot(flash: Path, seconds: float = 4) -> Life:
    """Change the file as a board's flash would be changed."""
    compile_shims()
    log = Log()
    node = Node(NodeSpec("n1", flash, 1_750_000_000, 1), DeadNetwork(), ScriptedSensor(), log)
    node.run(int(seconds * 1_000_000))
    node.stop()
    found = [match for line in log.lines() if (match := _STARTED.search(line))]
    logged = any(
        kind in PLACES and RING.offset <= int.from_bytes(bytes(data[:4]), "little") < RING.end
        for kind, _, data in log.seen
        if isinstance(data, bytes)
    )
    name, number = (found[-1][1], int(found[-1][2])) if found else ("", 0)
    return Life(name, number, logged, log.lines())


def nvs(cells: bytes) -> NvsPartition:
    """The simulator's own reader on a whole flash, read only."""
    data = cells[NVS.offset : NVS.end]

    def refuse(*_args: object) -> None:
        raise AssertionError("reading writes")

    return NvsPartition(lambda at, n: bytes(data[at : at + n]), refuse, refuse, NVS.size // 4096)
