"""Model of the log: the data that must be in it, by the returned calls alone.

It knows only the interface of the log and the sizes of its two regions: a quarter of the sectors,
at most 12, for checkpoint and cursors, the rest for records. The flash shows which sector a record
lies in. So an erase tells which records may be gone, and all others must be there.
"""

from micropython import const

OPEN = const(0)
APPEND = const(1)
CHECKPOINT = const(2)
CURSOR = const(3)
PREPARE = const(4)
_INTERVAL = const(1)

LOST = "lost"
WRONG = "wrong"
RESURRECTED = "resurrected"


class Failure(Exception):
    """args: kind of the failure (LOST, WRONG, RESURRECTED), text."""


class Model:
    """blocks: sectors of the partition."""

    _buf = bytearray(600)
    _view = memoryview(_buf)

    def __init__(self, blocks):
        self._first = min(12, blocks // 4)  # sectors before it hold no records
        self._sectors = blocks - self._first
        self.live = {}  # number: (kind, payload, sector)
        self.maybe = {}  # the same, of a sector whose erase was cut
        self.last = 0  # the highest number that append() returned
        self.log_id = 0
        self.check = b""
        self.cursors = [(0, 0), (0, 0)]
        self.doing = (OPEN,)
        self.where = -1  # the sector of the operation that was cut
        self.cuts = 0
        self.laps = 0  # times that the last sector was erased

    def fork(self, sector, erase_cut):
        """A copy of the model at the moment of a cut, in an operation on `sector`."""
        twin = Model(self._first + self._sectors)
        twin.live = self.live.copy()
        twin.maybe = self.maybe.copy()
        twin.last, twin.log_id, twin.check = self.last, self.log_id, self.check
        twin.cursors = self.cursors[:]
        twin.doing = self.doing
        twin.where = sector
        twin.cuts = self.cuts + 1
        if erase_cut:
            twin.move_out(sector, twin.maybe)
        return twin

    # --- operations of the flash

    def erasing(self, sector):
        """An erase begins. It may only hit the oldest records, and only if the ring is full."""
        hit = [seq for seq, record in self.live.items() if record[2] == sector]
        if not hit:
            return
        rest = [seq for seq in self.live if self.live[seq][2] != sector]
        if rest and max(hit) > min(rest):
            raise Failure(LOST, "record %d is erased before %d" % (max(hit), min(rest)))
        held = len({self.live[seq][2] for seq in rest})
        if held < self._sectors - 1 - self.cuts:
            raise Failure(LOST, "record %d is erased with %d sectors held" % (max(hit), held))

    def erased(self, sector):
        self.move_out(sector, None)
        for seq in [seq for seq, record in self.maybe.items() if record[2] == sector]:
            del self.maybe[seq]
        if sector == self._first + self._sectors - 1:
            self.laps += 1

    def move_out(self, sector, to):
        """Remove the records of a sector. to: a dict that keeps them, or None."""
        for seq in [seq for seq, record in self.live.items() if record[2] == sector]:
            if to is not None:
                to[seq] = self.live[seq]
            del self.live[seq]

    # --- returned calls

    def appended(self, seq, sector):
        if seq != self.last + 1:
            raise Failure(WRONG, "append() returned %d after %d" % (seq, self.last))
        self.last = seq
        self.live[seq] = (self.doing[1], self.doing[2], sector)
        if self.doing[1] == _INTERVAL:
            self.check = b""

    def done(self):
        """The step in `doing` returned."""
        if self.doing[0] == CHECKPOINT:
            self.check = self.doing[1]
        elif self.doing[0] == CURSOR:
            self.cursors[self.doing[1]] = self.doing[2:4]
        self.doing = (PREPARE,)

    # --- after a recovery

    def settle(self, ring):
        """Check an opened ring against the model, and settle the records in doubt."""
        arrived = self._check_numbers(ring)
        self._check_records(ring)
        self._check_checkpoint(ring, arrived)
        self._check_cursors(ring)
        if arrived:
            self.appended(self.last + 1, self.where)
        self.live.update(self.maybe)
        self.maybe = {}
        self.doing = (PREPARE,)

    def _check_numbers(self, ring):
        """True if the record that was being appended is in the log."""
        if self.log_id not in (0, ring.log_id):
            raise Failure(WRONG, "another log id")
        self.log_id = ring.log_id
        ahead = ring.next_seq - 1 - self.last
        if ahead < 0:
            raise Failure(WRONG, "number %d would come again" % ring.next_seq)
        if ahead > (1 if self.doing[0] == APPEND else 0):
            raise Failure(WRONG, "next number %d after %d" % (ring.next_seq, self.last))
        return ahead == 1

    def _check_records(self, ring):
        live, view, read = self.live, self._view, ring.read
        held = 0
        for seq in range(ring.first_seq, ring.next_seq):
            want = live.get(seq) or self.maybe.get(seq)
            try:
                kind, n = read(seq, view)
            except KeyError:
                n = -1
            if n < 0:
                if seq in live or seq > self.last:
                    raise Failure(LOST, "record %d cannot be read" % seq)
                self.maybe.pop(seq, None)
                continue
            if want is None:
                if seq <= self.last:
                    raise Failure(RESURRECTED, "record %d is back" % seq)
                want = self.doing[1:]
            if kind != want[0] or view[:n] != want[1]:
                raise Failure(WRONG, "record %d has another payload" % seq)
            held += seq in live
        if held != len(live):
            raise Failure(LOST, "%d records before %d" % (len(live) - held, ring.first_seq))
        for seq in [seq for seq in self.maybe if seq < ring.first_seq]:
            del self.maybe[seq]

    def _check_checkpoint(self, ring, arrived):
        n = ring.last_checkpoint(self._buf)
        found = bytes(self._view[:n])
        want = b"" if arrived and self.doing[1] == _INTERVAL else self.check
        if found == want:
            return
        if self.doing[0] != CHECKPOINT or found != self.doing[1]:
            raise Failure(WRONG if found else LOST, "checkpoint %r, not %r" % (found, want))
        self.check = found

    def _check_cursors(self, ring):
        for link in range(2):
            found = tuple(ring.cursor(link))
            if found == self.cursors[link]:
                continue
            if self.doing[0] != CURSOR or self.doing[1] != link or found != self.doing[2:4]:
                kind = LOST if found < self.cursors[link] else WRONG
                raise Failure(kind, "cursor %r, not %r" % (found, self.cursors[link]))
            self.cursors[link] = found
