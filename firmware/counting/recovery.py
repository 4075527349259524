"""Restores the open interval after a restart: from RTC memory (reset) or the flash checkpoint.

After a reset that kept RTC memory the interval continues. After a power cut it is closed as far as
the checkpoint knew it, and a new one begins at its end. `counter.py` has the layout of both.
"""

import struct
from binascii import crc32

from counting.counter import RTC_HEAD, RTC_HEAD_BYTES, RTC_MAGIC
from micropython import const
from ring import INTERVAL
from wire.record import MAX_BYTES, WHY_BOOT, WHY_RESTORED, Interval

_SEARCH_MAX = const(400)  # records: the clock was unknown for four days


class Restored:
    """State of the counting at a start.

    is_cut: the record is an interval that the restart ended. It has to be closed.
    end: UTC at which the record's interval ends. 0: it does not continue, a new one begins.
    last_end: UTC at which the last closed interval with a known time ended, 0 without one.
    """

    def __init__(self):
        self.is_cut = False
        self.end = 0
        self.last_end = 0


def restore_interval(rec, ring, rtc, *, uptime, utc, length_s):
    """Fill `rec` with the interrupted interval and the totals; return the state, a Restored.

    utc: 0 while it is unknown. length_s: of an interval.
    """
    state, packed = Restored(), bytearray(MAX_BYTES)
    state.last_end = _read_last(rec, ring, packed)
    found = _from_rtc(rec, ring, rtc.read()) or _from_flash(rec, ring, packed)
    if not found:
        return state
    end = rec.start - rec.start % length_s + length_s
    if _continues(rec, found, utc, end):
        rec.why |= WHY_BOOT
        rec.uptime = max(0, uptime - (utc - rec.start))
        state.end = end
    else:
        rec.why |= found
        state.is_cut = True
    return state


def _continues(rec, found, utc, end):
    """True when the restored interval is still the present one, and the time certain."""
    return found == WHY_BOOT and rec.start and rec.start + rec.length <= utc + 1 and utc < end


def _read_last(rec, ring, packed):
    """Read the totals of the last closed interval into `rec`.

    Returns the end of the last one with a known time: intervals that were closed before the clock
    was known may follow it.
    """
    last, known, older = ring.last_interval, False, Interval()
    for seq in range(last, max(last - _SEARCH_MAX, ring.first_seq - 1), -1):
        try:
            kind, n = ring.read(seq, packed)
            if kind != INTERVAL:
                continue
            read = older if known else rec
            read.unpack(packed, n)
        except (KeyError, ValueError):
            continue
        known = True
        if read.start:
            return read.start + read.length
    return 0


def _from_flash(rec, ring, packed):
    n = ring.last_checkpoint(packed)
    return _unpacked(rec, packed, n, WHY_RESTORED) if n else 0


def _from_rtc(rec, ring, data):
    if len(data) < RTC_HEAD_BYTES:
        return 0
    magic, log_id, last, n, crc = struct.unpack_from(RTC_HEAD, data, 0)
    if magic != RTC_MAGIC or log_id != ring.log_id or last != ring.last_interval:
        return 0
    packed = data[RTC_HEAD_BYTES:][:n]
    if len(packed) < n or crc != crc32(packed, crc32(data[:14])):
        return 0
    return _unpacked(rec, packed, n, WHY_BOOT)


def _unpacked(rec, packed, n, why):
    """Unpack a record. Returns why it differs from one without a restart, 0 if it is no record."""
    try:
        rec.unpack(packed, n)
    except ValueError:
        return 0
    return why
