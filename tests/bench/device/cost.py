"""Counts the flash operations of a record: on the ring log, and in a file on LittleFS.

It runs inside MicroPython and prints the figures as one JSON object.
"""

import json
import random
import sys

import vfs
from micropython import const
from ring import INTERVAL, Ring
from wire.record import DETECTOR_OK, MAX_BYTES, TIME_NTP, Interval

_SECTORS = const(256)
_SIZE = const(4096)
_RECORDS = const(3000)
_CHECKPOINTS = const(14)  # a minute apart, in an interval of 15 minutes
_LAPS = const(2)


class Counted:
    """A flash in memory that counts, with the interface of `esp32.Partition`."""

    def __init__(self):
        self.cells = bytearray(b"\xff" * (_SECTORS * _SIZE))
        self.zero()

    def zero(self):
        self.reads = self.read_bytes = self.erases = self.programs = self.programmed = 0

    def readblocks(self, n, buf, off=0):
        self.reads += 1
        self.read_bytes += len(buf)
        start = n * _SIZE + off
        buf[:] = memoryview(self.cells)[start : start + len(buf)]

    def writeblocks(self, n, buf, off=0):
        start = n * _SIZE + off
        new = bytes(buf)
        if self.cells[start : start + len(new)] != b"\xff" * len(new):
            raise ValueError("programs cells that are not blank")
        self.programs += 1
        self.programmed += len(new)
        self.cells[start : start + len(new)] = new

    def ioctl(self, op, arg):
        if op == 4:
            return _SECTORS
        if op == 5:
            return _SIZE
        if op == 6:
            self.erases += 1
            self.cells[arg * _SIZE : (arg + 1) * _SIZE] = b"\xff" * _SIZE
        return 0


class Records:
    """Packed intervals of a street with about 70 passages in 15 minutes, in two directions."""

    def __init__(self):
        random.seed(3)
        self.buf = bytearray(MAX_BYTES)
        self.bytes = 0
        self._interval = Interval()
        self._next = 0

    def next(self):
        """Pack the next interval into `buf`. Return its length."""
        rec = self._interval
        rec.reset(1790000000 + self._next * 900, self._next * 900)
        self._next += 1
        rec.length = rec.coverage = 900
        rec.boot, rec.config_hash, rec.supply_mv, rec.temp_c = 3, 0x5EED1234, 3650, 21
        rec.detector, rec.time_source, rec.sync_age = DETECTOR_OK, TIME_NTP, 600
        for _ in range(40 + random.randrange(60)):
            kind = (0, 1, 2, 2, 2, 3)[random.randrange(6)]
            direction = random.randrange(2)
            speed = 40 + random.randrange(18) * 40
            rec.add(direction, kind, speed, speed // 64)  # a radar corrects for the angle
            rec.add_headway(direction, random.randrange(1000, 49_000), -1, -1)  # it sees no rear
        n = rec.pack_into(self.buf)
        self.bytes += n
        return n


def _figures(flash, records):
    return {
        "erases": flash.erases / _RECORDS,
        "programmed_bytes": flash.programmed / _RECORDS,
        "programs": flash.programs / _RECORDS,
        "record_bytes": records.bytes / _RECORDS,
    }


def _open(flash):
    ring = Ring(flash, random.getrandbits)
    ring.open()
    return ring


def on_ring(checkpoints):
    """Append records. With `checkpoints` also write checkpoints and two cursors a record."""
    flash, records = Counted(), Records()
    ring = _open(flash)
    flash.zero()
    for _ in range(_RECORDS):
        n = records.next()
        for _ in range(checkpoints):
            ring.checkpoint(records.buf, n)
        seq = ring.append(INTERVAL, records.buf, n)
        if checkpoints:
            ring.set_cursor(0, seq, seq - 1)
            ring.set_cursor(0, seq, seq)
        ring.prepare()
    return _figures(flash, records)


def on_littlefs(closing):
    """Append records to a file: flush it after each, or open and close it (closing)."""
    flash, records = Counted(), Records()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    flash.zero()
    name = "/flash/log"
    file = None if closing else open(name, "ab")
    for _ in range(_RECORDS):
        n = records.next()
        out = open(name, "ab") if closing else file
        out.write(memoryview(records.buf)[:n])
        if closing:
            out.close()
        else:
            out.flush()
    figures = _figures(flash, records)
    if file:
        file.close()
    vfs.umount("/flash")
    return figures


def full_ring():
    """Fill the default partition until its oldest records go, then open it again."""
    flash, records = Counted(), Records()
    ring = _open(flash)
    held = 1 << 30  # the smallest number of records
    while ring.first_seq < 9000 * (_LAPS - 1):
        n = records.next()
        ring.checkpoint(records.buf, n)
        ring.append(INTERVAL, records.buf, n)
        if ring.first_seq > 1:
            held = min(held, ring.next_seq - ring.first_seq)
    flash.zero()
    again = _open(flash)
    if (again.first_seq, again.next_seq) != (ring.first_seq, ring.next_seq):
        raise ValueError("the ring does not come back as it was")
    return {"records": held, "open_reads": flash.reads, "open_bytes": flash.read_bytes}


def main():
    result = {
        "records": _RECORDS,
        "ring": on_ring(0),
        "ring_state": on_ring(_CHECKPOINTS),
        "littlefs_flush": on_littlefs(False),
        "littlefs_close": on_littlefs(True),
        "full": full_ring(),
        "partition_bytes": _SECTORS * _SIZE,
    }
    sys.stdout.write(json.dumps(result))


main()
