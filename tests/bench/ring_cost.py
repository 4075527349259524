"""Cost of a record on the ring log, compared with a file on MicroPython's LittleFS."""

from __future__ import annotations

from typing import Any

from tests.bench.measured import Row, figures_of

RECORDS_A_DAY = 96
ERASES_RATIO_MIN, BYTES_RATIO_MIN, DAYS_MIN = 25, 15, 90
READS_MAX = 80  # when the full log is opened
READ_SHARE_MAX = 0.05  # of the partition, then


def measure() -> dict[str, Any]:
    """The figures of one run inside MicroPython."""
    return figures_of("cost.py")


def rows(figures: dict[str, Any]) -> list[Row]:
    ring, file, full = figures["ring"], figures["littlefs_flush"], figures["full"]
    return [
        Row("erases: LittleFS / ring", file["erases"] / ring["erases"], ERASES_RATIO_MIN),
        Row(
            "bytes programmed: LittleFS / ring",
            file["programmed_bytes"] / ring["programmed_bytes"],
            BYTES_RATIO_MIN,
        ),
        Row("open: reads of the full partition", full["open_reads"], READS_MAX, at_most=True),
        Row(
            "open: bytes read / size of the full partition",
            full["open_bytes"] / figures["partition_bytes"],
            READ_SHARE_MAX,
            at_most=True,
        ),
        Row("capacity, days of 15 min records", full["records"] / RECORDS_A_DAY, DAYS_MIN),
    ]


def details(figures: dict[str, Any]) -> list[str]:
    """The figures behind the ratios, one line each."""
    names = {
        "ring": "ring",
        "ring_state": "ring, 14 checkpoints and 2 cursors a record",
        "littlefs_flush": "LittleFS, write and flush",
        "littlefs_close": "LittleFS, open, append and close",
    }
    lines = [
        f"{name:<44} {figures[key]['erases']:.4f} erases "
        f"{figures[key]['programmed_bytes']:.0f} bytes a record of "
        f"{figures[key]['record_bytes']:.0f} bytes"
        for key, name in names.items()
    ]
    full = figures["full"]
    lines.append(
        f"full ring: {full['records']} records, {full['open_reads']} reads "
        f"({full['open_bytes']} bytes) to open"
    )
    return lines
