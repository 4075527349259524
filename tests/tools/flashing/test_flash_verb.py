"""`tallypost flash` on a board at a port: the data it writes, and the data that stays."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.flashing import (
    BOARD,
    IDENTITY,
    LOG,
    NVS,
    RING,
    VFS,
    Say,
    built_vfs,
    facts,
    files_of,
    release,
    whole,
)
from tests.support.boards.genuine import genuine, made_up
from tests.support.boards.mock_board import SECTOR

from tallypost.building import micropython
from tallypost.flashing import flash_plan
from tallypost.hardware import boards
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, pack

LIMIT = 200_000
pytestmark = pytest.mark.usefixtures("answers")


def test_a_blank_board_gets_everything(blank: FlashBoard, file: Path, say: Say) -> None:
    status, out, err = say("--port", blank.url, "--micropython", str(file))
    assert status == 0 and "written and compared" in out and "tallypost provision" in err
    wanted = whole(built_vfs(), file.read_bytes())
    assert blank.at(0, VFS.offset) == wanted[: VFS.offset]
    assert files_of(blank.at(VFS.offset, VFS.size)) == files_of(built_vfs())
    assert blank.at(RING.offset, RING.size) == b"\xff" * RING.size
    status, out, _ = say("--port", blank.url)
    assert (
        status == 0
        and "nothing to write, the flash is up to date\nidentity and counts kept" in out
    )


def test_the_genuine_file_is_written_unchanged(blank: FlashBoard, say: Say) -> None:
    data = genuine().read_bytes()
    status, _, err = say("--port", blank.url, "--micropython", str(genuine()))
    assert status == 0 and "note: MicroPython 1.25.0 has no pulse counter." in err
    at = BOARD.loader_offset
    assert blank.at(at, TABLE_OFFSET - at) == data[: TABLE_OFFSET - at]
    assert blank.at(0x10000, len(data) - 0xF000) == data[0xF000:]
    assert blank.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


def test_an_update_of_a_module_writes_little_and_keeps_the_rest(
    node: FlashBoard, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(built_vfs())
    for name in ("a/build.mpy", "a/wire/note.mpy"):
        files[name] = files[name][:-9] + b"new build"
    vfs = release(monkeypatch, files)
    found = facts(say, "--port", node.url)
    assert found["kept"] == ["nvs", "ring"] and not found["first"]
    assert found["bytes"] == sum(one["bytes"] for one in found["writes"]) <= 40_000
    assert found["sectors"] == len(set(node.flash.sectors)) < 10
    assert len(set(node.flash.sectors)) * SECTOR <= LIMIT and node.flash.wire <= LIMIT
    assert files_of(node.at(VFS.offset, VFS.size)) == files == files_of(vfs)
    assert node.at(NVS.offset, len(IDENTITY)) == IDENTITY
    assert node.at(RING.offset, len(LOG)) == LOG


def test_an_update_of_every_file_stays_below_the_limit_on_the_wire(
    node: FlashBoard, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        name: data[:-1] + bytes([data[-1] ^ 1]) if data else data
        for name, data in files_of(built_vfs()).items()
    }
    vfs = release(monkeypatch, files)
    found = facts(say, "--port", node.url)
    assert 80_000 < found["bytes"] <= LIMIT and 0 < node.flash.wire <= LIMIT
    everything = sum(len(part) - part.count(0xFF) for _, part in flash_plan.used(vfs))
    assert everything <= LIMIT  # also when no sector is as it was
    assert files_of(node.at(VFS.offset, VFS.size)) == files


def test_unused_blocks_may_hold_anything() -> None:
    """LittleFS reads none of the blocks that are not written."""
    vfs = built_vfs()
    garbage = bytearray(random.Random(1).randbytes(len(vfs)))
    for start, part in [(0, vfs[: 2 * SECTOR]), *flash_plan.used(vfs)]:
        garbage[start : start + len(part)] = part
    assert garbage != vfs and files_of(bytes(garbage)) == files_of(vfs)


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    blank: FlashBoard, file: Path, say: Say
) -> None:
    words = ("--port", blank.url, "--micropython", str(file), "--dry-run")
    status, out, _ = say(*words)
    assert status == 0 and "would be written" in out and "0x010000" in out
    assert blank.flash.changed == 0
    found = facts(say, *words)
    assert found["dry_run"] and found["first"] and found["bytes"] > 150_000
    names = [one["what"] for one in found["writes"]]
    assert names[-2:] == ["partition table", "loader"]


def test_counts_are_erased_only_when_asked_for(node: FlashBoard, say: Say) -> None:
    assert facts(say, "--port", node.url, "--keep-ring")["kept"] == ["nvs", "ring"]
    assert node.at(RING.offset, len(LOG)) == LOG
    found = facts(say, "--port", node.url, "--erase-counts")
    assert found["kept"] == ["nvs"]
    assert node.at(RING.offset, RING.size) == b"\xff" * RING.size
    assert node.at(NVS.offset, len(IDENTITY)) == IDENTITY


def test_the_micropython_on_the_board_stays_if_there_is_no_file(
    node: FlashBoard, say: Say
) -> None:
    before = node.at(0, VFS.offset)
    assert facts(say, "--port", node.url)["micropython"] is None
    assert node.at(0, VFS.offset) == before


def test_the_cached_file_of_the_board_is_used(say: Say, tmp_path: Path, file: Path) -> None:
    board = boards.load("esp32c3_rak3172")
    named = tmp_path / board.micropython.file
    named.write_bytes(made_up(board))
    micropython.add(named, board)
    blank = FlashBoard(board.name)
    try:
        found = facts(say, "--board", board.name, "--port", blank.url)
    finally:
        blank.close()
    assert found["micropython"] == "1.28.0" and found["first"]
    assert blank.at(0, 3) == named.read_bytes()[:3]


@pytest.mark.parametrize("name", boards.names())
def test_every_board_can_be_flashed(name: str, say: Say, tmp_path: Path) -> None:
    board = boards.load(name)
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(board))
    blank = FlashBoard(name)
    try:
        found = facts(say, "--board", name, "--port", blank.url, "--micropython", str(path))
    finally:
        blank.close()
    assert found["chip"] == board.chip and found["flash_mb"] == board.flash_size >> 20
    data = path.read_bytes()
    split = TABLE_OFFSET - board.loader_offset
    assert blank.at(board.loader_offset, 100) == data[:100]
    assert blank.at(TABLE_OFFSET, TABLE_SIZE) == pack(board.partitions)
    assert blank.at(0x10000, 100) == data[split + 0x8000 :][:100]
