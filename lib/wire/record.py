"""The interval record: what was counted, and how much of the interval was really observed.

Packed form (little endian; `varint` = base 128, least significant group first):

    version u8 = 1 | start u32 (UTC, unix seconds, 0 = not known) | boot u16 | uptime u32 (s)
    length u16 (s) | coverage u16 (s) | why u16 | time_source u8 | sync_age u16 (s)
    detector u8 | reset_cause u8 | config_hash u32 | supply_mv u16 | temp_c i8
    counts, totals:   each a varint mask of 10 bits (direction * 5 + class), then a varint
                      for every bit set, lowest first
    per direction:    varint sum of speeds (0.1 km/h), varint passages with a speed,
                      varint mask of 32 histogram bins, then a varint for every bit set

The same bytes are the ring's record, the checkpoint in flash and the copy in RTC memory. The
sequence number is not among them: it is the ring's.
"""

import struct
from array import array

from micropython import const

CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
BINS = const(32)
BIN_KMH = const(4)  # the last bin is open: 124 km/h and more
MAX_BYTES = const(400)  # every counter at its limit: 33 + 2 * (2 + 10 * 5) + 2 * (15 + 32 * 3)

WHY_BOOT = const(1)  # the node was not running for a part of the interval
WHY_SILENT = const(2)
WHY_BLOCKED = const(4)
WHY_MISCONFIGURED = const(8)
WHY_OVERFLOW = const(16)  # bytes or edges of the detector were lost
WHY_CLOCK = const(32)  # the clock was set: the interval is shorter than planned
WHY_RESTORED = const(64)  # the power failed: what came after the last checkpoint is not in here
WHY_CONFIG = const(128)

DETECTOR_UNKNOWN, DETECTOR_OK, DETECTOR_QUIET, DETECTOR_SILENT = 0, 1, 2, 3
DETECTOR_BLOCKED, DETECTOR_MISALIGNED, DETECTOR_MISCONFIGURED = 4, 5, 6
TIME_NONE, TIME_RTC, TIME_NTP, TIME_LORAWAN = 0, 1, 2, 3

_VERSION = const(1)
_HEAD = "<BIHIHHHBHBBIHb"
_HEAD_BYTES = const(29)
_SLOTS = const(10)
_U16 = const(0xFFFF)


class Interval:
    """One interval. Times in seconds, speeds in 0.1 km/h."""

    def __init__(self):
        self.counts = array("H", [0] * _SLOTS)
        self.totals = array("I", [0] * _SLOTS)  # since the log was formatted
        self.hist = array("H", [0] * (2 * BINS))
        self.speed_sum = array("I", (0, 0))
        self.speed_n = array("H", (0, 0))
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
        """Begin an empty interval; cumulative totals and the node's state go on."""
        for i in range(_SLOTS):
            self.counts[i] = 0
        for i in range(2 * BINS):
            self.hist[i] = 0
        for i in range(2):
            self.speed_sum[i] = 0
            self.speed_n[i] = 0
        self.start = start
        self.uptime = uptime
        self.length = 0
        self.coverage = 0
        self.why = 0

    def add(self, direction, cls, speed_dkmh):
        """Count a passage; `speed_dkmh` in 0.1 km/h, negative = unknown. Allocates nothing."""
        slot = direction * 5 + cls
        if self.counts[slot] < _U16:
            self.counts[slot] += 1
            self.totals[slot] = (self.totals[slot] + 1) & 0x3FFFFFFF
        if speed_dkmh >= 0 and self.speed_n[direction] < _U16:
            self.speed_n[direction] += 1
            self.speed_sum[direction] += speed_dkmh
            bin_ = min(speed_dkmh // (10 * BIN_KMH), BINS - 1)
            self.hist[direction * BINS + bin_] += 1

    def pack_into(self, buf):
        """Write the packed form to `buf` (MAX_BYTES always suffice); return its length."""
        struct.pack_into(
            _HEAD, buf, 0, _VERSION, self.start, self.boot, self.uptime, self.length,
            self.coverage, self.why, self.time_source, self.sync_age, self.detector,
            self.reset_cause, self.config_hash, self.supply_mv, self.temp_c,
        )  # fmt: skip
        pos = _put_sparse(buf, _HEAD_BYTES, self.counts, 0, _SLOTS)
        pos = _put_sparse(buf, pos, self.totals, 0, _SLOTS)
        for direction in range(2):
            pos = _put(buf, pos, self.speed_sum[direction])
            pos = _put(buf, pos, self.speed_n[direction])
            pos = _put_sparse(buf, pos, self.hist, direction * BINS, BINS)
        return pos

    def unpack(self, buf, length):
        """Take over a packed record of `length` bytes; raises ValueError if it is not one."""
        if length < _HEAD_BYTES or buf[0] != _VERSION:
            raise ValueError("record: length %d, version %d" % (length, buf[0] if length else 0))
        (_version, self.start, self.boot, self.uptime, self.length, self.coverage, self.why,
         self.time_source, self.sync_age, self.detector, self.reset_cause, self.config_hash,
         self.supply_mv, self.temp_c) = struct.unpack_from(_HEAD, buf, 0)  # fmt: skip
        pos = _get_sparse(buf, _HEAD_BYTES, length, self.counts, 0)
        pos = _get_sparse(buf, pos, length, self.totals, 0)
        for direction in range(2):
            pos = _get_into(buf, pos, length, self.speed_sum, direction)
            pos = _get_into(buf, pos, length, self.speed_n, direction)
            pos = _get_sparse(buf, pos, length, self.hist, direction * BINS)
        if pos != length:
            raise ValueError("record: %d bytes left over" % (length - pos))

    def merge(self, other):
        """Add what another record counted in the same interval; its own bounds do not matter."""
        for i in range(_SLOTS):
            self.counts[i] = min(self.counts[i] + other.counts[i], _U16)
        for i in range(2 * BINS):
            self.hist[i] = min(self.hist[i] + other.hist[i], _U16)
        for i in range(2):
            self.speed_sum[i] += other.speed_sum[i]
            self.speed_n[i] = min(self.speed_n[i] + other.speed_n[i], _U16)
        self.coverage += other.coverage
        self.why |= other.why


def _put(buf, pos, value):
    while value > 0x7F:
        buf[pos] = (value & 0x7F) | 0x80
        value >>= 7
        pos += 1
    buf[pos] = value
    return pos + 1


def _put_sparse(buf, pos, values, first, count):
    mask = 0
    for i in range(count):
        if values[first + i]:
            mask |= 1 << i
    pos = _put(buf, pos, mask)
    for i in range(count):
        if mask >> i & 1:
            pos = _put(buf, pos, values[first + i])
    return pos


def _get(buf, pos, end):
    value = shift = 0
    while True:
        if pos >= end or shift > 28:
            raise ValueError("record: bad number at byte %d" % pos)
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def _get_into(buf, pos, end, values, i):
    value, pos = _get(buf, pos, end)
    values[i] = value
    if values[i] != value:
        raise ValueError("record: %d out of range" % value)
    return pos


def _get_sparse(buf, pos, end, values, first):
    count = min(len(values) - first, BINS)
    mask, pos = _get(buf, pos, end)
    if mask >> count:
        raise ValueError("record: mask with bits beyond %d" % count)
    for i in range(count):
        values[first + i] = 0
        if mask >> i & 1:
            pos = _get_into(buf, pos, end, values, first + i)
    return pos
