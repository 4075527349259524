"""What the tools know of a board: its folder below boards/, read and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.faults import USAGE, ToolError
from tools.partitions import Partition, read_csv

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = "esp32_generic"
CHIP_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9}  # image header, byte 12
_FILES = ("board.py", "board.toml", "partitions.csv")


@dataclass(frozen=True)
class Board:
    """flash_size and offsets in bytes; loader_offset: where the MicroPython file begins."""

    name: str
    path: Path
    chip: str
    flash_size: int
    loader_offset: int
    partitions: tuple[Partition, ...]
    budget: dict[str, int]
    beams: tuple[int, int]  # GPIO of light barriers A and B
    radio: dict[str, Any]  # the bare transceiver: chip, and the GPIO of each line

    def partition(self, label: str) -> Partition:
        for partition in self.partitions:
            if partition.label == label:
                return partition
        raise ToolError(f"{self.path / 'partitions.csv'}: no partition '{label}'")


def names(root: Path = ROOT) -> list[str]:
    return sorted(p.parent.name for p in (root / "boards").glob("*/board.toml"))


def load(name: str, root: Path = ROOT) -> Board:
    """Read boards/<name>; raises ToolError naming file and key."""
    if name not in names(root):
        known = ", ".join(names(root)) or "none"
        raise ToolError(f"unknown board '{name}'", f"boards: {known}", USAGE)
    path = root / "boards" / name
    for file in _FILES:
        if not (path / file).exists():
            raise ToolError(f"{path / file} is missing", "a board needs " + ", ".join(_FILES))
    toml = path / "board.toml"
    try:
        table = tomllib.loads(toml.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(f"{toml}: {error}") from error
    chip = _value(toml, table, "chip", str)
    if chip not in CHIP_IDS:
        raise ToolError(f"{toml}: chip = '{chip}'", f"known chips: {', '.join(CHIP_IDS)}")
    size = _value(toml, table, "flash_mb", int) << 20
    loader = _value(toml, _value(toml, table, "micropython", dict), "offset", int)
    partitions = tuple(read_csv(path / "partitions.csv", size))
    beams = _value(toml, table, "beams", list)
    if len(beams) != 2 or not all(isinstance(gpio, int) for gpio in beams):
        raise ToolError(f"{toml}: beams = {beams!r}", "wanted the GPIO of A and of B")
    return Board(
        name, path, chip, size, loader, partitions,
        budget=table.get("budget", {}), beams=(beams[0], beams[1]), radio=table.get("radio", {}),
    )  # fmt: skip


def _value(path: Path, table: dict[str, Any], key: str, kind: type) -> Any:
    value = table.get(key)
    if not isinstance(value, kind):
        raise ToolError(f"{path}: {key} = {value!r}, wanted {kind.__name__}")
    return value
