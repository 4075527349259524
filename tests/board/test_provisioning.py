"""Provisioning a virtual board over RFC 2217 and over a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.bench import Listener

from simulator.board.board import VirtualBoard
from simulator.board.cable import CableFaults
from tallypost import cli

Make = Callable[..., VirtualBoard]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def provision(port: object, folder: Path, *words: str) -> int:
    fixed = ["provision", "--port", str(port), "--node", "n1", "--out", str(folder / "out")]
    return cli.main([*fixed, *words])


@pytest.mark.parametrize("by_lines", (False, True), ids=("terminal", "rfc2217"))
def test_a_provisioned_board_logs_its_name(
    make: Make, tmp_path: Path, by_lines: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    board = make()
    status = provision(board.url if by_lines else board.path, tmp_path, "--json")
    assert status == 0, capsys.readouterr().out
    row: dict[str, Any] = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["state"] == "done" and row["mac"] == board.mac.hex(":")
    with Listener(board.url) as person:
        person.lines(False, True)
        person.lines(False, False)
        assert b"info n1 " in person.read_until(b" boot ")


def test_a_second_call_completes_the_work_after_an_unplugged_cable(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = make(faults=CableFaults(unplug_after=45_000))
    assert provision(board.path, tmp_path) == 1
    assert "failed: 1" in capsys.readouterr().out
    board.plug()
    assert provision(board.path, tmp_path) == 0


def test_a_write_protected_flash_is_reported(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = make(faults=CableFaults(read_only=True))
    assert provision(board.path, tmp_path) == 1
    assert board.path.name in capsys.readouterr().out
