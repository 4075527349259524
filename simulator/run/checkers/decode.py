"""An independent decoder of the node's storage: written from the layouts, not from the code.

Layouts: lib/ring/region.py (sectors, entries), lib/wire/record.py (packed interval record),
firmware/counting/counter.py (copy in RTC memory). If firmware and checker shared a codec, an error
in it would cancel out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
SECTOR = 4096
SMALL_SECTORS = 12  # the first of the partition: checkpoints and cursors
LOG_MAGIC, SMALL_MAGIC, RTC_MAGIC = b"TPR1", b"TPC1", b"TPO1"
INTERVAL, CURSORS = 1, 2
HEAD = struct.Struct("<4sHHIIIIII")
ENTRY = struct.Struct("<HBBII")
RTC = struct.Struct("<4sIIHI")
RECORD = struct.Struct("<BIHHIb")


@dataclass
class Spacing:
    """Of one direction: number of followers, sums in 0.1 s, time on the line in 0.01 s."""

    n: int = 0
    headway: int = 0
    gap: int = 0
    occupied: int = 0


@dataclass
class Record:
    """A packed interval record, unpacked."""

    start: int
    boot: int
    uptime: int
    length: int
    coverage: int
    why: int
    counts: list[int]
    totals: list[int]
    speeds: list[tuple[int, int]] = field(default_factory=list)
    histograms: list[dict[int, int]] = field(default_factory=list)
    spacing: list[Spacing] = field(default_factory=lambda: [Spacing(), Spacing()])
    added: list[int] = field(default_factory=lambda: [0, 0])  # speeds by the angle


class Reader:
    """Reads numbers from a byte string."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return value

    def sparse(self, count: int) -> list[int]:
        mask = self.number()
        return [self.number() if mask >> i & 1 else 0 for i in range(count)]

    def bins(self) -> list[int]:
        """32 counters. Their digits to base 8 stand in the nibbles of the bytes that follow."""
        mask = self.number()
        nibbles = [half for byte in self.data[self.at :] for half in (byte & 15, byte >> 4)]
        used = 0
        values = [0] * 32
        for i in (i for i in range(32) if mask >> i & 1):
            digits = [nibbles[used]]
            while digits[-1] & 8:
                digits.append(nibbles[used + len(digits)])
            used += len(digits)
            values[i] = sum((digit & 7) << 3 * place for place, digit in enumerate(digits))
        self.at += (used + 1) // 2
        return values


def record(data: bytes) -> Record:
    """Unpack a record. Raises ValueError, IndexError or struct.error if it is not one."""
    head = RECORD.unpack_from(data, 0)
    if head[0] not in (1, 2, 3):
        raise ValueError(f"record version {head[0]}")
    reader = Reader(data, RECORD.size)
    start, boot = head[1:3]
    uptime, length, missed, why, _age, _supply = (reader.number() for _ in range(6))
    coverage = (length - missed) & 0xFFFF
    counts, totals = reader.sparse(10), reader.sparse(10)
    found = Record(start, boot, uptime, length, coverage, why, counts, totals)
    for _ in DIRECTIONS:
        total = reader.number()
        bins = reader.bins()
        found.speeds.append((total, sum(bins)))
        found.histograms.append({i: n for i, n in enumerate(bins) if n})
    if head[0] > 1:
        sums = reader.sparse(8 if head[0] == 2 else 10)
        found.spacing = [Spacing(*sums[direction:8:2]) for direction in range(2)]
        found.added = [10 * kmh for kmh in sums[8:]] or [0, 0]
    if reader.at != len(data):
        raise ValueError(f"record: {len(data) - reader.at} bytes left over")
    return found


def entries(ring: bytes, magic: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(sector's number, entry's number, kind, payload) of every whole entry, in no order."""
    for at in range(0, len(ring), SECTOR):
        sector = ring[at : at + SECTOR]
        head = HEAD.unpack_from(sector, 0)
        if head[0] != magic or zlib.crc32(sector[:28]) != head[8]:
            continue
        for pos in range(32, SECTOR - ENTRY.size, 4):
            found = entry(sector[pos:])
            if found:
                yield head[4], *found


def entry(data: bytes) -> tuple[int, int, bytes] | None:
    """(number, kind, payload) of the entry that begins here. None if there is no complete one."""
    if len(data) < ENTRY.size:
        return None
    size, kind, tag, number, crc = ENTRY.unpack_from(data, 0)
    payload = data[ENTRY.size : ENTRY.size + size]
    if tag != 0x5A or size > 512 or len(payload) < size:
        return None
    return (number, kind, payload) if zlib.crc32(data[:8] + payload) == crc else None


def log_id(ring: bytes) -> int:
    """The log's id, of the newest sector. 0 when there is none."""
    found = (0, 0)
    for at in range(0, len(ring), SECTOR):
        head = HEAD.unpack_from(ring, at)
        if head[0] == LOG_MAGIC and zlib.crc32(ring[at : at + 28]) == head[8]:
            found = max(found, (head[4] + 1, head[3]))
    return found[1]


def intervals(ring: bytes) -> dict[int, Record]:
    """The closed intervals in the log, by number."""
    return {
        number: record(payload)
        for _, number, kind, payload in entries(ring, LOG_MAGIC)
        if kind == INTERVAL
    }


def confirmed(ring: bytes, link: str = "mqtt") -> int:
    """The confirmed cursor of a link, from the newest cursor entry."""
    newest, value = -1, 0
    for _, number, kind, payload in entries(ring, SMALL_MAGIC):
        if kind == CURSORS and number > newest:
            newest, value = (
                number,
                struct.unpack_from("<IIII", payload, 0)[1 + 2 * (link == "lorawan")],
            )
    return int(value)


def rtc_copy(data: bytes) -> Record | None:
    """The open interval in RTC memory. None when there is none, or it is damaged."""
    if len(data) < RTC.size or data[:4] != RTC_MAGIC:
        return None
    _, _, _, size, crc = RTC.unpack_from(data, 0)
    packed = data[RTC.size : RTC.size + size]
    if zlib.crc32(data[:14] + packed) != crc:
        return None
    return record(packed)


def as_tally(slots: list[int]) -> dict[str, dict[str, int]]:
    """Ten counters as direction -> class -> number."""
    return {
        direction: dict(zip(CLASSES, slots[5 * i : 5 * i + 5], strict=True))
        for i, direction in enumerate(DIRECTIONS)
    }
