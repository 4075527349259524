"""Interval records as a binary frame, for LoRaWAN: fPort 1 (new) and 2 (sent again on request).

One record takes 24 bytes or less, except in the busiest hours, and never more than 48. So it
always fits into the 51 bytes of the slowest data rate. A frame is as long as it has to be. If
there is room left, the records before it follow, newest first: the next uplink then repairs the
loss of this one. Layout (bits, most significant first, filled up with 0 to a whole byte):

    version 8 = 1 | log 16: the low half of the log's id | NUMBER of the newest record
    RECORD, then as long as a bit is 1: another RECORD, older than the one before
    a bit: 1 = cumulative totals follow: class 3, width 5, forward, backward in `width` bits each

    NUMBER   size 2: 0, 1, 2, 3 = 14, 17, 20, 32 bits that follow
    RECORD   PLACE | MERGED | LENGTH | time source 3 | STATE | SPEED forward, backward | COUNTS
    PLACE    of the newest: START. Of another: a bit 1 = it lies directly before the last one, in
             number and in time; 0 = its NUMBER and START follow
    START    22: in units of 300 s since 2025-01-01T00:00:00Z, all 1 = not known;
             a bit: 1 = 9 bits follow, seconds to add
    MERGED   a bit: 1 = 6 bits follow: the record stands for so many numbers before its own, too
    LENGTH   3: 0..4 = 60, 300, 900, 1800, 3600 s; 7 = 16 bits follow, s
    STATE    a bit: 1 = detector ok, whole interval covered, no reason; 0 = COUNT seconds missed,
             COUNT reasons (bits of `why`), detector 3
    COUNT    width 4: so many bits follow; 15 = 16 bits
    SPEED    a bit: 0 = none measured; 1 = mean 8 (0.5 km/h, 255 = 127.5 and more), v85 7 (km/h,
             127 = 124 and more: the open bin of the histogram)
    COUNTS   per class (pedestrian, bicycle, car, heavy, unknown): width 4 as in COUNT, forward,
             backward in so many bits each; 65535 = so many and more

All fields are exact except the speeds. A field at its limit has its largest value.
"""

from micropython import const

from wire.record import BIN_KMH, BINS, DETECTOR_OK

VERSION = const(1)
PORT_COUNTS = const(1)
PORT_RESENT = const(2)
PORT_EVENT = const(3)  # this one and the next two are written by wire/note.py
PORT_STATE = const(4)
PORT_ANSWER = const(5)
MAX_BYTES = const(48)  # of a frame with one record
MERGED_MAX = const(64)  # numbers in one record

_SHORT_BYTES = const(24)
_NUMBER_BITS = (14, 17, 20, 32)
_LENGTHS = (60, 300, 900, 1800, 3600)
_EXPLICIT = const(7)
_EPOCH = const(1_735_689_600)  # 2025-01-01
_UNIT_S = const(300)
_UNKNOWN = const(0x3FFFFF)
_CLASSES = const(5)
_MEAN_MAX = const(255)
_V85_MAX = const(127)
_TOTAL_MASK = const(0x3FFFFFFF)  # cumulative totals wrap here
_END_BITS = const(2)  # no other record, no totals


class Bits:
    """Writes bits to `buf`, a bytearray, most significant bit first.

    Bits behind the end of `buf` only move `pos`. The caller compares `pos`, and sets it back.
    """

    def __init__(self, buf):
        self._buf = buf
        self.size = len(buf)
        self.pos = 0  # in bits

    def reset(self):
        self.pos = 0

    def write(self, value, width):
        """Append the low `width` bits of a number."""
        buf, pos = self._buf, self.pos
        while width:
            free = 8 - (pos & 7)
            n = min(free, width)
            width -= n
            if pos >> 3 < self.size:
                shift = free - n
                mask = ((1 << n) - 1) << shift
                kept = buf[pos >> 3] & (0xFF ^ mask)
                buf[pos >> 3] = kept | (value >> width << shift) & mask
            pos += n
        self.pos = pos

    def fill(self):
        """Fill the last byte up with 0. Return the length in bytes."""
        if self.pos & 7:
            self.write(0, 8 - (self.pos & 7))
        return self.pos >> 3


class Frame:
    """Builds one frame in `buf`: `begin`, `add` from the newest record to older ones, `end`.

    is_long: the newest record alone made the frame longer than 24 bytes.
    """

    def __init__(self, buf):
        self._bits = Bits(buf)
        self._pos_max = 0
        self._below = 0  # the number directly before the last record added
        self._start = 0  # of that record
        self._totals = [0, 0]
        self._cls = 0
        self.records = 0
        self.is_long = False

    def begin(self, log_id, size_max, cls):
        """size_max: bytes. cls: the class that adds its cumulative totals if they fit."""
        bits = self._bits
        bits.reset()
        bits.write(VERSION, 8)
        bits.write(log_id & 0xFFFF, 16)
        self._pos_max = min(size_max, bits.size) * 8 - _END_BITS
        self._cls = cls
        self.records = 0
        self.is_long = False

    def add(self, rec, span=1):
        """Add a record that stands for `span` numbers. False, and no change, if it is too long."""
        if not 1 <= span <= min(MERGED_MAX, rec.seq):
            raise ValueError("frame: record %d for %d numbers" % (rec.seq, span))
        bits = self._bits
        mark = bits.pos
        self._place(rec)
        self._record(rec, span)
        if bits.pos > self._pos_max:
            bits.pos = mark
            return False
        if not self.records:
            self._totals[0] = rec.totals[self._cls] & _TOTAL_MASK
            self._totals[1] = rec.totals[_CLASSES + self._cls] & _TOTAL_MASK
            self.is_long = bits.pos + _END_BITS > _SHORT_BYTES * 8
        self.records += 1
        self._below = rec.seq - span
        self._start = rec.start
        return True

    def end(self):
        """Close the frame. Return its length in bytes."""
        bits = self._bits
        bits.write(0, 1)
        width = max(_width(self._totals[0]), _width(self._totals[1]))
        if bits.pos + 9 + 2 * width <= self._pos_max + _END_BITS:
            bits.write(1, 1)
            bits.write(self._cls, 3)
            bits.write(width, 5)
            bits.write(self._totals[0], width)
            bits.write(self._totals[1], width)
        else:
            bits.write(0, 1)
        return bits.fill()

    def _place(self, rec):
        bits = self._bits
        if self.records:
            bits.write(1, 1)
            adjacent = rec.seq == self._below and rec.start
            if adjacent and rec.start + rec.length == self._start:
                bits.write(1, 1)
                return
            bits.write(0, 1)
        self._number(rec.seq)
        units, seconds = divmod(rec.start - _EPOCH, _UNIT_S) if rec.start else (_UNKNOWN, 0)
        if not 0 <= units < _UNKNOWN:
            units, seconds = _UNKNOWN, 0
        bits.write(units, 22)
        bits.write(1 if seconds else 0, 1)
        if seconds:
            bits.write(seconds, 9)

    def _number(self, seq):
        size = 0
        while seq >> _NUMBER_BITS[size]:
            size += 1
        self._bits.write(size, 2)
        self._bits.write(seq, _NUMBER_BITS[size])

    def _record(self, rec, span):
        bits = self._bits
        bits.write(1 if span > 1 else 0, 1)
        if span > 1:
            bits.write(span - 1, 6)
        code = _LENGTHS.index(rec.length) if rec.length in _LENGTHS else _EXPLICIT
        bits.write(code, 3)
        if code == _EXPLICIT:
            bits.write(rec.length, 16)
        bits.write(rec.time_source, 3)
        self._state(rec)
        for direction in range(2):
            self._speed(rec, direction)
        for cls in range(_CLASSES):
            self._pair(rec.counts[cls], rec.counts[_CLASSES + cls])

    def _state(self, rec):
        missed = max(0, rec.length - rec.coverage)
        if rec.detector == DETECTOR_OK and not missed and not rec.why:
            self._bits.write(1, 1)
            return
        self._bits.write(0, 1)
        self._count(missed)
        self._count(rec.why)
        self._bits.write(rec.detector, 3)

    def _count(self, value):
        width = min(_width(value), 15)
        self._bits.write(width, 4)
        self._bits.write(value, 16 if width == 15 else width)

    def _pair(self, forward, backward):
        bits = self._bits
        width = min(max(_width(forward), _width(backward)), 15)
        bits.write(width, 4)
        for value in (forward, backward):
            bits.write(value, 16 if width == 15 else width)

    def _speed(self, rec, direction):
        n = rec.speed_n[direction]
        self._bits.write(1 if n else 0, 1)
        if n:
            mean = (2 * rec.speed_sum[direction] + 5 * n) // (10 * n)
            self._bits.write(min(mean, _MEAN_MAX), 8)
            self._bits.write(v85_kmh(rec, direction), 7)


def v85_kmh(rec, direction):
    """The speed that 85 % stay below, interpolated in its bin, rounded. 127 = in the open bin."""
    n = rec.speed_n[direction]
    first = direction * BINS
    bin_ = below = 0
    while 100 * (below + rec.hist[first + bin_]) < 85 * n:
        below += rec.hist[first + bin_]
        bin_ += 1
    if bin_ == BINS - 1:
        return _V85_MAX
    whole = 100 * rec.hist[first + bin_]
    part = BIN_KMH * (85 * n - 100 * below)
    return BIN_KMH * bin_ + (2 * part + whole) // (2 * whole)


def _width(value):
    width = 0
    while value >> width:
        width += 1
    return width
