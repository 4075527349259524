"""One 4096-byte page of an NVS partition: header, bitmap and entries. Format: `nvs.py`."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Callable, Iterator

PAGE = 4096
ENTRY = 32
ENTRIES = 126
CHUNK_MAX = (ENTRIES - 1) * ENTRY
ANY_CHUNK = 0xFF
U8, I32, BLOB_DATA, BLOB_IDX = 0x01, 0x14, 0x42, 0x48
VARIABLE = (0x21, 0x41, BLOB_DATA)  # string, blob of version 1, piece of a blob
UNUSED, ACTIVE, FULL, FREEING = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8
_BITMAP = 32
_FIRST = 64
_VERSION_2 = 0xFE
_EMPTY, _WRITTEN, _ERASED = 3, 2, 0
_KEY_MAX = 15
_HEAD = struct.Struct("<BBBB")


class NvsError(Exception):
    """The partition has no space left, or the key is not valid."""


def crc32(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)


@dataclass(frozen=True)
class Entry:
    """One entry. `slot` is its index in the page that it was read from."""

    namespace: int
    kind: int
    span: int
    chunk: int
    key: str
    data: bytes
    slot: int = -1

    def packed(self) -> bytes:
        key = self.key.encode()
        if not 1 <= len(key) <= _KEY_MAX:
            raise NvsError(f"NVS key {self.key!r}: 1 to {_KEY_MAX} bytes")
        head = _HEAD.pack(self.namespace, self.kind, self.span, self.chunk)
        tail = key.ljust(16, b"\0") + self.data
        return head + struct.pack("<I", crc32(head + tail)) + tail


def parse(raw: bytes, slot: int) -> Entry | None:
    """The entry in 32 bytes, or None when its CRC is wrong."""
    if struct.unpack_from("<I", raw, 4)[0] != crc32(raw[:4] + raw[8:]):
        return None
    key = raw[8:24].split(b"\0", 1)[0].decode("ascii", "replace")
    namespace, kind, span, chunk = _HEAD.unpack_from(raw)
    return Entry(namespace, kind, span, chunk, key, raw[24:32], slot)


class Page:
    """The page at `offset`. Writes go to the flash at once and into the copy kept here."""

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        program: Callable[[int, bytes], object],
        erase: Callable[[int], object],
        offset: int,
    ) -> None:
        self._program = program
        self._erase = erase
        self._offset = offset
        self._raw = bytearray(read(offset, PAGE))

    # --- header

    @property
    def state(self) -> int:
        """UNUSED, ACTIVE, FULL, FREEING, or another number for a page that cannot be used."""
        state: int = struct.unpack_from("<I", self._raw)[0]
        if state == UNUSED:
            return UNUSED if self._raw == b"\xff" * PAGE else 0
        stored = struct.unpack_from("<I", self._raw, 28)[0]
        good = stored == crc32(bytes(self._raw[4:28])) and self._raw[8] == _VERSION_2
        return state if good else 0

    @property
    def in_use(self) -> bool:
        return self.state in (ACTIVE, FULL, FREEING)

    @property
    def sequence(self) -> int:
        return int(struct.unpack_from("<I", self._raw, 4)[0])

    def set_state(self, state: int) -> None:
        self._write(0, struct.pack("<I", state))

    def begin(self, sequence: int) -> None:
        """Make an unused (or damaged) page the active one."""
        if self.state != UNUSED:
            self.erase()
        body = struct.pack("<IB", sequence, _VERSION_2) + b"\xff" * 19
        self._write(4, body + struct.pack("<I", crc32(body)))
        self.set_state(ACTIVE)

    def erase(self) -> None:
        self._erase(self._offset)
        self._raw[:] = b"\xff" * PAGE

    # --- entries

    def entries(self) -> Iterator[Entry]:
        """The written entries whose CRC is right, in order of writing."""
        slot = 0
        while slot < ENTRIES:
            entry = None
            if self._slot_state(slot) == _WRITTEN:
                entry = parse(self._slot(slot), slot)
            if entry and 1 <= entry.span <= ENTRIES - slot:
                yield entry
                slot += entry.span
            else:
                slot += 1

    @property
    def free_entries(self) -> int:
        """Entries that can still be written."""
        used = [i for i in range(ENTRIES) if self._is_used(i)]
        return ENTRIES - 1 - used[-1] if used else ENTRIES

    @property
    def erased(self) -> int:
        """Entries that erasing the page would free."""
        alive = sum(entry.span for entry in self.entries())
        return ENTRIES - self.free_entries - alive

    def payload(self, entry: Entry) -> bytes | None:
        """The bytes behind a variable-length entry, or None when their CRC is wrong."""
        size, _, crc = struct.unpack("<HHI", entry.data)
        start = _FIRST + (entry.slot + 1) * ENTRY
        data = bytes(self._raw[start : start + size])
        return data if crc32(data) == crc and size <= (entry.span - 1) * ENTRY else None

    def append(self, entry: Entry, following: bytes = b"") -> None:
        """Write an entry and the whole entries behind it: contents first, then the bitmap."""
        slot = ENTRIES - self.free_entries
        self._write(_FIRST + slot * ENTRY, entry.packed() + following)
        for i in range(slot, slot + entry.span):
            self._mark(i, _WRITTEN)

    def append_data(self, entry: Entry, data: bytes) -> None:
        """Write a variable-length entry. Its span and data field are computed here."""
        padded = data.ljust((len(data) + ENTRY - 1) // ENTRY * ENTRY, b"\xff")
        field = struct.pack("<HHI", len(data), 0xFFFF, crc32(data))
        span = 1 + len(padded) // ENTRY
        whole = Entry(entry.namespace, entry.kind, span, entry.chunk, entry.key, field)
        self.append(whole, padded)

    def copy(self, source: Page, entry: Entry) -> None:
        start = _FIRST + (entry.slot + 1) * ENTRY
        length = (entry.span - 1) * ENTRY
        self.append(entry, bytes(source._raw[start : start + length]))

    def mark_erased(self, entry: Entry) -> None:
        for slot in range(entry.slot, entry.slot + entry.span):
            self._mark(slot, _ERASED)

    # --- bytes

    def _slot(self, slot: int) -> bytes:
        start = _FIRST + slot * ENTRY
        return bytes(self._raw[start : start + ENTRY])

    def _slot_state(self, slot: int) -> int:
        return self._raw[_BITMAP + slot // 4] >> slot % 4 * 2 & 3

    def _is_used(self, slot: int) -> bool:
        """True also for an entry that was written before a power cut, but not marked in the
        bitmap."""
        return self._slot_state(slot) != _EMPTY or self._slot(slot) != b"\xff" * ENTRY

    def _mark(self, slot: int, state: int) -> None:
        at = _BITMAP + slot // 4
        shift = slot % 4 * 2
        self._write(at, bytes([self._raw[at] & ~(3 << shift) | (state << shift)]))

    def _write(self, at: int, data: bytes) -> None:
        self._program(self._offset + at, data)
        self._raw[at : at + len(data)] = data
