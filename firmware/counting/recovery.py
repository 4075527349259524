"""What a new life takes over from the last one: the start of counting.Counter.

After a reset that kept RTC memory the interval goes on as if nothing had happened. After a power
cut it is closed with what the checkpoint knew, and a new one begins where it ended.

Apart from the rest because it is needed once: the node gets its memory back after the start.
"""

import struct
from binascii import crc32

from micropython import const

from ring import INTERVAL
from wire.record import WHY_BOOT, WHY_RESTORED, Interval

_HEAD_BYTES = const(18)
_LOOK_BACK = const(400)  # records: the clock was not known for four days


def resume(counter):
    """Let a Counter go on, or begin, with what RTC memory and the ring hold."""
    _read_last(counter)
    rec, uptime, utc = counter.rec, counter._uptime_s(), counter._clock.utc()
    found = _from_rtc(counter) or _from_flash(counter)
    if not found:
        counter._begin(uptime, utc, WHY_BOOT)
        return
    if _goes_on(counter, found, utc):
        counter._identify()
        rec.why |= WHY_BOOT | found
        counter._end = counter._aligned_end(rec.start)
        counter._observed_ms = rec.coverage * 1000
        rec.uptime = max(0, uptime - (utc - rec.start))
    else:
        rec.why |= found
        counter._append()
        counter._begin(uptime, utc, WHY_BOOT)


def _goes_on(counter, found, utc):
    """True when the restored interval is still the present one, and the time certain."""
    rec = counter.rec
    return (
        not found & WHY_RESTORED
        and rec.start
        and rec.start + rec.length <= utc + 1
        and utc < counter._aligned_end(rec.start)
    )


def _read_last(counter):
    """Totals of the last closed interval, and the end of the last one whose time is known.

    Intervals that were closed before the clock was known may follow that one.
    """
    ring, packed = counter._ring, counter._packed
    last, known, older = ring.last_interval, False, Interval()
    for seq in range(last, max(last - _LOOK_BACK, ring.first_seq - 1), -1):
        try:
            kind, n = ring.read(seq, packed)
            if kind != INTERVAL:
                continue
            rec = older if known else counter.rec
            rec.unpack(packed, n)
        except (KeyError, ValueError):
            continue
        known = True
        if rec.start:
            counter._last_end = rec.start + rec.length
            return


def _from_flash(counter):
    n = counter._ring.last_checkpoint(counter._packed)
    return _take(counter, n, WHY_RESTORED) if n else 0


def _from_rtc(counter):
    ring, data = counter._ring, counter._rtc.read()
    if len(data) < _HEAD_BYTES:
        return 0
    magic, log_id, last, n, crc = struct.unpack_from(counter.HEAD, data, 0)
    if magic != counter.MAGIC or log_id != ring.log_id or last != ring.last_interval:
        return 0
    if len(data) < _HEAD_BYTES + n or crc != crc32(data[_HEAD_BYTES:][:n], crc32(data[:14])):
        return 0
    counter._packed[:n] = data[_HEAD_BYTES:][:n]
    return _take(counter, n, WHY_BOOT)


def _take(counter, n, why):
    try:
        counter.rec.unpack(counter._packed, n)
    except ValueError:
        return 0
    return why
