"""Unpacks the interval record (its form: record.py), and refuses what a node cannot have written.

Records are read when they are sent. So a node has this module in memory only then.
"""

import struct

from micropython import const

from wire.record import BINS, DETECTOR_MISCONFIGURED, RESET_CAUSES, TIME_ANCHOR

_PLAIN = const(1)
_ANGLED = const(3)
_SUMS = (0, 0, 8, 10)  # kinds of sums, by version
_HEAD = "<BIHHIb"
_HEAD_BYTES = const(14)
_SLOTS = const(10)
_U16 = const(0xFFFF)
_U32 = const(0xFFFFFFFF)


def unpack(rec, buf, length):
    """Load a packed record of `length` bytes into `rec`. Raises ValueError if it is not one."""
    if length < _HEAD_BYTES or not _PLAIN <= buf[0] <= _ANGLED:
        raise ValueError("record: length %d, version %d" % (length, buf[0] if length else 0))
    _version, rec.start, rec.boot, state, rec.config_hash, rec.temp_c = struct.unpack_from(
        _HEAD, buf, 0
    )
    _read_state(rec, state)
    rec.uptime, pos = _read(buf, _HEAD_BYTES, length, _U32)
    rec.length, pos = _read(buf, pos, length, _U16)
    missed, pos = _read(buf, pos, length, _U16)
    rec.coverage = (rec.length - missed) & _U16
    rec.why, pos = _read(buf, pos, length, _U16)
    rec.sync_age, pos = _read(buf, pos, length, _U16)
    rec.supply_mv, pos = _read(buf, pos, length, _U16)
    pos = _read_sparse(buf, pos, length, rec.counts, _SLOTS)
    pos = _read_sparse(buf, pos, length, rec.totals, _SLOTS)
    for direction in range(2):
        rec.speed_sum[direction], pos = _read(buf, pos, length, _U32)
        pos = _read_bins(buf, pos, length, rec.hist, direction * BINS)
        rec.speed_n[direction] = _samples(rec, direction * BINS)
    for i in range(10):
        rec.spacing[i] = 0
    if _SUMS[buf[0]]:
        pos = _read_sparse(buf, pos, length, rec.spacing, _SUMS[buf[0]])
    if pos != length:
        raise ValueError("record: %d bytes left over" % (length - pos))


def _read_state(rec, state):
    rec.time_source = state & 15
    rec.detector = state >> 4 & 15
    rec.reset_cause = state >> 8
    if rec.time_source > TIME_ANCHOR or rec.detector > DETECTOR_MISCONFIGURED:
        raise ValueError("record: state %04x" % state)
    if rec.reset_cause >= len(RESET_CAUSES):
        raise ValueError("record: reset cause %d" % rec.reset_cause)


def _samples(rec, first):
    """Number of passages with a speed: each is in a bin."""
    total = 0
    for i in range(first, first + BINS):
        total += rec.hist[i]
    if total > _U16:
        raise ValueError("record: %d speeds, out of range" % total)
    return total


def _read(buf, pos, end, limit):
    """A varint at `pos`: (value, position behind it). ValueError beyond limit or end."""
    value = shift = 0
    while True:
        if pos >= end or shift > 28:
            raise ValueError("record: bad number at byte %d" % pos)
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if value > limit:
        raise ValueError("record: %d at byte %d is out of range" % (value, pos - 1))
    return value, pos


def _read_sparse(buf, pos, end, values, count):
    mask, pos = _read(buf, pos, end, (1 << count) - 1)
    for i in range(count):
        value = 0
        if mask >> i & 1:
            value, pos = _read(buf, pos, end, _U32)
        values[i] = value
        if values[i] != value:
            raise ValueError("record: %d at byte %d is out of range" % (value, pos - 1))
    return pos


def _read_bins(buf, pos, end, values, first):
    mask, pos = _read(buf, pos, end, _U32)
    at = pos * 2
    for i in range(BINS):
        value = 0
        if mask >> i & 1:
            value, at = _read_digits(buf, at, end * 2)
        values[first + i] = value
    if at & 1 and buf[at >> 1] >> 4:
        raise ValueError("record: byte %d is not filled up with 0" % (at >> 1))
    return (at + 1) >> 1


def _read_digits(buf, at, end):
    value = shift = 0
    while True:
        if at >= end or shift > 15:
            raise ValueError("record: bad number at byte %d" % (at >> 1))
        nibble = buf[at >> 1] >> (4 if at & 1 else 0)
        at += 1
        value |= (nibble & 7) << shift
        if not nibble & 8:
            break
        shift += 3
    if value > _U16:
        raise ValueError("record: %d at byte %d is out of range" % (value, (at - 1) >> 1))
    return value, at
