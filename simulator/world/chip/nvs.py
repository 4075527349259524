"""ESP-IDF's NVS partition, read and written in the real on-flash format (version 2).

Written from the format, not from the generator that provisions a board. So an error in one of them
shows. A page of 4096 bytes is a header, a bitmap and 126 entries of 32 bytes:

    page    state u32 | sequence u32 | version u8 = 0xFE | 19 x 0xFF | crc32 of bytes 4..27
    bitmap  two bits an entry: 3 empty, 2 written, 0 erased
    entry   namespace u8 | type u8 | span u8 | chunk u8 | crc32 of the other 28 | key 16 | data 8

A blob is one or more BLOB_DATA entries, each followed by its bytes in whole entries, and a
BLOB_IDX entry that names them. States and bits only ever go from 1 to 0. Nothing is overwritten.
One page is always kept free, so that live entries can be moved before a page is erased.
"""

from __future__ import annotations

import struct
from typing import Callable

from simulator.world.chip.nvs_page import (
    ACTIVE,
    ANY_CHUNK,
    BLOB_DATA,
    BLOB_IDX,
    CHUNK_MAX,
    ENTRY,
    FREEING,
    FULL,
    I32,
    PAGE,
    U8,
    Entry,
    NvsError,
    Page,
)

__all__ = ("NvsError", "NvsPartition")

_OTHER_START = 0x80  # a new version of a blob counts its chunks from here, the next from 0
_SMALL_CHUNK = CHUNK_MAX // 10  # a new page is better than a smaller piece


class NvsPartition:
    """read(offset, length) -> bytes, program(offset, data), erase(offset), within the partition.

    Keys have at most 15 characters. A missing key raises KeyError, a full partition NvsError.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        program: Callable[[int, bytes], object],
        erase: Callable[[int], object],
        pages: int = 6,
    ) -> None:
        self._pages = [Page(read, program, erase, i * PAGE) for i in range(pages)]

    # --- calls of a node

    def get_i32(self, namespace: str, key: str) -> int:
        entry = self._require(namespace, I32, key)[1]
        return int(struct.unpack_from("<i", entry.data)[0])

    def set_i32(self, namespace: str, key: str, value: int) -> None:
        data = struct.pack("<i", value) + b"\xff" * 4
        self._recover()
        index = self._namespace(namespace, create=True)
        old = self._find(index, I32, key)
        if old and old[1].data == data:
            return
        self._write(Entry(index, I32, 1, ANY_CHUNK, key, data))
        self._erase_older(index, I32, key)

    def get_blob(self, namespace: str, key: str) -> bytes:
        index = self._require(namespace, BLOB_IDX, key)[1]
        size, count, start = struct.unpack_from("<IBB", index.data)
        pieces = []
        for chunk in range(start, start + count):
            found = self._find(index.namespace, BLOB_DATA, key, chunk)
            if not found or (piece := found[0].payload(found[1])) is None:
                raise KeyError(key)
            pieces.append(piece)
        blob = b"".join(pieces)
        if len(blob) != size:
            raise KeyError(key)
        return blob

    def set_blob(self, namespace: str, key: str, value: bytes) -> None:
        self._recover()
        index = self._namespace(namespace, create=True)
        old = self._find(index, BLOB_IDX, key)
        if old and self._try_blob(namespace, key) == value:
            return
        start = _OTHER_START if old and old[1].data[5] == 0 else 0
        self._drop_chunks(index, key, start)  # of a write that never got its index
        try:
            count = self._write_chunks(index, key, value, start)
            data = struct.pack("<IBBH", len(value), count, start, 0xFFFF)
            self._write(Entry(index, BLOB_IDX, 1, ANY_CHUNK, key, data))
        except NvsError:
            self._drop_chunks(index, key, start)
            raise
        self._erase_older(index, BLOB_IDX, key)
        self._drop_chunks(index, key, start ^ _OTHER_START)

    def _try_blob(self, namespace: str, key: str) -> bytes | None:
        try:
            return self.get_blob(namespace, key)
        except KeyError:
            return None

    def erase_key(self, namespace: str, key: str) -> None:
        self._recover()
        index = self._namespace(namespace)
        found = [(p, e) for p, e in self._live() if e.namespace == index and e.key == key]
        if not found:
            raise KeyError(key)
        for page, entry in found:
            page.mark_erased(entry)

    def keys(self, namespace: str) -> list[str]:
        """The keys in use, each once, in order of writing."""
        index = self._namespace(namespace)
        return list(dict.fromkeys(e.key for _, e in self._live() if e.namespace == index))

    # --- finding

    def _live(self) -> list[tuple[Page, Entry]]:
        """Every written entry, oldest first."""
        pages = sorted((p for p in self._pages if p.in_use), key=lambda p: p.sequence)
        return [(page, entry) for page in pages for entry in page.entries()]

    def _find(
        self, namespace: int, kind: int, key: str, chunk: int = ANY_CHUNK
    ) -> tuple[Page, Entry] | None:
        """The newest entry of this kind. A power cut between write and erase leaves two."""
        wanted = (namespace, kind, key, chunk)
        for page, entry in reversed(self._live()):
            if (entry.namespace, entry.kind, entry.key, entry.chunk) == wanted:
                return page, entry
        return None

    def _require(self, namespace: str, kind: int, key: str) -> tuple[Page, Entry]:
        found = self._find(self._namespace(namespace), kind, key)
        if not found:
            raise KeyError(key)
        return found

    def _namespace(self, name: str, create: bool = False) -> int:
        found = self._find(0, U8, name)
        if found:
            return found[1].data[0]
        if not create:
            raise KeyError(name)
        used = {e.data[0] for _, e in self._live() if e.namespace == 0 and e.kind == U8}
        index = next(i for i in range(1, 255) if i not in used)
        self._write(Entry(0, U8, 1, ANY_CHUNK, name, bytes([index]) + b"\xff" * 7))
        return index

    # --- writing

    def _write_chunks(self, index: int, key: str, value: bytes, start: int) -> int:
        """Store the bytes of a blob. Return the number of chunks."""
        at = count = 0
        while at < len(value) or not count:
            page = self._active()
            free_entries = (page.free_entries - 1) * ENTRY
            rest = len(value) - at
            if free_entries <= 0 or (free_entries < rest and free_entries < _SMALL_CHUNK):
                page = self._next_page()
                free_entries = (page.free_entries - 1) * ENTRY
            piece = value[at : at + min(free_entries, CHUNK_MAX)]
            page.append_data(Entry(index, BLOB_DATA, 0, start + count, key, b""), piece)
            at += len(piece)
            count += 1
        return count

    def _write(self, entry: Entry) -> None:
        page = self._active()
        if not page.free_entries:
            page = self._next_page()
        page.append(entry)

    def _erase_older(self, index: int, kind: int, key: str) -> None:
        same = [
            (p, e)
            for p, e in self._live()
            if e.namespace == index and e.kind == kind and e.key == key
        ]
        for page, entry in same[:-1]:
            page.mark_erased(entry)

    def _drop_chunks(self, index: int, key: str, start: int) -> None:
        for page, entry in self._live():
            if (entry.namespace, entry.kind, entry.key) != (index, BLOB_DATA, key):
                continue
            if entry.chunk & _OTHER_START == start:
                page.mark_erased(entry)

    # --- pages

    def _active(self) -> Page:
        active = [p for p in self._pages if p.state == ACTIVE]
        if active:
            return max(active, key=lambda p: p.sequence)
        return self._next_page()

    def _next_page(self) -> Page:
        """Close the active page and begin another one. May first move the live entries of a used
        page."""
        free = [p for p in self._pages if not p.in_use]
        if len(free) >= 2:
            return self._begin(free[0])
        victim = max(self._pages, key=lambda p: p.erased if p.in_use else 0)
        if not free or not victim.erased:
            raise NvsError("no space left in the NVS partition")
        # In the order of ESP-IDF: from FREEING on, an active page holds nothing but copies.
        self._close()
        victim.set_state(FREEING)
        page = self._move(victim, free[0])
        if not page.free_entries:
            raise NvsError("no space left in the NVS partition")
        return page

    def _close(self) -> None:
        for page in self._pages:
            if page.state == ACTIVE:
                page.set_state(FULL)

    def _begin(self, page: Page) -> Page:
        self._close()
        newest = max((p.sequence for p in self._pages if p.in_use), default=-1)
        page.begin(newest + 1)
        return page

    def _move(self, source: Page, target: Page) -> Page:
        self._begin(target)
        for entry in source.entries():
            target.copy(source, entry)
        source.erase()
        return target

    def _recover(self) -> None:
        """Finish the work of a power cut: a page that was being moved is moved again."""
        for source in [p for p in self._pages if p.state == FREEING]:
            for page in self._pages:
                if page.state == ACTIVE:
                    page.erase()
            self._move(source, next(p for p in self._pages if not p.in_use))
