"""Parts of a board that esptool reads: registers of its identity, and the flash behind the loader.

Addresses are esptool's own (`esptool.targets`). Erasing and programming have the physics of NOR
flash (simulator/world/chip/flash.py). The ROM erases the whole area before the first byte. The
flasher stub erases sector by sector as it goes along (esptool documentation, "Serial Protocol").
"""

from __future__ import annotations

import hashlib
import mmap
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from esp32_mock_bootloader.server import FlashImage
from esptool.targets import CHIP_DEFS

from simulator.world.chip.flash import SECTOR, Flash

_OUI = b"\x24\x0a\xc4"
_MAKER = 0x4020  # bytes 1 and 0: type 40h of maker 20h
READ_ID = 0x9F
_CRYSTAL_HZ = 40_000_000
_SLOW_CLOCK = 128  # calibration of the 8 MHz clock: none


def mac_of(board: str, flash: Path) -> bytes:
    """Six bytes: the same for the same board and file, on every start."""
    return _OUI + hashlib.sha256(f"{board} {flash.resolve()}".encode()).digest()[:3]


def registers(chip: str, mac: bytes) -> dict[int, int]:
    """Words by address: the MAC address of the eFuses, and the crystal of an ESP32, 40 MHz."""
    high, low = struct.unpack(">II", b"\0\0" + mac)
    rom = CHIP_DEFS[chip]
    if chip != "esp32":
        return {rom.MAC_EFUSE_REG: low, rom.MAC_EFUSE_REG + 4: high}
    efuses = rom.EFUSE_RD_REG_BASE
    return {
        efuses + 4: low,
        efuses + 8: high,
        efuses + 16: _SLOW_CLOCK,
        rom.RTCCALICFG1: _CRYSTAL_HZ * 40 // (15625 * _SLOW_CLOCK) << rom.TIMERS_RTC_CALI_VALUE_S,
        rom.UART_CLKDIV_REG: _CRYSTAL_HZ // rom.ESP_ROM_BAUD,
    }


def flash_id(size: int) -> int:
    """The JEDEC answer to READ_ID, as the SPI peripheral's first word has it: size in byte 2."""
    return (size.bit_length() - 1) << 16 | _MAKER


class LoaderFlash(FlashImage):  # type: ignore[misc]
    """The board's flash file as `esp32_mock_bootloader` writes to it.

    is_stub: the stub runs, not the ROM. A read-only chip takes commands and does nothing.
    """

    def __init__(self, path: Path, rng: random.Random, read_only: bool = False) -> None:
        self._flash = Flash(path, rng)
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._rng = rng
        self._read_only = read_only
        self.is_stub = False
        self._at = 0
        self._erased_to = 0
        self._inflate: Callable[[bytes], bytes] | None = None
        self._last: tuple[int, bytes, bytes | None] | None = None  # offset, before, programmed

    def close(self) -> None:
        self.data.close()
        self._flash.close()

    def begin_plain(self, payload: bytes) -> None:
        size, _blocks, _block, offset = struct.unpack_from("<IIII", payload)
        self._at = offset
        self._erased_to = offset - offset % SECTOR
        if not self.is_stub:
            self._erase_to(offset + size)

    def begin_defl(self, payload: bytes) -> None:
        self.begin_plain(payload)
        self._inflate = zlib.decompressobj().decompress

    def write_plain_block(self, payload: bytes) -> None:
        size = struct.unpack_from("<I", payload)[0]
        self._write(payload[16 : 16 + size])

    def write_defl_block(self, payload: bytes) -> None:
        size = struct.unpack_from("<I", payload)[0]
        if self._inflate:
            self._write(self._inflate(payload[16 : 16 + size]))

    def end_defl(self) -> None:
        self._inflate = None

    def erase_all(self) -> None:
        self.erase_region(0, self._flash.size)

    def erase_region(self, offset: int, size: int) -> None:
        self._erased_to = offset
        self._erase_to(offset + size)

    def _write(self, data: bytes) -> None:
        data = data[: max(0, self._flash.size - self._at)]
        self._erase_to(self._at + len(data))
        if data and not self._read_only:
            self._last = (self._at, self._flash.read(self._at, len(data)), data)
            self._flash.program(self._at, data)
        self._at += len(data)

    def _erase_to(self, end: int) -> None:
        start, end = self._erased_to, min(-(-end // SECTOR) * SECTOR, self._flash.size)
        if start >= end:
            return
        self._erased_to = end
        if not self._read_only:
            self._last = (start, self._flash.read(start, end - start), None)
            for offset in range(start, end, SECTOR):
                self._flash.erase(offset)

    def cut(self) -> None:
        """The power has failed. The last operation is incomplete."""
        if self._last is None:
            return
        offset, before, programmed = self._last
        self._last = None
        if programmed is not None:
            self._flash.restore(offset, before)
            self._flash.tear_program(offset, programmed)
            return
        done = self._rng.randrange(len(before) // SECTOR) * SECTOR
        self._flash.restore(offset + done, before[done:])
        self._flash.tear_erase(offset + done)
