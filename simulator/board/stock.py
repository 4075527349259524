"""New boards: a blank flash, or one with the image of a board and a stand-in for MicroPython.

The simulator brings its own interpreter, so the stand-in need not run. But the chip's loader and
esptool have to find it. So it has the form of an application image: header, one segment, checksum,
SHA-256 (esptool documentation, "Firmware Image Format").
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tallypost.building.build import build
from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, pack
from tallypost.locking import locked

_APP_OFFSET = 0x10000
_CHECKSUM_SEED = 0xEF
_ADDRESS = 0x3F400020  # of the segment: read-only data, mapped from flash
_DESCRIPTION = 256  # bytes of an application's description, which esptool looks for
_SIZE_CODES = {4 << 20: 2, 8 << 20: 3, 16 << 20: 4}


def stand_in(board: Board) -> bytes:
    """A file in the form of the board's MicroPython: from its offset up to the application."""
    whole = bytearray(b"\xff" * _APP_OFFSET)
    loader = _image(board, b"stand-in for the second-stage loader")
    table = pack(board.partitions)[:TABLE_SIZE]
    whole[board.loader_offset : board.loader_offset + len(loader)] = loader
    whole[TABLE_OFFSET : TABLE_OFFSET + len(table)] = table
    version = ".".join(map(str, board.micropython.version))
    banner = f"MicroPython v{version} on 2026-04-06"
    app = _image(board, f"{banner}: a stand-in, the simulator brings its own".encode())
    return bytes(whole[board.loader_offset :]) + app


def _image(board: Board, text: bytes) -> bytes:
    """An application image with one segment."""
    data = text.ljust(_DESCRIPTION, b"\0")
    size_and_speed = _SIZE_CODES[board.flash_size] << 4 | 0xF
    head = struct.pack("<BBBBI", 0xE9, 1, 2, size_and_speed, 0x40080000)
    extended = struct.pack(
        "<B3sHBHH4sB", 0xEE, b"\0\0\0", CHIPS[board.chip].image_id, 0, 0, 0xFFFF, b"", 1
    )
    body = head + extended + struct.pack("<II", _ADDRESS, len(data)) + data
    checksum = _CHECKSUM_SEED
    for byte in data:
        checksum ^= byte
    body += b"\0" * (15 - len(body) % 16) + bytes([checksum])
    return body + hashlib.sha256(body).digest()


def blank(board: Board, path: Path) -> Path:
    """A board as it comes from the shop: an erased flash."""
    path.write_bytes(b"\xff" * board.flash_size)
    return path


def flashed(board: Board, path: Path) -> Path:
    """A board with the image of this repository, not yet provisioned. Raises ToolError."""
    flash = bytearray(build(board.name).flash.read_bytes())
    micropython = stand_in(board)
    for start, end in ((board.loader_offset, TABLE_OFFSET), (_APP_OFFSET, None)):
        piece = micropython[start - board.loader_offset :][: end and end - start]
        flash[start : start + len(piece)] = piece
    path.write_bytes(flash)
    return path


def check_size(board: Board, flash: Path) -> None:
    """Raise ToolError unless the file is as long as the board's flash."""
    hint = "leave out FLASH= to make a new one"
    try:
        size = flash.stat().st_size
    except OSError as error:
        raise ToolError(f"{flash}: {error.strerror}", hint) from error
    if size != board.flash_size:
        raise ToolError(
            f"{flash}: the file has {size} bytes, {board.name} has {board.flash_size}", hint
        )


@contextmanager
def own_flash(flash: Path) -> Iterator[None]:
    """Keep every other virtual board from this file. Raises ToolError if one has it.

    Two chips on one flash file would overwrite the counts of each other.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(flash.with_name(f"{flash.name}.lock"), wait=False))
        except OSError as error:
            raise ToolError(
                f"{flash}: another virtual board uses this flash file",
                "Give each board a file of its own: make board FLASH=FILE",
            ) from error
        yield
