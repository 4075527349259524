"""What has to be on a board's flash, what is there, in which order the rest is written.

Only sectors that differ are written: the chip itself makes the digests. A cable pulled at any
moment leaves a board that a repeat completes, and that does not run a mixture meanwhile: before
anything of the file system is changed its superblock, the first two sectors, is erased, and it is
written last; on a first flash the partition table comes after everything that it describes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tallypost.building.micropython import APP_OFFSET, Firmware
from tallypost.faults import ToolError
from tallypost.flashing.rom import SECTOR, BoardMemory
from tallypost.hardware.boards import Board
from tallypost.hardware.partitions import TABLE_OFFSET, Partition, pack, unpack

_BLANK = b"\xff" * SECTOR
_PIECE = 16 * SECTOR  # written, checked and told at once
_SUPERBLOCK = 2 * SECTOR
_MAGICS, RING_FORMAT = (b"TPC1", b"TPR1"), 1  # lib/ring/region.py
_RING_LOOK = 8  # sectors whose headers are looked at
_APP_MAGIC = 0xE9
_VFS, _MICROPYTHON = "application", "MicroPython"


@dataclass(frozen=True)
class Region:
    """Whole sectors that have to hold `data`. name: for whoever watches."""

    name: str
    offset: int
    data: bytes

    @property
    def sectors(self) -> int:
        return len(self.data) // SECTOR

    @property
    def programmed(self) -> int:
        """Bytes up to the last one of each sector that is not left erased."""
        starts = range(0, len(self.data), SECTOR)
        return sum(len(self.data[at : at + SECTOR].rstrip(b"\xff")) for at in starts)


@dataclass
class Plan:
    """Erased first (offset, length), then written in this order. first: nothing of ours was there.

    regions: all that must be there in the end.
    """

    first: bool
    regions: list[Region]
    erases: list[tuple[str, int, int]] = field(default_factory=list)
    writes: list[Region] = field(default_factory=list)

    @property
    def programmed(self) -> int:
        return sum(write.programmed for write in self.writes)

    @property
    def sectors(self) -> int:
        return sum(write.sectors for write in self.writes)


def wanted(board: Board, vfs: bytes, firmware: Firmware | None) -> list[Region]:
    """Regions in the order in which they are written."""
    at = board.partition("vfs").offset
    regions = [Region(_VFS, at + start, part) for start, part in used(vfs)]
    regions.append(Region(_VFS, at, vfs[:_SUPERBLOCK]))
    regions.append(Region("partition table", TABLE_OFFSET, _whole(pack(board.partitions))))
    if firmware is None:
        return regions
    split = TABLE_OFFSET - board.loader_offset
    app = firmware.data[APP_OFFSET - board.loader_offset :]
    loader = firmware.data[:split].rstrip(b"\xff")
    return [
        Region(_MICROPYTHON, APP_OFFSET, _whole(app)),
        *regions,
        Region("loader", board.loader_offset, _whole(loader)),
    ]


def used(vfs: bytes) -> list[tuple[int, bytes]]:
    """The parts of a file system behind its superblock that hold something. Its other blocks may
    hold anything: LittleFS erases a block before it uses it."""
    runs: list[tuple[int, bytes]] = []
    for at in range(_SUPERBLOCK, len(vfs), SECTOR):
        block = vfs[at : at + SECTOR]
        if block == _BLANK:
            continue
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + block)
        else:
            runs.append((at, block))
    return runs


def _whole(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\xff")


def make(
    memory: BoardMemory,
    board: Board,
    regions: list[Region],
    *,
    erase_counts: bool,
    take_over: bool,
) -> Plan:
    """Look at what is there; raises ToolError when it must not be overwritten."""
    lost = _lost(memory, board, erase_counts, take_over)
    plan = Plan("nvs" in lost, regions)
    if not any(region.name == _MICROPYTHON for region in regions):
        _needs_interpreter(memory, board)
    if "ring" not in lost:
        _check_ring(memory, board.partition("ring"))
    for label in sorted(lost):
        part = board.partition(label)
        if not memory.is_blank(part.offset, part.size):
            plan.erases.append((label, part.offset, part.size))
    _compare(memory, board, plan)
    return plan


def _lost(memory: BoardMemory, board: Board, erase_counts: bool, take_over: bool) -> set[str]:
    """What of identity and counts does not stay; raises ToolError if nobody asked for that."""
    there = memory.read(TABLE_OFFSET, SECTOR)
    try:
        found = {part.label: part for part in unpack(there)}
    except ValueError:
        found = {}
    asked = {"ring"} if erase_counts else set()
    if not found and any(head[:4] in _MAGICS for head in _heads(memory, board.partition("ring"))):
        return asked  # ours, and unplugged while its table was written
    if there == _BLANK or (take_over and "ring" not in found):
        return {"nvs", "ring"}
    if "ring" not in found:
        names = ", ".join(found) or "unreadable"
        raise ToolError(
            f"{memory.name}: another program's board (partitions: {names})",
            "--take-over replaces it, and all its data is lost",
        )
    moved = {label for label in ("nvs", "ring") if found.get(label) != board.partition(label)}
    if moved and not erase_counts:
        what = ", ".join(f"{label} is at {_place(found.get(label))}" for label in sorted(moved))
        raise ToolError(
            f"{memory.name}: a node with another layout ({what}): its counts would be lost",
            "pull them first (tallypost pull), then --erase-counts",
        )
    return moved | asked


def _place(part: Partition | None) -> str:
    return f"0x{part.offset:x}, {part.size} bytes" if part else "nowhere"


def _needs_interpreter(memory: BoardMemory, board: Board) -> None:
    if memory.read(APP_OFFSET, SECTOR)[0] != _APP_MAGIC:
        raise ToolError(
            f"{memory.name}: no MicroPython on this board yet",
            f"give {board.micropython.file} with --micropython FILE, or --download",
        )


def _check_ring(memory: BoardMemory, ring: Partition) -> None:
    """What is in the ring is what the firmware goes on with; raises ToolError."""
    heads = _heads(memory, ring)
    ours = [head for head in heads if head[:4] in _MAGICS]
    other = {int.from_bytes(head[4:6], "little") for head in ours} - {RING_FORMAT}
    foreign = not ours and any(head != b"\xff" * 16 for head in heads)
    if other or foreign:
        what = f"counts of format {min(other)}" if other else "something that is no log"
        raise ToolError(
            f"{memory.name}: the ring holds {what}, this firmware has format {RING_FORMAT}",
            "pull the counts with the tools that wrote them, then --erase-counts",
        )


def _heads(memory: BoardMemory, ring: Partition) -> list[bytes]:
    """How the first sectors of the ring begin."""
    return [memory.read(ring.offset + i * SECTOR, 16) for i in range(_RING_LOOK)]


def _compare(memory: BoardMemory, board: Board, plan: Plan) -> None:
    """Fill in what has to be written."""
    vfs = board.partition("vfs")
    changed = False
    for region in plan.regions:
        at = region.offset
        if at == vfs.offset and changed:  # erased before the rest is written
            plan.writes.append(region)
            plan.erases.append(("superblock", at, _SUPERBLOCK))
            continue
        for offset in memory.differing(at, region.data):
            changed = changed or region.name == _VFS
            _put(plan.writes, region, offset)


def _put(writes: list[Region], region: Region, offset: int) -> None:
    """Add a sector of a region, to the piece before it if it follows that."""
    start = offset - region.offset
    sector = region.data[start : start + SECTOR]
    last = writes[-1] if writes else None
    if (
        last and last.name == region.name and last.offset + len(last.data) == offset
        and len(last.data) < _PIECE
    ):  # fmt: skip
        writes[-1] = Region(region.name, last.offset, last.data + sector)
    else:
        writes.append(Region(region.name, offset, sector))


def carry_out(memory: BoardMemory, plan: Plan, tell: Callable[[int, str], None]) -> None:
    """Erase, write, and compare everything once more; raises ToolError. tell: per cent, what."""
    for name, offset, length in plan.erases:
        tell(0, f"erasing {name}")
        memory.erase(offset, length)
    done = 0
    for write in plan.writes:
        tell(100 * done // plan.sectors, f"writing {write.name}")
        memory.write(write.offset, write.data)
        done += write.sectors
    tell(100, "comparing")
    for region in plan.regions:
        if not memory.holds(region.offset, region.data):
            raise ToolError(
                f"{memory.name}: {region.name} at 0x{region.offset:x} does not read back",
                "the same command again",
            )
