"""`[budget]` of board.toml: the memory that an image may use, and whether that adds up.

mpy_bytes          the application as .mpy files, at most
gc_free_bytes      free in MicroPython's heap while the node is in service, at least
idf_free_bytes     free in the heap of ESP-IDF then, for Wi-Fi, sockets and TLS, at least
idf_largest_bytes  the largest block of that, at least

MicroPython's heap grows out of ESP-IDF's and seldom gives any back (ports/esp32,
MICROPY_GC_SPLIT_HEAP_AUTO). So both share what the chip has free before any program.
"""

from __future__ import annotations

from tallypost.faults import ToolError
from tallypost.hardware.board_table import TomlTable
from tallypost.hardware.chips import Chip
from tallypost.i18n import _

KEYS = ("mpy_bytes", "gc_free_bytes", "idf_free_bytes", "idf_largest_bytes")
# TLS takes one block for a record of 16 KiB and its header (firmware/core/memory.py).
TLS_BLOCK_BYTES = 17_000


def read(table: TomlTable) -> dict[str, int]:
    """All keys of the table. Raises ToolError."""
    found = {key: table.number(key, 1, 1 << 30) for key in KEYS}
    table.reject_unknown()
    return found


def check(
    budget: dict[str, int],
    table: TomlTable,
    chip: Chip,
    *,
    vfs_bytes: int,
    psram: bool,
    wifi: bool,
) -> None:
    """Raises ToolError for a budget that does not add up, with the largest value that fits."""
    free, largest = budget["idf_free_bytes"], budget["idf_largest_bytes"]
    if budget["mpy_bytes"] > vfs_bytes:
        raise _too_large(table, budget, "mpy_bytes", vfs_bytes, _("the partition 'vfs'"))
    if largest > free:
        raise _too_large(table, budget, "idf_largest_bytes", free, "idf_free_bytes")
    if wifi and largest < TLS_BLOCK_BYTES:
        reason = _("the value is {value}, but TLS needs a block of {size} bytes")
        raise table.error(
            "budget.idf_largest_bytes", reason.format(value=largest, size=TLS_BLOCK_BYTES)
        )
    left = chip.free_bytes - free
    if chip.free_bytes and not psram and budget["gc_free_bytes"] > left:
        source = _("what idf_free_bytes leaves of the {size} bytes that the {chip} has free")
        raise _too_large(
            table, budget, "gc_free_bytes", left,
            source.format(size=chip.free_bytes, chip=chip.name),
        )  # fmt: skip


def _too_large(
    table: TomlTable, budget: dict[str, int], key: str, fits: int, source: str
) -> ToolError:
    reason = _("the value is {value}, at most {fits} fits: {source}")
    return table.error(
        f"budget.{key}", reason.format(value=budget[key], fits=max(fits, 0), source=source)
    )
