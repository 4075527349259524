"""Every board's folder is complete, and says the same in its code and in its table."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from simulator.world.lorawan.site import CHIPS
from tools import boards, build

ROOT = Path(__file__).resolve().parents[2]
LINES = {"_CS": "cs", "_RESET": "reset", "_DIO0": "dio0", "_DIO1": "dio1", "_BUSY": "busy"}


def constants(name: str) -> dict[str, Any]:
    """What board.py gives names to: pins and their like."""
    found: dict[str, Any] = {}
    for node in ast.parse((ROOT / "boards" / name / "board.py").read_text()).body:
        if not isinstance(node, ast.Assign):
            continue
        value = ast.literal_eval(node.value)
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            found |= {
                part.id: v for part, v in zip(target.elts, value) if isinstance(part, ast.Name)
            }
        elif isinstance(target, ast.Name):
            found[target.id] = value
    return found


@pytest.fixture(params=boards.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_code_and_table_name_the_same_pins(name: str) -> None:
    board, code = boards.load(name), constants(name)
    assert code["_BEAMS"] == board.beams
    radio = {line: code[key] for key, line in LINES.items() if key in code}
    assert radio == {line: pin for line, pin in board.radio.items() if line != "chip"}
    assert board.radio.get("chip", CHIPS[0]) in CHIPS


def test_every_pin_is_in_the_wiring_once_and_has_a_reason(name: str) -> None:
    table = tomllib.loads((ROOT / "boards" / name / "board.toml").read_text())
    wired = [row["pin"] for row in table["wiring"]]
    used: list[int] = []
    for key, value in constants(name).items():
        if not key.endswith("_HZ"):
            used += value if isinstance(value, tuple) else [value]
    assert sorted(wired) == sorted(used) == sorted(set(used))
    assert all(row["why"] and row["to"] for row in table["wiring"])
    assert table["features"]["lorawan"] == bool(table.get("radio"))


def test_the_image_keeps_its_budget_and_has_what_every_board_has(name: str) -> None:
    built = build.build(name)
    assert build.app_bytes(built.manifest) <= boards.load(name).budget["mpy_bytes"]
    assert {"a/board.mpy", "a/esp32_board.mpy", "a/app.mpy"} <= set(built.manifest["files"])


def test_the_ring_is_a_megabyte_of_its_own(name: str) -> None:
    board = boards.load(name)
    ring, vfs = board.partition("ring"), board.partition("vfs")
    assert ring.size == 1 << 20 and vfs.end <= ring.offset and ring.end <= board.flash_size
