"""Reads an NVS partition (ESP-IDF, format version 2), independently of the writer.

A page of 4096 bytes is a header of 32, a bitmap of 32 and 126 entries of 32:

    page    state u32 | sequence u32 | version u8 | 19 x 0xFF | crc32 of bytes 4..27
    bitmap  two bits an entry: 3 empty, 2 written, 0 erased
    entry   namespace u8 | type u8 | span u8 | chunk u8 | crc32 of the other 28 | key 16 | data 8

Source: ESP-IDF, "Non-Volatile Storage Library", section Internals. Damaged entries are left out,
as the chip does. An encrypted partition is not decrypted and looks empty.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PAGE = 4096
Value = int | bytes
Contents = dict[str, dict[str, Value]]  # by namespace and key

_ENTRY, _FIRST, _BITMAP, _COUNT = 32, 64, 32, 126
_IN_USE = (0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8)  # active, full, being freed
_WRITTEN = 2
_NUMBERS = {
    0x01: "<B", 0x11: "<b", 0x02: "<H", 0x12: "<h",
    0x04: "<I", 0x14: "<i", 0x08: "<Q", 0x18: "<q",
}  # fmt: skip
_STRING, _OLD_BLOB, _CHUNK, _INDEX = 0x21, 0x41, 0x42, 0x48
_WITH_DATA = (_STRING, _OLD_BLOB, _CHUNK)


@dataclass(frozen=True)
class _Entry:
    namespace: int
    kind: int
    chunk: int
    key: str
    field: bytes
    data: bytes | None  # of a string or chunk; None if there is none, or if it is damaged


def parse(partition: bytes) -> Contents:
    """The entries that a chip would find. Of two entries with the same name, the newer one."""
    pages = [partition[at : at + PAGE] for at in range(0, len(partition) - PAGE + 1, PAGE)]
    used = sorted((p for p in pages if _is_in_use(p)), key=lambda p: p[4:8][::-1])
    entries = [entry for page in used for entry in _entries(page)]
    names = {e.field[0]: e.key for e in entries if e.namespace == 0 and e.kind == 0x01}
    chunks = {(e.namespace, e.key, e.chunk): e.data for e in entries if e.kind == _CHUNK}
    found: Contents = {name: {} for name in names.values()}
    for entry in entries:
        space = names.get(entry.namespace)
        value = None if space is None else _value(entry, chunks)
        if space is not None and value is not None:
            found[space][entry.key] = value
    return found


def pages_with_key(partition: bytes, key: str) -> list[int]:
    """Numbers of the pages that have an entry with this key, even a damaged one."""
    wanted = key.encode().ljust(16, b"\0")
    return [
        at // PAGE
        for at in range(0, len(partition), PAGE)
        if any(
            partition[entry + 8 : entry + 24] == wanted
            for entry in range(at + _FIRST, at + PAGE, _ENTRY)
        )
    ]


def _crc32(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)


def _is_in_use(page: bytes) -> bool:
    state, crc = struct.unpack_from("<I", page)[0], struct.unpack_from("<I", page, 28)[0]
    return state in _IN_USE and crc == _crc32(page[4:28])


def _entries(page: bytes) -> Iterator[_Entry]:
    slot = 0
    while slot < _COUNT:
        raw = page[_FIRST + slot * _ENTRY :][:_ENTRY]
        span = raw[2]
        good = (
            page[_BITMAP + slot // 4] >> slot % 4 * 2 & 3 == _WRITTEN
            and struct.unpack_from("<I", raw, 4)[0] == _crc32(raw[:4] + raw[8:])
            and 1 <= span <= _COUNT - slot
        )
        if not good:
            slot += 1
            continue
        key = raw[8:24].split(b"\0", 1)[0].decode("ascii", "replace")
        data = None
        if raw[1] in _WITH_DATA:
            behind = _FIRST + (slot + 1) * _ENTRY
            data = _payload(raw[24:], page[behind : behind + (span - 1) * _ENTRY])
        yield _Entry(raw[0], raw[1], raw[3], key, raw[24:], data)
        slot += span


def _payload(field: bytes, behind: bytes) -> bytes | None:
    size, _, crc = struct.unpack("<HHI", field)
    data = behind[:size]
    return data if len(data) == size and _crc32(data) == crc else None


def _value(entry: _Entry, chunks: dict[tuple[int, str, int], bytes | None]) -> Value | None:
    if entry.kind in _NUMBERS:
        return int(struct.unpack_from(_NUMBERS[entry.kind], entry.field)[0])
    if entry.kind in (_STRING, _OLD_BLOB):
        return entry.data
    if entry.kind != _INDEX:
        return None
    size, count, start = struct.unpack_from("<IBB", entry.field)
    blob = b""
    for number in range(start, start + count):
        chunk = chunks.get((entry.namespace, entry.key, number))
        if chunk is None:
            return None
        blob += chunk
    return blob if len(blob) == size else None
