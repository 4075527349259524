"""The chip before any firmware runs: its messages, and the image in its flash.

Texts as the ESP32's ROM and second-stage loader print them (ESP-IDF, "Fatal Errors" and
esp_image_format.c, esptool documentation, "Boot Mode Selection"). Image header: magic E9h at byte
0, chip id u16 at byte 12 (esptool documentation, "Firmware Image Format").
"""

from __future__ import annotations

import struct
from pathlib import Path

from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS

_MAGIC = 0xE9
_TABLE = 0x8000
_ENTRY_MAGIC = b"\xaa\x50"
_APP, _FACTORY = 0, 0
_STARTED = b"rst:0x1 (POWERON_RESET),boot:0x%02x (%s)\r\n"
LOADER = (
    _STARTED % (3, b"DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)") + b"waiting for download\r\n"
)
FLASH = _STARTED % (0x13, b"SPI_FAST_FLASH_BOOT")


def boot_error(board: Board, path: Path) -> bytes:
    """The message that the chip repeats instead of starting. Empty if there is MicroPython."""
    with open(path, "rb") as file:
        flash = file.read()
    loader = flash[board.loader_offset :][:24]
    if loader[0] != _MAGIC:
        return b"invalid header: 0x%08x\r\n" % struct.unpack_from("<I", loader)[0]
    wanted = CHIPS[board.chip].image_id
    if (found := struct.unpack_from("<H", loader, 12)[0]) != wanted:
        return b"E (47) boot_comm: mismatch chip ID, expected %d, found %d\r\n" % (wanted, found)
    at = _factory(flash)
    if at is None:
        return b"E (56) boot: No bootable app partitions in the partition table\r\n"
    if flash[at] != _MAGIC:
        return (
            b"E (56) esp_image: image at 0x%x has invalid magic byte (nothing flashed here?)\r\n"
            % at
        )
    return b""


def _factory(flash: bytes) -> int | None:
    """The offset of the application, from the partition table."""
    for at in range(_TABLE, _TABLE + 0xC00, 32):
        magic, kind, sub, offset = struct.unpack_from("<2sBBI", flash, at)
        if magic != _ENTRY_MAGIC:
            return None
        if (kind, sub) == (_APP, _FACTORY):
            return int(offset)
    return None
