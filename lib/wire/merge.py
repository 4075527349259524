"""Several intervals as one: half an hour or an hour of 15-minute records, for a slow data rate.

The log keeps the records as they are; a merged one only ever stands in a frame, and says which
numbers it stands for.
"""

from wire.frame import MOST_MERGED

_MOST = 0xFFFF


def joins(rec, older, span, period_s):
    """True when `older` lies directly before `rec`, in number and time, and in the same period.

    span: numbers that `rec` stands for. period_s: periods are multiples of it, UTC. What would
    not be exact any more (a sum above 65535) stays apart.
    """
    return bool(
        older.seq == rec.seq - span
        and span < MOST_MERGED
        and older.start
        and older.start + older.length == rec.start
        and older.start // period_s == (rec.start + rec.length - 1) // period_s
        and _fits(rec.counts, older.counts)
        and _fits(rec.speed_n, older.speed_n)
    )


def _fits(values, more):
    for i in range(len(values)):
        if values[i] + more[i] > _MOST:
            return False
    return True


def absorb(rec, older):
    """Take the interval directly before (see `joins`) into `rec`.

    Number, cumulative totals and the node's state remain those of `rec`, the later one.
    """
    rec.start = older.start
    rec.uptime = older.uptime
    rec.boot = older.boot
    rec.length += older.length
    rec.coverage += older.coverage
    rec.why |= older.why
    for i in range(len(rec.counts)):
        rec.counts[i] += older.counts[i]
    for i in range(len(rec.hist)):
        rec.hist[i] += older.hist[i]
    for i in range(2):
        rec.speed_sum[i] += older.speed_sum[i]
        rec.speed_n[i] += older.speed_n[i]
