"""The ring log of a node: interval, event and anchor records, checkpoints, link cursors.

Two regions share one partition. The small one (12 sectors, or a quarter of a small partition)
holds the data that changes often: the checkpoint of the open interval and the cursors of the
links. The large one holds the records. When it is full, the oldest records go first.
"""

import struct

from micropython import const

from ring.region import Region, RingError, Scratch

INTERVAL = 1
EVENT = 2
ANCHOR = 3

_CHECKPOINT = const(1)
_CURSORS = const(2)
_SMALL_MAX = const(12)
_CURSOR_BYTES = const(16)
_CHECKPOINT_MAX = const(480)
_REFUSED = "ring: flash does not hold what is written to it"


class Ring:
    """dev: a partition (`esp32.Partition`). rng(bits) -> int, for the log id of a new log.

    Records are numbered from 1 on, and a number is never used twice in a log. `first_seq` is the
    oldest record still held, `next_seq` the number of the next one. `log_id` has 32 bits, drawn
    at the format.
    """

    def __init__(self, dev, rng):
        total = dev.ioctl(4, 0)
        small = min(_SMALL_MAX, total // 4)
        if small < 2:
            raise RingError("ring: %d sectors, 8 are the least" % total)
        scratch = Scratch()
        self._small = Region(dev, 0, small, b"TPC1", scratch)
        self._log = Region(dev, small, total - small, b"TPR1", scratch)
        self._sectors = total - small
        self._rng = rng
        self._cursors = bytearray(_CURSOR_BYTES)  # sent, confirmed of both links, u32 each
        self._checkpoint = bytearray(4 + _CHECKPOINT_MAX)  # last interval u32 | payload
        self._checkpoint_len = 0
        self.last_interval = 0  # number of the newest INTERVAL record, 0 = none
        self._oldest = 0  # the sector that the record `first_seq` lies in
        self._at = (-1, 0, 0)  # where reading stopped: sector, position, next number
        self.first_seq = 1
        self.dropped = 0  # records that were erased before the backend confirmed them

    @property
    def next_seq(self):
        return self._log.next_number

    @property
    def log_id(self):
        return self._log.log_id

    # --- opening

    def open(self):
        """Recover the log. A partition is formatted only if it is wholly blank.

        Raises RingError if it holds other data, or a log of another version.
        """
        from ring.recovery import State, recover  # RAM: needed once, the caller unloads it

        state = State(self._cursors, self._checkpoint)
        is_located = recover(state, self._log, self._small, self._rng)
        self.first_seq, self._oldest = state.first_seq, state.oldest
        self.last_interval = state.last_interval
        self._checkpoint_len = state.checkpoint_len
        if not is_located:
            self._roll_small()

    # --- records

    def append(self, kind, payload, n=None):
        """Append a record and return its number. The record is safe on return."""
        self._write(self._log, self._roll, kind, payload, len(payload) if n is None else n)
        seq = self.next_seq - 1
        if kind == INTERVAL:
            self.last_interval = seq
            self._checkpoint_len = 0
        return seq

    def _write(self, region, roll, kind, payload, length):
        """Write an entry. roll(): opens the next sector of the region."""
        if not region.fits(length):
            roll()
        try:
            for _ in range(3):
                if region.append(kind, payload, length):
                    return
                roll()
        except OSError as error:
            raise RingError("ring: flash says %r" % error)
        raise RingError(_REFUSED)

    def _roll(self):
        log = self._log
        if not log.erased_ahead():
            self._drop_oldest()
        log.open_sector(self.last_interval)

    def _drop_oldest(self):
        """Give up the records in the place of the next sector, which is about to be erased."""
        log = self._log
        if self._oldest > log.active + 1 - self._sectors:
            return
        self._oldest = oldest = self._oldest + 1
        if oldest > log.active:
            first = log.next_number
        elif log.read_header(oldest) == oldest:
            first = log.first_entry
        else:
            first = self.first_seq  # damaged header: `read` will skip the records that are gone
        confirmed = max(self.cursor(0)[1], self.cursor(1)[1])
        if first - 1 > confirmed:
            self.dropped += first - max(self.first_seq, confirmed + 1)
        self.first_seq = first

    def prepare(self):
        """Erase ahead in a quiet moment, so that no append has to wait for an erase."""
        log, small = self._log, self._small
        if log.needs_erase():
            self._drop_oldest()
            log.erase(log.active + 1)
        if small.needs_erase():
            small.erase(small.active + 1)

    def read(self, seq, buf):
        """Copy a record's payload to `buf` and return (kind, length). KeyError if it is gone."""
        log = self._log
        if not self.first_seq <= seq < log.next_number:
            raise KeyError(seq)
        sector, pos, following = self._at
        if following != seq:
            sector, pos = self._sector_of(seq), 0
        while sector <= log.active:
            pos = log.find(sector, pos)
            if pos >= 0 and log.number == seq:
                self._at = (sector, pos, seq + 1)
                length = log.length
                buf[:length] = log.payload()
                return log.kind, length
            if pos < 0:
                sector, pos = sector + 1, 0
                if self._starts_behind(sector, seq):
                    break
            elif seq < log.number <= seq + 512:
                break
        raise KeyError(seq)

    def _starts_behind(self, sector, seq):
        """True if a sector has a readable header and begins behind `seq`."""
        log = self._log
        return sector > log.active or (log.read_header(sector) == sector and log.first_entry > seq)

    def _sector_of(self, seq):
        """The newest sector with a readable header that begins at or before `seq`."""
        log = self._log
        low, high = self._oldest, log.active
        while low < high:
            middle = probe = (low + high + 1) // 2
            while probe <= high and log.read_header(probe) != probe:
                probe += 1
            if probe <= high and log.first_entry <= seq:
                low = probe
            else:
                high = middle - 1
        return low

    # --- checkpoint and cursors

    def checkpoint(self, payload, n=None):
        """Keep the open interval. The checkpoint is void once an INTERVAL record is appended."""
        length = len(payload) if n is None else n
        buf = self._checkpoint
        struct.pack_into("<I", buf, 0, self.last_interval)
        buf[4 : 4 + length] = memoryview(payload)[:length]
        self._checkpoint_len = 4 + length
        self._write(self._small, self._roll_small, _CHECKPOINT, buf, 4 + length)

    def last_checkpoint(self, buf):
        """Copy the checkpoint of the open interval to `buf`. Return its length, 0 = none."""
        held, length = self._checkpoint, self._checkpoint_len - 4
        if length <= 0 or struct.unpack_from("<I", held, 0)[0] != self.last_interval:
            return 0
        buf[:length] = memoryview(held)[4 : 4 + length]
        return length

    def set_cursor(self, link, sent, confirmed):
        """Keep the last number that a link has sent, and the last that the backend confirmed.

        Numbers beyond the newest record are cut down to it.
        """
        last = self.next_seq - 1
        cursors = self._cursors
        struct.pack_into("<II", cursors, link * 8, min(sent, last), min(confirmed, last))
        self._write(self._small, self._roll_small, _CURSORS, cursors, _CURSOR_BYTES)

    def cursor(self, link):
        """(sent, confirmed) of a link: 0 mqtt, 1 lorawan."""
        return struct.unpack_from("<II", self._cursors, link * 8)

    def _roll_small(self):
        """Open a fresh sector. It begins with the checkpoint, if it is valid, and the cursors."""
        small, n = self._small, self._checkpoint_len
        for _ in range(3):
            small.open_sector(0)
            if n and not small.append(_CHECKPOINT, self._checkpoint, n):
                continue
            if small.append(_CURSORS, self._cursors, _CURSOR_BYTES):
                return
        raise RingError(_REFUSED)

    def stats(self):
        """Counters since this start: erases, bytes programmed, damaged places, records dropped.

        `opened` counts the sectors opened since the format. Divided by `sectors` it gives the
        wear: erases of each sector.
        """
        log, small = self._log, self._small
        return {
            "erases": log.erases + small.erases,
            "programmed_bytes": log.programmed_bytes + small.programmed_bytes,
            "corrupt": log.corrupt + small.corrupt,
            "dropped": self.dropped,
            "opened": log.active + 1,
            "sectors": self._sectors,
        }
