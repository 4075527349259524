"""The flash chip of a virtual board: a file with the physics of NOR flash.

Programming only clears bits. Erasing sets a 4096-byte sector to ones and takes tens of
milliseconds, during which the whole chip stands still. A power cut leaves a torn operation behind:
part of a program, or a sector with only some bits erased. Times: W25Q32-class parts, typical 0.7
ms a 256-byte page and 45-80 ms a sector (micropython issue 3782 measured 80 ms).
"""

from __future__ import annotations

import os
import random
from pathlib import Path

SECTOR = 4096
PAGE = 256
PAGE_US = 700
COMMAND_US = 60
ERASE_US = 80_000


class Flash:
    """`path` is the board's whole flash, from address 0. `rng` decides how a power cut tears."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self.size = os.fstat(self._fd).st_size
        self._rng = rng
        self.erases: dict[int, int] = {}
        self.programmed_bytes = 0
        self.violations: list[str] = []

    def close(self) -> None:
        os.close(self._fd)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def program(self, offset: int, data: bytes) -> int:
        """Clear bits. Return how long the chip is busy, in microseconds."""
        old = self._range(offset, len(data))
        new = _and(old, data)
        if new != data:
            self.violations.append(f"flash: programmed over programmed bytes at 0x{offset:x}")
        os.pwrite(self._fd, new, offset)
        self.programmed_bytes += len(data)
        pages = (offset + len(data) - 1) // PAGE - offset // PAGE + 1
        return pages * (COMMAND_US + PAGE_US * min(len(data), PAGE) // PAGE)

    def erase(self, offset: int) -> int:
        """Set one sector to ones. Return how long the chip is busy, in microseconds."""
        if offset % SECTOR:
            raise ValueError(f"erase at 0x{offset:x} is not at a sector's start")
        self._range(offset, SECTOR)
        os.pwrite(self._fd, b"\xff" * SECTOR, offset)
        self.erases[offset // SECTOR] = self.erases.get(offset // SECTOR, 0) + 1
        return ERASE_US

    def tear_program(self, offset: int, data: bytes) -> None:
        """The power fails while programming. A prefix is written, the next bytes are written in
        part."""
        old = self._range(offset, len(data))
        done = self._rng.randrange(len(data) + 1)
        torn = bytes(b | self._rng.getrandbits(8) for b in data[done : done + 4])
        new = _and(old, data[:done] + torn + b"\xff" * (len(data) - done - len(torn)))
        os.pwrite(self._fd, new, offset)

    def tear_erase(self, offset: int) -> None:
        """The power fails while erasing. Every bit is either old or one."""
        old = self._range(offset, SECTOR)
        noise = self._rng.randbytes(SECTOR)
        os.pwrite(self._fd, bytes(a | b for a, b in zip(old, noise)), offset)

    def restore(self, offset: int, before: bytes) -> None:
        """Undo an operation, so that it can be torn."""
        self._range(offset, len(before))
        os.pwrite(self._fd, before, offset)

    def age(self, offset: int, length: int, bits: int) -> None:
        """Flip that many bits of the programmed bytes in a range."""
        data = bytearray(self._range(offset, length))
        written = [i for i, byte in enumerate(data) if byte != 0xFF]
        for at in self._rng.sample(written, min(bits, len(written))):
            byte = data[at] ^ 1 << self._rng.randrange(8)
            os.pwrite(self._fd, bytes([byte]), offset + at)

    def _range(self, offset: int, length: int) -> bytes:
        if not 0 <= offset <= self.size - length:
            raise ValueError(f"flash: 0x{offset:x}+{length} is outside the chip")
        return self.read(offset, length)


def _and(a: bytes, b: bytes) -> bytes:
    length = len(a)
    return (int.from_bytes(a, "big") & int.from_bytes(b, "big")).to_bytes(length, "big")
