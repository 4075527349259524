"""Headers that no ring has written, with right CRCs: no endless walk, no restart for ever."""

import random
import struct
from binascii import crc32

from nor import Nor
from ring import EVENT, Ring

HEADER = "<4sHHIIIII"


def _open(flash):
    ring = Ring(flash, random.getrandbits)
    ring.open()
    return ring


def _write_header(flash, place, ring, *, form=1, n=0, first=1):
    head = struct.pack(HEADER, b"TPR1", form, flash.ioctl(5, 0), ring.log_id, n, first, 0, 1)
    flash.ioctl(6, place)
    flash.writeblocks(place, head + struct.pack("<I", crc32(head)), 0)


def _entry(kind, number, payload):
    head = struct.pack("<HBBI", len(payload), kind, 0x5A, number)
    return head + struct.pack("<I", crc32(payload, crc32(head))) + payload


def _log():
    """A flash of 8 sectors, of which 2 are the small region, and a log with 3 records in it."""
    flash = Nor(8)
    ring = _open(flash)
    for _ in range(3):
        ring.append(EVENT, b"x")
    return flash, ring


def test_a_sector_number_near_the_end_is_no_header():
    flash, ring = _log()
    for place in range(2, 8):
        n = 0xFFFFFFFC - 0xFFFFFFFC % 6 + place - 8
        _write_header(flash, place, ring, n=n, first=0)
    ring = _open(flash)
    assert ring.stats()
    for seq in range(4):
        try:
            ring.read(seq, bytearray(600))
        except KeyError:
            continue
    assert ring.append(EVENT, b"y")


def test_a_header_of_another_format_behind_a_good_one_stops_nothing():
    flash, ring = _log()
    _write_header(flash, 3, ring, form=9, n=1, first=4)
    ring = _open(flash)
    assert ring.read(3, bytearray(600)) == (EVENT, 1)
    seq = ring.append(EVENT, b"y")
    assert ring.read(seq, bytearray(600)) == (EVENT, 1)


def test_numbers_near_the_end_are_no_entries():
    """Behind 2^32 the next number would be 0, and the checkpoint would be void for ever."""
    for number in (0x8000_0000, 0xFFFF_FFFF):
        flash, ring = _log()
        flash.writeblocks(2, _entry(EVENT, number, b"xxxx"), 32 + 3 * 16)
        ring = _open(flash)
        assert ring.next_seq == 4
        flash, ring = _log()
        _write_header(flash, 3, ring, n=1, first=number)
        assert _open(flash).next_seq == 4
        flash, ring = _log()
        flash.writeblocks(0, _entry(2, 1, struct.pack("<IIII", number, 0, 0, 0)), 32 + 28)
        assert _open(flash).next_seq == 4
