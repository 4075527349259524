"""The ring log of a node: interval, event and anchor records, checkpoints, link cursors.

Two regions share one partition. The small one (12 sectors, or a quarter of a small partition)
holds what is overwritten often: the checkpoint of the open interval and the cursors of the links.
The large one holds the records, oldest dropped first.
"""

import struct

from micropython import const

from ring.region import Region, RingError, Scratch

INTERVAL = 1
EVENT = 2
ANCHOR = 3

_CHECKPOINT = const(1)
_CURSORS = const(2)
_SMALL = const(12)
_LINKS = const(2)
_STATE_FORM = "<IIII"
_STATE_BYTES = const(16)
_MAX_CHECKPOINT = const(480)


class Ring:
    """dev: a partition (`esp32.Partition`); rng(bits) -> int, for the log id of a new log.

    Records are numbered from 1 on, never twice in the life of a log. `first_seq` is the oldest
    one still held, `next_seq` the next one's number, `log_id` 32 bits drawn at the format.
    """

    def __init__(self, dev, rng):
        total = dev.ioctl(4, 0)
        small = min(_SMALL, total // 4)
        if small < 2:
            raise RingError("ring: %d sectors, 8 are the least" % total)
        scratch = Scratch()
        self._small = Region(dev, 0, small, b"TPC1", scratch)
        self._log = Region(dev, small, total - small, b"TPR1", scratch)
        self._sectors = total - small
        self._rng = rng
        self._state = bytearray(_STATE_BYTES)  # sent, confirmed of both links
        self._check = bytearray(4 + _MAX_CHECKPOINT)
        self._check_len = 0
        self._last_interval = 0
        self._oldest = 0
        self._at = (-1, 0, 0)  # where reading stopped: sector, position, next number
        self.first_seq = 1
        self.dropped = 0
        self.dropped_range = (0, 0)

    @property
    def next_seq(self):
        return self._log.next_number

    @property
    def log_id(self):
        return self._log.log_id

    @property
    def last_interval(self):
        """Number of the newest INTERVAL record, 0 = none."""
        return self._last_interval

    # --- opening

    def open(self):
        """Recover the log; format only a partition that is wholly blank.

        Raises RingError for a partition that holds something else or another version.
        """
        from ring.recovery import recover  # its memory can be had back: nothing else needs it

        recover(self, self._rng)

    # --- records

    def append(self, kind, payload, n=None):
        """Append a record; durable on return. Returns its number."""
        length = len(payload) if n is None else n
        log = self._log
        if not log.room(length):
            self._roll()
        for _ in range(3):
            if log.append(kind, payload, length):
                break
            self._roll()
        else:
            raise RingError("ring: flash does not hold what is written to it")
        seq = log.next_number - 1
        if kind == INTERVAL:
            self._last_interval = seq
            self._check_len = 0
        return seq

    def _roll(self):
        log = self._log
        if not log.erased_ahead():
            self._drop_oldest()
        log.open_sector(self._last_interval)

    def _drop_oldest(self):
        """The place of the next sector is about to be erased: let go what it still holds."""
        if self._oldest > self._log.active + 1 - self._sectors:
            return
        self._oldest += 1
        log = self._log
        if self._oldest > log.active:
            first = log.next_number
        elif log.read_header(self._oldest) == self._oldest:
            first = log.first_entry
        else:
            first = self.first_seq  # damaged header: reading will step over what is gone
        confirmed = max(self.cursor(0)[1], self.cursor(1)[1])
        if first - 1 > confirmed:
            start = max(self.first_seq, confirmed + 1)
            self.dropped += first - start
            self.dropped_range = (start, first - 1)
        self.first_seq = first

    def prepare(self):
        """Erase ahead in a quiet moment, so that no append has to wait for it."""
        log, small = self._log, self._small
        if log.wants_erase():
            self._drop_oldest()
            log.erase(log.active + 1)
        if small.wants_erase():
            small.erase(small.active + 1)

    def read(self, seq, buf):
        """Copy a record's payload to `buf`; return (kind, length). KeyError if it is not held."""
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
        """True when a sector has a readable header and begins behind `seq`."""
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
        """Keep the open interval's state; void as soon as an INTERVAL record is appended."""
        length = len(payload) if n is None else n
        struct.pack_into("<I", self._check, 0, self._last_interval)
        self._check[4 : 4 + length] = memoryview(payload)[:length]
        self._check_len = 4 + length
        self._write_small(_CHECKPOINT, self._check, self._check_len)

    def last_checkpoint(self, buf):
        """Copy the checkpoint of the interval that was open last; return its length, 0 = none."""
        length = self._check_len - 4
        if length <= 0 or struct.unpack_from("<I", self._check, 0)[0] != self._last_interval:
            return 0
        buf[:length] = memoryview(self._check)[4 : 4 + length]
        return length

    def set_cursor(self, link, sent, confirmed):
        """Remember how far a link has sent and the backend confirmed. Numbers never run ahead."""
        last = self.next_seq - 1
        struct.pack_into("<II", self._state, link * 8, min(sent, last), min(confirmed, last))
        self._write_small(_CURSORS, self._state, _STATE_BYTES)

    def cursor(self, link):
        """(sent, confirmed) of a link: 0 mqtt, 1 lorawan."""
        return struct.unpack_from("<II", self._state, link * 8)

    def _write_small(self, kind, payload, length):
        small = self._small
        if not small.room(length):
            self._roll_small()
        for _ in range(3):
            if small.append(kind, payload, length):
                return
            self._roll_small()
        raise RingError("ring: flash does not hold what is written to it")

    def _roll_small(self):
        """A fresh sector begins with everything that is still in force, the cursors last."""
        small = self._small
        for _ in range(3):
            small.open_sector(0)
            if self._check_len and not small.append(_CHECKPOINT, self._check, self._check_len):
                continue
            if small.append(_CURSORS, self._state, _STATE_BYTES):
                return
        raise RingError("ring: flash does not hold what is written to it")

    def stats(self):
        """Counters since this start: erases, bytes programmed, damaged places, records dropped.

        Of the log's whole life: sectors opened, of how many; each time round wears them once.
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
