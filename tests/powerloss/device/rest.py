"""Damage at rest: a bit of the flash flips, or a whole sector is lost, without any operation.

A ring is filled until it has wrapped, or with its first records. Then every bit of it is flipped,
one at a time, and every sector becomes ones, zeros or noise. Each time the log is opened. Records
in other sectors must be there, no record may be wrong, and no number may come again. Records that
the damage hit may be gone. The options are those of `sweep.py`.
"""

import json
import random
import sys

import sabotage
from flash import Flash
from model import APPEND, CHECKPOINT, CURSOR, LOST, PREPARE, RESURRECTED, WRONG
from ring import RingError
from script import Script

_STEPS = (400, 12)  # a log that has wrapped; one that has a single sector of records
_SHOWN = 3


class Rest:
    def __init__(self, options):
        self.blocks, self.size, self.seed, self.payload_max = options["workload"]
        self._part, self._parts = options["shard"]
        self._one_in = options["one_in"]
        self._only = options["cut"]
        self._steps = _STEPS[options["young"]]
        self._new_ring = sabotage.maker(options["sabotage"])
        self.records = {}  # number: (kind, payload, sector)
        self.cuts = self.shown = 0
        self.failures = {LOST: 0, WRONG: 0, RESURRECTED: 0}
        self._buf = bytearray(600)

    def run(self):
        flash = Flash(self.blocks, self.size)
        ring = self._new_ring(flash, 0)
        ring.open()
        self._fill(flash, ring)
        self.cells, self.first, self.last = bytes(flash.cells), ring.first_seq, ring.next_seq - 1
        self.sent = ring.cursor(0)[0]
        damages = len(self.cells) * 8 + 3 * self.blocks
        for number in range(1, damages + 1):
            if self._only:
                number = self._only
            elif number % self._parts != self._part or number // self._parts % self._one_in:
                continue
            self._try(number)
            if self._only:
                break
        return damages

    def _fill(self, flash, ring):
        script, model = Script(self.seed, 0, self.payload_max), self
        for _ in range(self._steps):
            step = script.next(model)
            if step[0] == APPEND:
                self.last = ring.append(step[1], step[2])
                self.records[self.last] = (step[1], step[2], flash.sector)
            elif step[0] == CHECKPOINT:
                ring.checkpoint(step[1])
            elif step[0] == CURSOR:
                ring.set_cursor(step[1], step[2], step[3])
            elif step[0] == PREPARE:
                ring.prepare()
        ring.set_cursor(0, self.last, self.last)  # the backend has it all

    last = 0

    def _damaged(self, number):
        """Return the cells after a damage, and its sector."""
        cells = bytearray(self.cells)
        bits = len(cells) * 8
        if number <= bits:
            at = (number - 1) // 8
            cells[at] ^= 1 << (number - 1) % 8
            return cells, at // self.size
        sector, how = divmod(number - 1 - bits, 3)
        random.seed(number)
        start = sector * self.size
        for i in range(start, start + self.size):
            cells[i] = (0xFF, 0, random.getrandbits(8))[how]
        return cells, sector

    def _try(self, number):
        self.cuts += 1
        cells, sector = self._damaged(number)
        flash = Flash(self.blocks, self.size, cells)
        flash.faulty = True
        ring = self._new_ring(flash, 1)
        try:
            ring.open()
            self._check(ring, sector, number)
            seq = ring.append(1, b"after")
            if seq <= self.last:
                self._report(WRONG, "number %d comes again" % seq, number)
            again = self._new_ring(flash, 1)
            again.open()
            if again.next_seq != seq + 1 or again.read(seq, self._buf) != (1, 5):
                self._report(LOST, "record %d, which came after" % seq, number)
        except (RingError, KeyError, ValueError, IndexError, TypeError) as error:
            self._report(LOST, "%s: %s" % (type(error).__name__, error), number)

    def _check(self, ring, sector, number):
        for seq in range(self.first, self.last + 1):
            kind, payload, where = self.records[seq]
            try:
                found, n = ring.read(seq, self._buf)
            except KeyError:
                if where != sector:
                    self._report(LOST, "record %d of sector %d" % (seq, where), number)
                continue
            if found != kind or bytes(self._buf[:n]) != payload:
                self._report(WRONG, "record %d" % seq, number)
        for seq in range(max(1, self.first - 20), self.first):
            try:
                ring.read(seq, self._buf)
            except KeyError:
                continue
            self._report(RESURRECTED, "record %d" % seq, number)

    def _report(self, kind, text, number):
        self.failures[kind] += 1
        self.shown += 1
        if self.shown <= _SHOWN:
            text = json.dumps({"kind": kind, "text": text, "path": [(number, "rest")]})
            sys.stdout.write(text + "\n")


def main():
    rest = Rest(json.load(sys.stdin))
    operations = rest.run()
    result = {"cuts": rest.cuts, "operations": operations}
    result.update(rest.failures)
    sys.stdout.write("%s\n" % json.dumps(result))


main()
