"""Entries in a circle of flash sectors: the mechanism under both parts of the ring.

The n-th sector to be opened lies at position n modulo the number of sectors.

    sector header (32 bytes)  magic 4s | format u16 | size u16 | log id u32 | opened u32 (n) |
                              first u32 (number of its first entry) | mark u32 | laps u32 | crc32
    entry                     length u16 | kind u8 | 0x5A | number u32 | crc32 u32 (of the eight
                              bytes before it and the payload) | payload | padding to 4 bytes

All numbers are little endian. An entry is one program operation. It counts only if its CRC is
right, so a torn entry never counts. Each entry is read back after it was programmed. If it reads
back wrong, it is written again in a fresh sector. After a power cut the space behind a torn entry
is not used again, because its cells may be half programmed without showing it.
"""

import struct
from binascii import crc32

from micropython import const

_FORMAT = const(1)
_HEADER = const(32)
_HEADER_FORM = "<4sHHIIIIII"
_ENTRY = const(12)
_TAG = const(0x5A)
_TAG_BYTE = b"\x5a"
_PAYLOAD_MAX = const(512)
_WINDOW = const(1024)  # bytes read at a time: more than the longest entry
_ERASE = const(6)
_NUMBER_BITS = const(31)  # of an entry's number: behind it the next ones would wrap
_SECTOR_BITS = const(28)  # of a sector number: 100,000 erasures of 2,684 sectors


class RingError(Exception):
    """The flash holds data that must not be overwritten, or it does not keep written data."""


class Scratch:
    """Buffers that regions share: a window into one sector, and the entry to write next."""

    def __init__(self):
        self.window = bytearray(_WINDOW)
        self.out = bytearray(_padded(_PAYLOAD_MAX))
        self.owner = None  # the region whose sector the window shows
        self.loaded = -1  # the number of that sector, -1 = none
        self.start = self.end = 0  # the part of it that the window shows


class Region:
    """dev: `esp32.Partition` (readblocks, writeblocks with offset, ioctl). first, count: sectors.

    scratch: a `Scratch`. Regions may share it if they are never used at the same time.
    """

    def __init__(self, dev, first, count, magic, scratch):
        self._dev = dev
        self._first = first
        self.count = count
        self._magic = magic
        self._size = dev.ioctl(5, 0)
        self._scratch = scratch
        self._window = scratch.window
        self._view = memoryview(self._window)
        self._head = bytearray(_HEADER)
        self._summed = memoryview(self._head)[:28]  # the part under its CRC
        self._out = scratch.out
        self._out_view = memoryview(self._out)
        self._ready = -1  # a sector erased since the start, so certainly blank
        self._tail = self._size
        self.log_id = 0
        self.active = -1  # the newest sector, counted since the format
        self.first_entry = 0  # of the header read last
        self.mark = 0  # of the header read last: a number that the owner chose
        self.next_number = 1
        self.kind = self.length = self.number = 0  # of the entry found last
        self.erases = self.programmed_bytes = self.corrupt = self.reads = 0

    # --- sectors

    def _place(self, opened):
        return self._first + opened % self.count

    def read_header(self, opened):
        """Read the header at the place of the n-th sector. Return its own n, or -1."""
        self._dev.readblocks(self._place(opened), self._head, 0)
        self.reads += 1
        magic, form, size, log_id, n, first, mark, _, crc = struct.unpack(_HEADER_FORM, self._head)
        if magic != self._magic or crc != crc32(self._summed):
            return -1
        if not first or first >> _NUMBER_BITS or n >> _SECTOR_BITS:
            return -1  # no ring writes this: it would be walked through for ever
        if form != _FORMAT or size != self._size:
            if self.log_id:
                return -1  # behind headers of this format: not a log of another version
            raise RingError("ring: format %d, sector size %d in flash" % (form, size))
        if self.log_id == 0:
            self.log_id = log_id
        elif self.log_id != log_id:
            return -1
        self.first_entry = first
        self.mark = mark
        return n

    def erase(self, opened):
        """Erase the place of the n-th sector."""
        self._dev.ioctl(_ERASE, self._place(opened))
        self.erases += 1
        self._ready = opened
        self.forget()

    def erased_ahead(self):
        return self._ready == self.active + 1

    def needs_erase(self):
        """True when the active sector is half full and the next one is not blank yet."""
        return not self.erased_ahead() and not self.fits(self._size // 2)

    def open_sector(self, mark):
        """Make the next sector the active one."""
        opened = self.active + 1
        if self._ready != opened:
            self.erase(opened)
        struct.pack_into(
            _HEADER_FORM, self._head, 0, self._magic, _FORMAT, self._size, self.log_id, opened,
            self.next_number, mark, opened // self.count + 1, 0,
        )  # fmt: skip
        struct.pack_into("<I", self._head, 28, crc32(self._summed))
        place = self._place(opened)
        self._dev.writeblocks(place, self._head, 0)
        self.programmed_bytes += _HEADER
        self.active = opened
        self._tail = _HEADER
        self.forget()
        back = self._view[:_HEADER]
        self._dev.readblocks(place, back, 0)
        if back != self._head:
            self.corrupt += 1
            self._tail = self._size  # full: no entry counts behind an unreadable header

    def _show(self, opened, pos, size):
        """Move the window so that it shows `size` bytes of a sector from `pos` on.

        It shows fewer at the end of the sector.
        """
        scratch = self._scratch
        if scratch.owner is self and scratch.loaded == opened and scratch.start <= pos:
            if pos + size <= scratch.end or scratch.end == self._size:
                return
        n = min(_WINDOW, self._size - pos)
        self._dev.readblocks(self._place(opened), self._view[:n], pos)
        self.reads += 1
        scratch.owner, scratch.loaded = self, opened
        scratch.start, scratch.end = pos, pos + n

    def forget(self):
        """Drop the window, because the flash has changed or is about to."""
        self._scratch.loaded = -1

    def is_clean(self, opened, pos):
        """True if only ones follow from `pos` to the end of the sector."""
        while pos < self._size:
            self._show(opened, pos, 1)
            at, end = pos - self._scratch.start, self._scratch.end - self._scratch.start
            if self._window.count(b"\xff", at, end) != end - at:
                return False
            pos += end - at
        return True

    def write_from(self, tail):
        """Write the next entry at this position of the active sector. Only ones may follow it."""
        self._tail = tail

    def set_full(self, opened):
        """Treat a sector as the newest one and as full."""
        self.active = opened
        self._tail = self._size

    # --- entries

    def find(self, opened, pos):
        """Find the next entry of a sector at or behind `pos`. Return the position after it or -1.

        kind, length and number describe the entry, `payload()` gives its bytes. Damaged bytes
        are skipped, so damage costs only the entries that it hit.
        """
        scratch, window = self._scratch, self._window
        if pos < _HEADER:
            pos = _HEADER
        last = self._size - _ENTRY
        while pos <= last:
            self._show(opened, pos, _ENTRY + _PAYLOAD_MAX)
            start, end = scratch.start, scratch.end
            at = pos - start
            if window[at + 3] == _TAG:
                if self._is_entry(at, end - start):
                    return pos + _padded(self.length)
                pos += 4
            else:
                tag = window.find(_TAG_BYTE, at + 4, end - start)
                pos = (start + tag if tag >= 0 else end) & ~3
        return -1

    def _is_entry(self, at, end):
        view = self._view
        length, kind, _, number, crc = struct.unpack_from("<HBBII", view, at)
        begin = at + _ENTRY
        if length > _PAYLOAD_MAX or begin + length > end or number >> _NUMBER_BITS:
            return False
        if crc != crc32(view[begin : begin + length], crc32(view[at : at + 8])):
            return False
        self.length = length
        self.kind = kind
        self.number = number
        self._at = begin
        return True

    def payload(self):
        """The bytes of the entry found last, valid until the next call."""
        return self._view[self._at : self._at + self.length]

    def fits(self, length):
        """True if an entry with so long a payload fits into the active sector."""
        return self._size - self._tail >= _padded(length)

    def append(self, kind, payload, length):
        """Write an entry to the active sector. False if it does not fit or reads back wrong."""
        if not self.fits(length):
            return False
        size = _padded(length)
        out = self._out
        struct.pack_into("<HBBI", out, 0, length, kind, _TAG, self.next_number)
        out[_ENTRY : _ENTRY + length] = memoryview(payload)[:length]
        for i in range(_ENTRY + length, size):
            out[i] = 0
        check = crc32(self._out_view[:8])
        check = crc32(self._out_view[_ENTRY : _ENTRY + length], check)
        struct.pack_into("<I", out, 8, check)
        place = self._place(self.active)
        self._dev.writeblocks(place, self._out_view[:size], self._tail)
        self.programmed_bytes += size
        self.forget()
        whole = _ENTRY + length  # without the padding, which no CRC covers
        back = self._view[:whole]
        self._dev.readblocks(place, back, self._tail)
        if back != self._out_view[:whole]:
            self.corrupt += 1
            self._tail = self._size
            return False
        self._tail += size
        self.next_number += 1
        return True


def _padded(length):
    return (_ENTRY + length + 3) & ~3
