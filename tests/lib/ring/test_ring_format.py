"""The format in flash stays what it is: an update finds the log of the version before it.

CRCs of the whole flash after made-up histories. A change of the format changes them; then it needs
a new number of the format, and a word in the CHANGELOG.
"""

import random
import struct
from binascii import crc32

from nor import Nor
from ring import ANCHOR, EVENT, INTERVAL, Ring

SMALL_SECTORS = """
75c3b1c9 1f8aded9 95f20f70 a2fd5b14 a2566181 b05d8693 400e22b8 51d20c1d
9519b749 fd75037a 6cf47fee 5d6e0209 4389cc64 9221572c 66189676
"""
A_LARGE_PARTITION = """
70096e6c f743e705 7a7f7743 a44fe3b8 fccb2fb0 682a436a d94dbad6 05fd3cb3
22222d14 fbc1e4e4 cf996738 5946bf34 9bd4ff2a a87bef86 3602f820
"""


def _open(flash, seed=1):
    random.seed(seed)
    ring = Ring(flash, random.getrandbits)
    ring.open()
    return ring


def _histories(flash, seed, steps):
    """The state of a ring after every 100 steps, each a CRC over flash, counters and contents."""
    ring, buf, crc = _open(flash), bytearray(600), 0
    for step in range(1, steps + 1):
        random.seed(seed + step)
        kind = random.randrange(12)
        payload = bytes([random.getrandbits(8) for _ in range(random.randrange(1, 120))])
        if kind < 5:
            ring.append((INTERVAL, INTERVAL, INTERVAL, EVENT, ANCHOR)[kind], payload)
        elif kind < 7:
            ring.checkpoint(payload)
        elif kind < 9:
            newest = ring.next_seq - 1
            behind = random.randrange(3), random.randrange(60)
            ring.set_cursor(kind - 7, *[max(0, newest - n) for n in behind])
        elif kind < 11:
            ring.prepare()
        elif random.randrange(4) == 0:
            ring = _open(flash)
        if step % 100 == 0:
            state = [ring.log_id, ring.first_seq, ring.next_seq, ring.last_interval, ring.dropped]
            state += ring.cursor(0) + ring.cursor(1)
            crc = crc32(repr((state, sorted(ring.stats().items()))).encode(), crc)
            crc = crc32(bytes(flash.cells), crc)
            crc = crc32(buf[: ring.last_checkpoint(buf)], crc)
            for seq in range(ring.first_seq, ring.next_seq):
                kind, n = ring.read(seq, buf)
                crc = crc32(buf[:n], crc32(b"%d" % kind, crc))
            yield "%08x" % crc


def _same(flash, seed, steps, wanted):
    got = list(_histories(flash, seed, steps))
    assert got == wanted.split(), " ".join(got)


def test_the_first_bytes_of_a_log_are_as_documented():
    flash = Nor()
    ring = _open(flash)
    ring.append(EVENT, b"hello")
    ring.set_cursor(0, 1, 1)
    head = bytes(flash.cells[4 * 512 : 4 * 512 + 32])
    assert head[:28] == b"TPR1" + struct.pack("<HHIIIII", 1, 512, ring.log_id, 0, 1, 0, 1)
    assert struct.unpack("<I", head[28:])[0] == crc32(head[:28])
    entry = bytes(flash.cells[4 * 512 + 32 : 4 * 512 + 52])
    assert entry[:8] == struct.pack("<HBBI", 5, EVENT, 0x5A, 1) and entry[12:] == b"hello\0\0\0"
    assert struct.unpack("<I", entry[8:12])[0] == crc32(b"hello", crc32(entry[:8]))
    assert flash.cells[:4] == b"TPC1"


def test_small_sectors():
    _same(Nor(), 1000, 1500, SMALL_SECTORS)


def test_a_large_partition():
    _same(Nor(20, 1024), 5000, 1500, A_LARGE_PARTITION)
