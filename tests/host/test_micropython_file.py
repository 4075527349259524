"""`--micropython FILE`: what is taken as MicroPython for a board, and where it goes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tools import boards, image
from tools.faults import ToolError

LOADER, APP = 0x1000, 0x10000
BOARD = boards.load("esp32_generic")


def fake(size: int = 0x20000, chip: int = 0, app: int = 0xE9) -> bytes:
    """The file of a download page: loader first, application at 0x10000 of the flash."""
    data = bytearray(b"\xe9" + bytes(size - 1))
    data[APP - LOADER] = app
    struct.pack_into("<H", data, APP - LOADER + 12, chip)
    return bytes(data)


def test_it_lies_at_the_loader_s_offset_below_our_table(tmp_path: Path) -> None:
    path = tmp_path / "mp.bin"
    path.write_bytes(fake())
    data = image.read_micropython(path, BOARD)
    flash = image.flash(BOARD, b"vfs", data)
    assert flash[:LOADER].count(0xFF) == LOADER
    assert flash[LOADER:0x8000] == data[: 0x8000 - LOADER]
    assert flash[0x8000:0x8002] == b"\xaa\x50"
    assert flash[APP : LOADER + len(data)] == data[APP - LOADER :]
    assert flash[0x200000:0x200003] == b"vfs"


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"", "not a MicroPython file"),
        (b"PK" + bytes(0x20000), "not a MicroPython file of esp32 for offset 0x1000"),
        (fake()[: APP - LOADER], "cut short"),
        (fake(app=0), "take the .bin"),
        (fake(chip=9), "is for esp32s3, esp32_generic has esp32"),
        (fake(chip=77), "is for chip 0x4d"),
        (fake(size=0x200000), "do not fit before 0x200000"),
    ),
)
def test_another_file_is_refused(data: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "mp.bin"
    path.write_bytes(data)
    with pytest.raises(ToolError, match=text):
        image.read_micropython(path, BOARD)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="gone.bin: No such file"):
        image.read_micropython(tmp_path / "gone.bin", BOARD)
