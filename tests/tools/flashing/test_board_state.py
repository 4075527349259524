"""`tallypost flash` reads the name of the board and checks all of MicroPython before it writes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.flashing import NAME, Say, built_vfs, facts, files_of
from tests.support.boards.genuine import made_up

from tallypost.building import image
from tallypost.building.build import build
from tallypost.cli import main
from tallypost.hardware import boards
from tallypost.hardware.partitions import TABLE_OFFSET

OTHER = "lilygo_t3_v1_6_1"
APP = 0x10000
pytestmark = pytest.mark.usefixtures("answers")


@pytest.fixture
def lilygo() -> FlashBoard:
    board = boards.load(OTHER)
    vfs = (build(OTHER).folder / "vfs.bin").read_bytes()
    return FlashBoard(OTHER, cells=image.flash(board, vfs, made_up(board)))


def plain(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """`flash` without --board: status and messages."""
    status = main(["flash", *words])
    return status, capsys.readouterr().err


def test_another_board_is_written_only_with_replace_board(lilygo: FlashBoard, say: Say) -> None:
    with closing(lilygo):
        status, out, err = say("--port", lilygo.url, "--dry-run")
        assert (status, out) == (1, "")
        assert err == (
            f"error: {lilygo.url}: this board says that it is '{OTHER}', not '{NAME}'. Give"
            f" --board {OTHER}. To make another board of it, add --replace-board.\n"
        )
        assert say("--port", lilygo.url)[0] == 1 and lilygo.flash.changed == 0
        facts(say, "--port", lilygo.url, "--replace-board")
        vfs = boards.load(NAME).partition("vfs")
        assert files_of(lilygo.at(vfs.offset, vfs.size)) == files_of(built_vfs())


def test_without_board_the_name_on_the_board_is_used(
    lilygo: FlashBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(lilygo):
        status, err = plain(capsys, "--port", lilygo.url)
    assert status == 0 and f"the board is {OTHER}" in err and lilygo.flash.changed == 0


def test_without_board_and_name_the_candidates_are_named(
    blank: FlashBoard, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, err = plain(capsys, "--port", blank.url, "--micropython", str(file))
    assert status == 2 and "several boards have an esp32: " in err
    assert all(f"{name} (" in err for name in (NAME, OTHER)) and "esp32c3" not in err
    assert err.endswith("Name yours with --board. Its pins differ from those of the others.\n")
    assert blank.flash.changed == 0


def test_without_board_the_only_one_that_fits_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = boards.load("esp32c3_rak3172")
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(board))
    with closing(FlashBoard(board.name)) as new:
        status, err = plain(capsys, "--port", new.url, "--micropython", str(path))
    assert status == 0 and f"the board is {board.name}" in err


def test_a_micropython_that_was_cut_is_told_and_completed(
    node: FlashBoard, file: Path, say: Say
) -> None:
    whole = node.at(0, TABLE_OFFSET), node.at(APP, len(file.read_bytes()))
    for place, text in (
        (APP + 5000, "the MicroPython on this board is incomplete: the image is damaged: its"),
        (APP, "there is no MicroPython on this board"),
        (0x1000, "the MicroPython on this board is incomplete: there is no image"),
    ):
        node.put(place, b"\xff" * 64)
        node.flash.changed = 0
        status, out, err = say("--port", node.url)
        assert (status, out) == (1, "") and text in err, err
        assert "Add --download, or --micropython FILE" in err and node.flash.changed == 0
        facts(say, "--port", node.url, "--micropython", str(file))
        assert (node.at(0, TABLE_OFFSET), node.at(APP, len(file.read_bytes()))) == whole
        assert facts(say, "--port", node.url)["bytes"] == 0
