"""The interval record: counts, speeds, and how much of the interval was really observed.

Packed form (little endian; `varint` = base 128, least significant group first):

    version u8 = 1, 2 or 3 | start u32 (UTC, unix seconds, 0 = not known) | boot u16
    state u16 (time source 4 bits, detector 4 bits, reset cause) | config_hash u32 | temp_c i8
    varints:          uptime (s), length (s), length - coverage (s, modulo 2^16), why,
                      sync_age (s), supply_mv
    counts, totals:   each a varint mask of 10 bits (direction * 5 + class), then a varint
                      for every bit set, lowest first
    per direction:    varint sum of speeds (0.1 km/h), varint mask of 32 histogram bins, then for
                      every bit set the passages with such a speed: in base 8, least digit first,
                      a digit in 3 bits of a nibble whose fourth says that another follows; low
                      nibble first, filled up with 0
    sums:             from version 2 on: a varint mask of 8 bits (kind * 2 + direction), then a
                      varint for every bit set. Kinds: road users with a headway; sum of their
                      headways (front to front, 0.1 s); of their gaps (rear to front, 0.1 s); time
                      on the counting line (0.01 s). In version 3 the mask has 10 bits, for one
                      more kind: the part of the sum of speeds that the correction for the angle
                      to the road added (km/h)

The same bytes are a record in the ring, the checkpoint in flash and the copy in RTC memory. They
do not hold the sequence number: the ring has it.
"""

import struct
from array import array

from micropython import const

CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
# Numbers as in `machine` of the ESP32 port.
RESET_CAUSES = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")
BINS = const(32)
BIN_KMH = const(4)  # the last bin is open: 124 km/h and more
ANGLE_SUM = const(8)  # in `spacing`, by direction: added to the sum of speeds for the angle, km/h
MAX_BYTES = const(368)  # all fields at their limits: 34 + 2 + 10 * 3 + 2 + 10 * 5 + 2 * 106 + 32

WHY_BOOT = const(1)  # the node was not running for a part of the interval
WHY_SILENT = const(2)
WHY_BLOCKED = const(4)
WHY_MISCONFIGURED = const(8)
WHY_OVERFLOW = const(16)  # bytes or edges of the detector were lost
WHY_CLOCK = const(32)  # the clock was set: the interval is shorter than planned
WHY_RESTORED = const(64)  # a power cut lost the passages after the last checkpoint
WHY_CONFIG = const(128)
WHY_FORWARD = const(256)  # this direction was not observed, see firmware/counting/doubt.py
WHY_BACKWARD = const(512)
WHY_LINE = const(1024)  # tracks of it do not come to the counting line
WHY_SILENCE = const(2048)  # no counts, where usually there are some

DETECTOR_UNKNOWN, DETECTOR_OK, DETECTOR_QUIET, DETECTOR_SILENT = 0, 1, 2, 3
DETECTOR_BLOCKED, DETECTOR_MISALIGNED, DETECTOR_MISCONFIGURED = 4, 5, 6
TIME_NONE, TIME_RTC, TIME_NTP, TIME_LORAWAN, TIME_ANCHOR = 0, 1, 2, 3, 4

_PLAIN = const(1)  # version of a record without headways
_SPACED = const(2)
_ANGLED = const(3)  # speeds were corrected for the angle to the road
_SUMS = (0, 0, 8, 10)  # by version
_SUM_MAX = const(2_097_151)  # three bytes: an hour has 360,000 times 0.01 s
_HEAD = "<BIHHIb"
_HEAD_BYTES = const(14)
_SLOTS = const(10)
_U16 = const(0xFFFF)
_U32 = const(0xFFFFFFFF)


class Interval:
    """One interval. Times in seconds, speeds in 0.1 km/h."""

    def __init__(self):
        self.counts = array("H", [0] * _SLOTS)
        self.totals = array("I", [0] * _SLOTS)  # since the log was formatted
        self.hist = array("H", [0] * (2 * BINS))
        self.speed_sum = array("I", (0, 0))
        self.speed_n = array("H", (0, 0))
        self.spacing = array("I", [0] * 10)
        self._fraction = bytearray(2)  # by direction, of ANGLE_SUM, 0.1 km/h
        self.boot = 0
        self.reset_cause = 0
        self.config_hash = 0
        self.supply_mv = 0
        self.temp_c = -128
        self.detector = DETECTOR_UNKNOWN
        self.time_source = TIME_NONE
        self.sync_age = _U16
        self.seq = 0
        self.reset(0, 0)

    def reset(self, start, uptime):
        """Begin an empty interval. Cumulative totals and the state of the node continue."""
        for i in range(_SLOTS):
            self.counts[i] = 0
        for i in range(2 * BINS):
            self.hist[i] = 0
        for i in range(2):
            self.speed_sum[i] = 0
            self.speed_n[i] = 0
            self._fraction[i] = 5  # rounds
        for i in range(10):
            self.spacing[i] = 0
        self.start = start
        self.uptime = uptime
        self.length = 0
        self.coverage = 0
        self.why = 0

    def add(self, direction, cls, speed_dkmh, added_dkmh=0):
        """Count a passage. speed_dkmh: 0.1 km/h, negative = unknown. Allocates nothing.

        added_dkmh: the part of the speed that the correction for the angle added.
        """
        slot = direction * 5 + cls
        if self.counts[slot] < _U16:
            self.counts[slot] += 1
            self.totals[slot] = (self.totals[slot] + 1) & 0x3FFFFFFF
        if speed_dkmh >= 0 and self.speed_n[direction] < _U16:
            self.speed_n[direction] += 1
            self.speed_sum[direction] += speed_dkmh
            bin_ = min(speed_dkmh // (10 * BIN_KMH), BINS - 1)
            self.hist[direction * BINS + bin_] += 1
            added_dkmh += self._fraction[direction]
            self._sum(ANGLE_SUM + direction, added_dkmh // 10)
            self._fraction[direction] = added_dkmh % 10

    def add_headway(self, direction, headway_ms, gap_ms, occupied_ms):
        """Add headway, gap and time on the line of a passage, -1 = not known."""
        if headway_ms >= 0:
            self._sum(direction, 1)
            self._sum(2 + direction, (headway_ms + 50) // 100)
            self._sum(4 + direction, (gap_ms + 50) // 100)
        self._sum(6 + direction, (occupied_ms + 5) // 10)

    def withhold(self, k):
        """Keep nothing but the number of a direction in which fewer than `k` road users passed.

        Their classes become unknown, in `totals` too: the difference of two totals would tell
        them. Speeds and spacing become those of nobody.
        """
        for direction in range(2):
            first = direction * 5
            few = sum(self.counts[first : first + 5])
            if not 0 < few < k:
                continue
            for slot in range(first, first + 4):
                self.totals[slot] = (self.totals[slot] - self.counts[slot]) & 0x3FFFFFFF
                self.totals[first + 4] = (self.totals[first + 4] + self.counts[slot]) & 0x3FFFFFFF
                self.counts[slot] = 0
            self.counts[first + 4] = few
            for i in range(direction * BINS, direction * BINS + BINS):
                self.hist[i] = 0
            for i in range(direction, 10, 2):
                self.spacing[i] = 0
            self.speed_sum[direction] = self.speed_n[direction] = 0

    def _sum(self, i, more):
        self.spacing[i] = min(self.spacing[i] + more, _SUM_MAX)

    def pack_into(self, buf):
        """Write the packed form to `buf` (MAX_BYTES always suffice). Return its length."""
        state = self.time_source | self.detector << 4 | self.reset_cause << 8
        version = _PLAIN
        if self.spacing[ANGLE_SUM] or self.spacing[ANGLE_SUM + 1]:
            version = _ANGLED
        elif any(self.spacing):
            version = _SPACED
        struct.pack_into(
            _HEAD, buf, 0, version, self.start, self.boot, state, self.config_hash, self.temp_c
        )
        pos = _write(buf, _HEAD_BYTES, self.uptime)
        pos = _write(buf, pos, self.length)
        pos = _write(buf, pos, (self.length - self.coverage) & _U16)
        pos = _write(buf, pos, self.why)
        pos = _write(buf, pos, self.sync_age)
        pos = _write(buf, pos, self.supply_mv)
        pos = _write_sparse(buf, pos, self.counts, 0, _SLOTS)
        pos = _write_sparse(buf, pos, self.totals, 0, _SLOTS)
        for direction in range(2):
            pos = _write(buf, pos, self.speed_sum[direction])
            pos = _write_bins(buf, pos, self.hist, direction * BINS)
        sums = _SUMS[version]
        return _write_sparse(buf, pos, self.spacing, 0, sums) if sums else pos

    def unpack(self, buf, length):
        """Load a packed record of `length` bytes. Raises ValueError if it is not one."""
        from wire.unpack import unpack  # RAM: 1.8 KB, needed while records are read

        unpack(self, buf, length)


def _write(buf, pos, value):
    while value > 0x7F:
        buf[pos] = (value & 0x7F) | 0x80
        value >>= 7
        pos += 1
    buf[pos] = value
    return pos + 1


def _mask(values, first, count):
    mask = 0
    for i in range(count):
        if values[first + i]:
            mask |= 1 << i
    return mask


def _write_sparse(buf, pos, values, first, count):
    mask = _mask(values, first, count)
    pos = _write(buf, pos, mask)
    for i in range(count):
        if mask >> i & 1:
            pos = _write(buf, pos, values[first + i])
    return pos


def _write_bins(buf, pos, values, first):
    """Write bins in nibbles. Most bins hold few passages: so a log lasts a fifth longer."""
    mask = _mask(values, first, BINS)
    at = _write(buf, pos, mask) * 2  # in nibbles
    for i in range(BINS):
        if mask >> i & 1:
            value = values[first + i]
            while value > 7:
                _write_nibble(buf, at, value & 7 | 8)
                value >>= 3
                at += 1
            _write_nibble(buf, at, value)
            at += 1
    return (at + 1) >> 1


def _write_nibble(buf, at, nibble):
    if at & 1:
        buf[at >> 1] |= nibble << 4
    else:
        buf[at >> 1] = nibble
