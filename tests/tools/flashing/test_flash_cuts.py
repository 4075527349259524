"""A cable pulled at any moment of `tallypost flash`: a repeat succeeds, and until then no mixture
of two images runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.long import LONG
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.genuine import made_up
from littlefs import LittleFSError
from tests.support.boards.flashing import BOARD, IDENTITY, LOG, NAME, NVS, RING, VFS
from tests.support.boards.flashing import built_vfs, files_of, release, whole

from tallypost.building import image
from tallypost.cli import main

pytestmark = pytest.mark.usefixtures("answers")
ROUNDS = 5 if LONG else 1  # each of a first flash and of an update
CUTS = 5


@pytest.fixture(scope="module")
def new_files() -> dict[str, bytes]:
    """A release in which every third file is another one."""
    files = files_of(built_vfs())
    for name in sorted(files)[::3]:
        files[name] = files[name] + b"more of it" * 30
    return files


def flash(board: FlashBoard, *words: str) -> int:
    return main(["flash", "--board", NAME, "--port", board.url, *words])


def mounted(board: FlashBoard) -> dict[str, bytes] | None:
    """The files that MicroPython finds. None if it finds no file system."""
    try:
        return files_of(board.at(VFS.offset, VFS.size))
    except LittleFSError:
        return None


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_first_flash_that_was_cut_is_completed(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mp.bin"
    file.write_bytes(made_up(BOARD))
    wanted = whole(built_vfs(), file.read_bytes())
    rng = random.Random(seed)
    whole_one = FlashBoard(NAME)
    assert flash(whole_one, "--micropython", str(file)) == 0
    total = whole_one.flash.changed
    whole_one.close()
    for _ in range(CUTS):
        board = FlashBoard(NAME)
        board.flash.cut_after = rng.randrange(total)
        assert flash(board, "--micropython", str(file)) == 1
        assert (
            "Plug the board in again, then run the same command again." in capsys.readouterr().err
        )
        board.plug_in()
        assert flash(board, "--micropython", str(file)) == 0, capsys.readouterr().err
        assert board.at(0, VFS.offset) == wanted[: VFS.offset]
        assert mounted(board) == files_of(built_vfs())
        board.close()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_update_that_was_cut_runs_the_old_the_new_or_nothing(
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    new_files: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = files_of(built_vfs())
    cells = bytearray(whole(built_vfs(), made_up(BOARD)))
    cells[NVS.offset : NVS.offset + len(IDENTITY)] = IDENTITY
    cells[RING.offset : RING.offset + len(LOG)] = LOG
    release(monkeypatch, new_files)
    rng = random.Random(seed)
    whole_one = FlashBoard(NAME, cells=bytes(cells))
    assert flash(whole_one) == 0
    total = whole_one.flash.changed
    whole_one.close()
    seen = set()
    for _ in range(CUTS):
        board = FlashBoard(NAME, cells=bytes(cells))
        board.flash.cut_after = rng.randrange(total)
        assert flash(board) == 1
        found = mounted(board)
        assert found in (None, old, new_files), "a mixture of two releases"
        seen.add("none" if found is None else "old" if found == old else "new")
        board.plug_in()
        assert flash(board) == 0, capsys.readouterr().err
        assert mounted(board) == new_files
        assert board.at(NVS.offset, len(IDENTITY)) == IDENTITY
        assert board.at(RING.offset, len(LOG)) == LOG
        board.close()
    assert "none" in seen


def test_images_of_different_files_differ() -> None:
    """The tests above compare images that really differ."""
    assert image.file_system({"a": b"1"}, VFS.size) != image.file_system({"a": b"2"}, VFS.size)
