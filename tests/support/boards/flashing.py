"""Common parts of the tests of `tallypost flash`: boards in all states, and facts about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from littlefs import LittleFS

from tallypost.building import board_image, build, image
from tallypost.building.board_image import BoardImage
from tallypost.hardware import boards
from tests.support.boards.mock_board import SECTOR

NAME = "esp32_generic"
BOARD = boards.load(NAME)
VFS, RING, NVS = (BOARD.partition(label) for label in ("vfs", "ring", "nvs"))
LOG = b"TPC1" + (1).to_bytes(2, "little") + b"counts of ours" * 9
IDENTITY = b"identity of ours"
Say = Callable[..., tuple[int, str, str]]


def whole(vfs: bytes, data: bytes) -> bytes:
    return image.flash(BOARD, vfs, data)


def built_vfs() -> bytes:
    return (build.build(NAME).folder / "vfs.bin").read_bytes()


def facts(say: Say, *words: str) -> dict[str, Any]:
    status, out, err = say(*words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def files_of(vfs: bytes) -> dict[str, bytes]:
    fs = LittleFS(block_size=SECTOR, block_count=len(vfs) // SECTOR, mount=False)
    fs.context.buffer[:] = vfs
    fs.mount()
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path.lstrip("/")] = file.read()
    return found


def release(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> bytes:
    """From now on `flash` finds these other files built."""
    vfs = image.file_system(files, VFS.size)
    monkeypatch.setattr(board_image, "load", lambda _board: BoardImage(vfs, {}))
    return vfs
