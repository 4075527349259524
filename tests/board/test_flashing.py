"""`tallypost flash` on virtual boards: a flashed board boots, is provisioned, and counts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import serial
from tests.support.long import LONG
from tests.support.boards.bench import Make, run, until

from simulator.board.board import VirtualBoard
from simulator.board.cable import CableFaults
from simulator.board.life import Environment
from simulator.board.stock import blank, stand_in
from simulator.run.processes.observer import NodeObserver
from simulator.world.chip.shims import ROOT
from tallypost.building.micropython import APP_OFFSET
from tallypost.hardware import boards

NAME, OTHER = "esp32_generic", "lilygo_t3_v1_6_1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "micropython.bin"


def tallypost(verb: str, name: str, port: object, *words: str) -> str:
    done = run("tallypost", verb, "--board", name, "--port", str(port), *words)
    assert done.status == 0, done.out
    return done.out


def new_observer(name: str) -> NodeObserver:
    ring = boards.load(name).partition("ring")
    return NodeObserver((ring.offset, ring.size), None)


def listed(board: VirtualBoard) -> dict[str, str]:
    done = run("tallypost", "list", str(board.path), "--json")
    [row] = json.loads(done.out)
    return dict(row)


@pytest.mark.parametrize("name", boards.names() if LONG else ("esp32_generic", "esp32c3_rak3172"))
def test_a_board_out_of_the_box_becomes_a_node_that_counts(
    name: str, file: Path, make: Make
) -> None:
    file.write_bytes(stand_in(boards.load(name)))
    observer = new_observer(name)
    environment = Environment(observer=observer, per_hour=1200)
    board = make(name, is_blank=True, speed=20.0, environment=environment)
    assert "written and compared" in tallypost(
        "flash", name, board.path, "--micropython", str(file)
    )
    until(lambda: listed(board)["board"] == name)
    tallypost(
        "provision", name, board.path, "--node", "n1", "--insecure-plain",
        "--set", "detector=beam",
        "--secrets-out", str(file.with_name("secrets.json")),
    )  # fmt: skip
    until(lambda: len(observer.passages) >= 3)
    until(lambda: listed(board)["node"] == "n1")  # a busy node may take its time
    assert "nothing to write" in tallypost("flash", name, board.path)
    before = len(observer.passages)
    until(lambda: len(observer.passages) > before)


CUTS = 10
_whole: list[int] = []  # bytes on the wire of a whole flash, once it is known


def whole(file: Path) -> int:
    if not _whole:
        faults = CableFaults(unplug_after=1 << 30)
        flash = file.with_name("whole.bin")
        blank(boards.load(NAME), flash)
        link = file.with_name("tty-whole")
        with VirtualBoard(NAME, flash, faults=faults, terminal=link) as board:
            tallypost("flash", NAME, board.path, "--micropython", str(file))
        assert faults.unplug_after
        _whole.append((1 << 30) - faults.unplug_after)
    return _whole[0]


@pytest.mark.parametrize("number", range(CUTS))
def test_a_second_call_completes_a_flash_with_a_pulled_cable(
    number: int, file: Path, make: Make
) -> None:
    """The cable is pulled after a random number of bytes. At the end the node starts."""
    file.write_bytes(stand_in(boards.load(NAME)))
    after = random.Random(f"cut {number}").randrange(2_000, whole(file) * 9 // 10)
    board = make(is_blank=True, faults=CableFaults(unplug_after=after))
    words = ("flash", "--board", NAME, "--port", str(board.path), "--micropython", str(file))
    first = run("tallypost", *words)
    assert first.status == 1 and "error: " in first.out and "Traceback" not in first.out
    board.plug()
    assert "written and compared" in tallypost("flash", NAME, board.path, *words[5:])
    until(lambda: listed(board)["board"] == NAME)


def test_another_board_and_a_micropython_that_is_not_whole_are_told(
    file: Path, make: Make, tmp_path: Path
) -> None:
    board = make(OTHER)
    before = board.flash.read_bytes()
    done = run("tallypost", "flash", "--board", NAME, "--port", str(board.path))
    assert done.status == 1 and f"it is '{OTHER}', not '{NAME}'. Give --board {OTHER}" in done.out
    assert "Traceback" not in done.out
    words = ("--port", str(board.path), "--node", "n1", "--out", str(tmp_path / "out"))
    done = run("tallypost", "provision", "--board", NAME, *words)
    assert done.status == 1 and f"it is '{OTHER}', not '{NAME}'. Give --board {OTHER}" in done.out
    assert board.flash.read_bytes() == before
    with open(board.flash, "r+b") as flash:
        flash.seek(APP_OFFSET + 100)
        flash.write(b"\xff" * 40)
    done = run("tallypost", "flash", "--port", str(board.path))
    assert done.status == 1 and "the MicroPython on this board is incomplete" in done.out


def test_a_write_protected_flash_is_reported(file: Path, make: Make) -> None:
    file.write_bytes(stand_in(boards.load(NAME)))
    board = make(is_blank=True, faults=CableFaults(read_only=True))
    words = ("--board", NAME, "--port", str(board.path), "--micropython", str(file))
    done = run("tallypost", "flash", *words)
    assert done.status == 1 and "write-protected or worn out" in done.out


def test_a_port_that_another_program_has_open_is_refused(file: Path, make: Make) -> None:
    file.write_bytes(stand_in(boards.load(NAME)))
    board = make()
    with serial.Serial(str(board.path), exclusive=True):
        done = run("tallypost", "flash", "--port", str(board.path), "--micropython", str(file))
        assert done.status == 1 and done.out == (
            f"error: {board.path}: in use by another program. Close that program."
            " To find it, run: tallypost doctor\n"
        )
        assert "in use by " in listed(board)["note"]


def test_the_commands_of_the_readme_flash_a_blank_board(file: Path, make: Make) -> None:
    """Every command of the part about machine, board and firmware, in its order."""
    file.write_bytes(stand_in(boards.load(NAME)))
    board = make(is_blank=True)
    text = (ROOT / "tools" / "README.md").read_text()
    part = text[text.index("### Machine, board, firmware") :].split("\n### ", 1)[0]
    commands = [line.split("#")[0] for line in part.splitlines() if line.startswith("    .venv")]
    assert len(commands) >= 7
    for command in commands:
        words = command.replace("/dev/ttyUSB0", str(board.path)).replace("FILE", str(file)).split()
        program, verb, *rest = words
        assert program == ".venv/bin/tallypost"
        done = run("tallypost", verb, *rest)
        assert done.status == 0 or verb == "doctor", f"{command}: {done.out}"
    until(lambda: listed(board)["note"] == "not provisioned, run: tallypost provision")
