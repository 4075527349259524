"""For the tests of the host tools: English as the language, and boards to be flashed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.flashing import (
    BOARD,
    IDENTITY,
    LOG,
    NAME,
    NVS,
    RING,
    Say,
    built_vfs,
    whole,
)
from tests.support.boards.genuine import made_up
from tests.support.boards.mock_board import own_answers

from tallypost import i18n
from tallypost.cli import main


@pytest.fixture(autouse=True)
def english() -> None:
    """Every test begins in English. The test before may have used another language."""
    i18n.use("en")


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with own_answers():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(BOARD))
    return path


@pytest.fixture
def blank() -> Iterator[FlashBoard]:
    board = FlashBoard(NAME)
    yield board
    board.close()


@pytest.fixture
def node(file: Path) -> Iterator[FlashBoard]:
    """A board that has been flashed, provisioned, and has counted."""
    board = FlashBoard(NAME, cells=whole(built_vfs(), file.read_bytes()))
    board.put(NVS.offset, IDENTITY)
    board.put(RING.offset, LOG)
    yield board
    board.close()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        named = () if "--board" in words else ("--board", NAME)
        try:
            status = main(["flash", *named, *words])
        except SystemExit as end:
            status = int(str(end.code))
        out, err = capsys.readouterr()
        return status, out, err

    return run
