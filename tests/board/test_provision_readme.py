"""The commands of tools/README.md that provision flashed boards, unchanged."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.boards.bench import Listener

from simulator.board.board import VirtualBoard
from simulator.board.stock import flashed
from tallypost import cli
from tallypost.hardware import boards
from tallypost.hardware.boards import ROOT

SECTION = "### Identity and secrets\n"
COMMAND = ".venv/bin/tallypost "


def section() -> list[str]:
    """The indented lines of the section."""
    text = (ROOT / "tools" / "README.md").read_text().partition(SECTION)[2].partition("\n##")[0]
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[VirtualBoard]]:
    """Three boards. The test replaces /dev/ttyUSB0..2 by links to them in its own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    board = boards.load("esp32_generic")
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                VirtualBoard(
                    board.name, flashed(board, tmp_path / f"{i}.bin"),
                    terminal=tmp_path / f"ttyUSB{i}",
                )
            )
            for i in range(3)
        ]  # fmt: skip


def test_every_command_of_the_section_works(bench: list[VirtualBoard], tmp_path: Path) -> None:
    Path("wifi.txt").write_text("between-you-and-me\n")
    lines = "\n".join(section()).replace("\\\n", "").splitlines()
    commands = [line for line in lines if line.startswith(COMMAND)]
    Path("boards.csv").write_text("\n".join(line for line in lines if line not in commands))
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command.replace("/dev/", f"{tmp_path}/"))
        assert cli.main(words[1:]) == 0, command
    with open("bench/inventory.csv", newline="") as file:
        nodes = {row["node"] for row in csv.DictReader(file)}  # in the order in which they end
    assert nodes == {"street-1", "street-2", "street-3"}
    assert Path("labels/street-3.svg").exists() and Path("labels/_sheet-1.svg").exists()
    for number, board in enumerate(bench, 1):
        with Listener(board.url) as person:
            person.lines(False, True)
            person.lines(False, False)
            assert f"info street-{number} ".encode() in person.read_until(b" boot ")
