"""The regions of a board's flash, their comparison with the board, and the order of writing.

Only sectors that differ are written. The chip itself computes the digests for the comparison. If
the cable is pulled at any moment, the same command completes the board, and until then the board
does not run a mixture of two images. For this, the superblock of the file system (its first two
sectors) is erased before any other change and written last. On a first flash the partition table
is written after everything that it describes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tallypost.building.micropython import APP_OFFSET, MicroPythonImage
from tallypost.faults import ToolError
from tallypost.flashing import board_state
from tallypost.flashing.rom import SECTOR, SerialTarget
from tallypost.hardware.boards import Board
from tallypost.hardware.partitions import TABLE_OFFSET, Partition, pack, unpack
from tallypost.i18n import N_, _

_BLANK = b"\xff" * SECTOR
_CHUNK_BYTES = 16 * SECTOR  # written, checked and reported at once
_SUPERBLOCK = 2 * SECTOR
_RING_MAGICS, RING_FORMAT = (b"TPC1", b"TPR1"), 1  # lib/ring/region.py
_RING_SECTORS_READ = 8  # the first headers of the ring
_VFS, _MICROPYTHON = N_("application"), "MicroPython"
_TABLE, _LOADER, _SUPERBLOCK_NAME = N_("partition table"), N_("loader"), N_("superblock")


@dataclass(frozen=True)
class Region:
    """Whole sectors that must hold `data`. name: English, translated where it is shown."""

    name: str
    offset: int
    data: bytes

    @property
    def sectors(self) -> int:
        return len(self.data) // SECTOR

    @property
    def programmed(self) -> int:
        """Bytes to write: each sector without the erased bytes at its end."""
        starts = range(0, len(self.data), SECTOR)
        return sum(len(self.data[at : at + SECTOR].rstrip(b"\xff")) for at in starts)


@dataclass
class Plan:
    """Erases (name, offset, length) come first, then the writes in their order.

    is_new_board: the board had no data of ours. regions: all data that the flash must hold in the
    end.
    """

    is_new_board: bool
    regions: list[Region]
    erases: list[tuple[str, int, int]] = field(default_factory=list)
    writes: list[Region] = field(default_factory=list)

    @property
    def programmed(self) -> int:
        return sum(write.programmed for write in self.writes)

    @property
    def sectors(self) -> int:
        return sum(write.sectors for write in self.writes)


def target_regions(board: Board, vfs: bytes, micropython: MicroPythonImage | None) -> list[Region]:
    """Regions in the order in which they are written."""
    at = board.partition("vfs").offset
    regions = [Region(_VFS, at + start, part) for start, part in used(vfs)]
    regions.append(Region(_VFS, at, vfs[:_SUPERBLOCK]))
    regions.append(Region(_TABLE, TABLE_OFFSET, _pad_to_sectors(pack(board.partitions))))
    if micropython is None:
        return regions
    split = TABLE_OFFSET - board.loader_offset
    app = micropython.data[APP_OFFSET - board.loader_offset :]
    loader = micropython.data[:split].rstrip(b"\xff")
    return [
        Region(_MICROPYTHON, APP_OFFSET, _pad_to_sectors(app)),
        *regions,
        Region(_LOADER, board.loader_offset, _pad_to_sectors(loader)),
    ]


def used(vfs: bytes) -> list[tuple[int, bytes]]:
    """(offset, data) of the blocks in use behind the superblock, with their neighbours.

    A folder has two blocks, side by side, of which one may be blank here. It must be blank on the
    board, too: a folder of the image before could stand there, with a newer revision. The content
    of other blocks does not matter: LittleFS erases a block before it uses it.
    """
    count = len(vfs) // SECTOR
    full = {i for i in range(count) if vfs[i * SECTOR : (i + 1) * SECTOR] != _BLANK}
    runs: list[tuple[int, bytes]] = []
    for i in range(_SUPERBLOCK // SECTOR, count):
        if full.isdisjoint((i - 1, i, i + 1)):
            continue
        at, block = i * SECTOR, vfs[i * SECTOR : (i + 1) * SECTOR]
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + block)
        else:
            runs.append((at, block))
    return runs


def _pad_to_sectors(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\xff")


def make_plan(
    target: SerialTarget,
    board: Board,
    regions: list[Region],
    *,
    erase_counts: bool,
    take_over: bool,
) -> Plan:
    """Read the board and plan the writes. Raises ToolError if data would be lost.

    erase_counts: empty the ring. take_over: replace the program of another maker.
    """
    erased = _labels_to_erase(target, board, erase_counts, take_over)
    plan = Plan("nvs" in erased, regions)
    if not any(region.name == _MICROPYTHON for region in regions):
        board_state.check_micropython(target, board)
    if "ring" not in erased:
        _check_ring(target, board.partition("ring"))
    for label in sorted(erased):
        part = board.partition(label)
        if not target.is_blank(part.offset, part.size):
            plan.erases.append((label, part.offset, part.size))
    _compare(target, board, plan)
    return plan


def _labels_to_erase(
    target: SerialTarget, board: Board, erase_counts: bool, take_over: bool
) -> set[str]:
    """Which of nvs and ring must be erased. Raises ToolError if the options do not allow it."""
    table = target.read(TABLE_OFFSET, SECTOR)
    try:
        found = {part.label: part for part in unpack(table)}
    except ValueError:
        found = {}
    asked = {"ring"} if erase_counts else set()
    if not found and _has_our_ring(target, board):
        return asked  # ours, and unplugged while its table was written
    if table == _BLANK or (take_over and "ring" not in found):
        return {"nvs", "ring"}
    if "ring" not in found:
        raise ToolError(
            _("{port}: the board holds another program (partitions: {names})").format(
                port=target.name, names=", ".join(found) or _("unreadable")
            ),
            _("To replace it and lose all its data, add --take-over."),
        )
    moved = {label for label in ("nvs", "ring") if found.get(label) != board.partition(label)}
    if moved and not erase_counts:
        places = ", ".join(_place(label, found.get(label)) for label in sorted(moved))
        raise ToolError(
            _(
                "{port}: the node has another flash layout ({places}); its counts would be lost"
            ).format(port=target.name, places=places),
            _("Copy the counts with tallypost pull, then add --erase-counts."),
        )
    return moved | asked


def _has_our_ring(target: SerialTarget, board: Board) -> bool:
    heads = _sector_heads(target, board.partition("ring"))
    return any(head[:4] in _RING_MAGICS for head in heads)


def _place(label: str, part: Partition | None) -> str:
    if part is None:
        return _("{label}: missing").format(label=label)
    text = _("{label}: 0x{offset:x}, {size} bytes")
    return text.format(label=label, offset=part.offset, size=part.size)


def _check_ring(target: SerialTarget, ring: Partition) -> None:
    """Raises ToolError if the firmware cannot continue the log in the ring."""
    heads = _sector_heads(target, ring)
    ours = [head for head in heads if head[:4] in _RING_MAGICS]
    formats = {int.from_bytes(head[4:6], "little") for head in ours} - {RING_FORMAT}
    if formats:
        what = _("{port}: the counts have format {found}, this firmware reads format {known}")
        raise ToolError(
            what.format(port=target.name, found=min(formats), known=RING_FORMAT),
            _("Copy them with the version of the tools that wrote them, then add --erase-counts."),
        )
    if not ours and any(head != b"\xff" * 16 for head in heads):
        raise ToolError(
            _("{port}: the partition for the counts holds unknown data").format(port=target.name),
            _("To delete this data, add --erase-counts."),
        )


def _sector_heads(target: SerialTarget, ring: Partition) -> list[bytes]:
    """The headers of the first sectors of the ring."""
    return [target.read(ring.offset + i * SECTOR, 16) for i in range(_RING_SECTORS_READ)]


def _compare(target: SerialTarget, board: Board, plan: Plan) -> None:
    """Add the sectors that differ to the plan."""
    vfs = board.partition("vfs")
    changed = False
    for region in plan.regions:
        at = region.offset
        if at == vfs.offset and changed:  # erased before the rest is written
            plan.writes.append(region)
            plan.erases.append((_SUPERBLOCK_NAME, at, _SUPERBLOCK))
            continue
        for offset in target.differing(at, region.data):
            changed = changed or region.name == _VFS
            _append_sector(plan.writes, region, offset)


def _append_sector(writes: list[Region], region: Region, offset: int) -> None:
    """Add a sector of a region. It is joined with the chunk before it if it follows that."""
    start = offset - region.offset
    sector = region.data[start : start + SECTOR]
    last = writes[-1] if writes else None
    if (
        last and last.name == region.name and last.offset + len(last.data) == offset
        and len(last.data) < _CHUNK_BYTES
    ):  # fmt: skip
        writes[-1] = Region(region.name, last.offset, last.data + sector)
    else:
        writes.append(Region(region.name, offset, sector))


def execute(target: SerialTarget, plan: Plan, progress: Callable[[int, str], None]) -> None:
    """Erase, write, and compare everything once more. Raises ToolError.

    progress: called with the share done, per cent, and the current step.
    """
    for name, offset, length in plan.erases:
        progress(0, _("erasing {region}").format(region=_(name)))
        target.erase(offset, length)
    done = 0
    for write in plan.writes:
        step = _("writing {region}").format(region=_(write.name))
        progress(100 * done // plan.sectors, step)
        target.write(write.offset, write.data)
        done += write.sectors
    progress(100, _("comparing"))
    for region in plan.regions:
        if not target.holds(region.offset, region.data):
            raise ToolError(
                _("{port}: {region} at 0x{offset:x} was written but does not read back").format(
                    port=target.name, region=_(region.name), offset=region.offset
                ),
                _("Run the same command again."),
            )
