"""`tallypost record` on a board: the edges of its light barriers. Then the board counts again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.boards.bench import Make

from simulator.board.life import Environment
from simulator.run.results.trace_file import load
from tallypost.cli import main
from tallypost.connection.line import connect


def test_edges_are_recorded_in_the_form_of_replay_and_the_board_counts_again(
    tmp_path: Path, make: Make
) -> None:
    board = make(environment=Environment(detector="beam", per_hour=1500))
    path = tmp_path / "edges.csv"
    options = ["--detector", "beam", "--seconds", "12"]
    assert main(["record", str(path), "--port", str(board.path), *options]) == 0
    trace = load(path, (25, 26))
    assert trace.detector == "beam" and trace.edges and len(trace.inputs) > 10
    for pin in (25, 26):
        levels = [data[1] for _, _, data in trace.inputs if data[0] == pin]
        assert len(levels) > 4
        assert all(a != b for a, b in zip(levels, levels[1:])), "every edge changes the level"
    with connect(str(board.path)) as line:
        assert line.ask("ping") == "pong", "the firmware runs again"


def test_a_port_without_a_prompt_is_refused(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    board = make(is_blank=True)
    path = tmp_path / "edges.csv"
    assert main(["record", str(path), "--port", str(board.path), "--detector", "beam"]) == 1
    assert "no prompt of MicroPython" in capsys.readouterr().err
