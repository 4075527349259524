"""The log is opened in flash, or in memory when the flash holds foreign data."""

import random
import struct
from binascii import crc32

from counting.build import open_ring
from core.faults import STORAGE
from nor import Nor
from ring import INTERVAL, Ring


class Opening:
    """The application as far as its log goes. flash: the partition of the board."""

    def __init__(self, flash):
        self.ring_partition = lambda: flash
        self.faults = []
        random.seed(7)
        self.ring, self.storage = open_ring(self, random.getrandbits, self.add_fault)

    def add_fault(self, code, reason):
        self.faults.append((code, reason))


def _of_another_version():
    """A flash with a log of format 2."""
    flash = Nor()
    Ring(flash, random.getrandbits).open()
    at = 4 * 512
    flash.cells[at + 4] = 2
    struct.pack_into("<I", flash.cells, at + 28, crc32(flash.cells[at : at + 28]))
    return flash


def test_a_good_log_is_in_flash():
    flash = Nor()
    app = Opening(flash)
    assert app.storage == "flash" and app.faults == []
    app.ring.append(INTERVAL, b"kept")
    assert Opening(flash).ring.next_seq == 2


def test_a_log_of_another_version_is_left_alone_and_counting_goes_on_in_memory():
    foreign = Nor()
    foreign.cells[700:720] = b"somebody else's data"
    for flash, reason in (
        (_of_another_version(), "ring: format 2, sector size 512 in flash"),
        (foreign, "ring: sector 1 holds foreign data; erase the partition"),
    ):
        before = bytes(flash.cells)
        app = Opening(flash)
        assert app.storage == reason and app.faults == [(STORAGE, reason)]
        for i in range(1, 401):
            assert app.ring.append(INTERVAL, b"%d" % i * 30) == i
            app.ring.checkpoint(b"open" * 20)
            app.ring.set_cursor(0, i, i)
            app.ring.prepare()
        assert bytes(flash.cells) == before, "not a bit of it is written"
        buf = bytearray(600)
        assert 401 - app.ring.first_seq > 20
        for i in range(app.ring.first_seq, 401):
            kind, n = app.ring.read(i, buf)
            assert (kind, bytes(buf[:n])) == (INTERVAL, b"%d" % i * 30)
