"""A board to be flashed: like `mock_board`, with the flasher stub's own way of erasing.

The stub erases the sectors that it is about to program. The bytes on the wire and the erased
sectors are kept for the test.
"""

from __future__ import annotations

from tallypost.hardware import boards
from tallypost.hardware.partitions import TABLE_OFFSET, pack
from tests.support.boards.mock_board import SECTOR, MockBoard, Nor, Unplugged


class StubFlash(Nor):
    """wire: received bytes of data. sectors: erased, in order. read_only: it takes no writes."""

    def __init__(self, cells: bytes) -> None:
        super().__init__(cells)
        self.wire = 0
        self.sectors: list[int] = []
        self.read_only = False
        self._erased_to = 0

    def begin_defl(self, payload: bytes) -> None:
        super().begin_defl(payload)
        self._erased_to = self._defl_offset

    def write_defl_block(self, payload: bytes) -> None:
        self.wire += len(payload)
        super().write_defl_block(payload)

    def erase_region(self, offset: int, size: int) -> None:
        self.sectors += range(offset, offset + size, SECTOR)
        if not self.read_only:
            super().erase_region(offset, size)

    def program(self, offset: int, data: bytes) -> None:
        while self._erased_to < offset + len(data):
            self.erase_region(self._erased_to, SECTOR)
            self._erased_to += SECTOR
        if self.read_only:
            return
        allowed = self._allowed(len(data))
        self.written.append((offset, len(data)))
        old = int.from_bytes(self.data[offset : offset + allowed], "little")
        new = int.from_bytes(data[:allowed], "little")
        assert old & new == new, "a bit is set without an erase"
        self.data[offset : offset + allowed] = data[:allowed]
        if allowed < len(data):
            raise Unplugged


class FlashBoard(MockBoard):
    """A blank board, or one with `cells`, of the kind `name`."""

    def __init__(self, name: str = "esp32_generic", *, chip: str = "", cells: bytes = b"") -> None:
        cells = cells or b"\xff" * boards.load(name).flash_size
        super().__init__(name, chip=chip, cells=cells)
        self.flash: StubFlash = StubFlash(cells)

    def put(self, offset: int, data: bytes) -> None:
        self.flash.data[offset : offset + len(data)] = data

    def at(self, offset: int, size: int) -> bytes:
        return bytes(self.flash.data[offset : offset + size])

    def forget(self) -> None:
        """Count from here on."""
        self.flash.wire = 0
        self.flash.sectors = []


def table_of(name: str, **moved: tuple[int, int]) -> bytes:
    """A partition table like the board's, with some partitions elsewhere."""
    parts = []
    for part in boards.load(name).partitions:
        offset, size = moved.get(part.label, (part.offset, part.size))
        if size:
            parts.append(type(part)(part.label, part.kind, part.subtype, offset, size))
    return pack(tuple(parts))


def used_table(board: FlashBoard) -> bytes:
    return board.at(TABLE_OFFSET, SECTOR)
