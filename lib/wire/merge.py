"""Merges intervals for a slow data rate: half an hour or an hour of 15-minute records as one.

The log keeps the single records. A merged record exists in a frame alone, and the frame names the
numbers that it stands for.
"""

from wire.frame import MERGED_MAX

_SUM_MAX = 0xFFFF


def can_merge(rec, older, span, period_s):
    """True if `older` lies directly before `rec`, in number and time, and in the same period.

    span: numbers that `rec` stands for. period_s: length of a period, aligned to UTC. False also
    if a sum would be above 65535 and so no longer exact.
    """
    return bool(
        older.seq == rec.seq - span
        and span < MERGED_MAX
        and older.start
        and older.start + older.length == rec.start
        and older.start // period_s == (rec.start + rec.length - 1) // period_s
        and _fits(rec.counts, older.counts)
        and _fits(rec.speed_n, older.speed_n)
    )


def _fits(values, more):
    for i in range(len(values)):
        if values[i] + more[i] > _SUM_MAX:
            return False
    return True


def merge(rec, older):
    """Merge the interval directly before (see `can_merge`) into `rec`.

    Number, cumulative totals and state of the node remain those of `rec`, the later one.
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
