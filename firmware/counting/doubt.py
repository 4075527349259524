"""Doubts the counts of a radar along a road when an interval closes.

Coverage says that the radar worked. It does not say that it saw every lane. A direction is called
unseen if one of this holds:

- its tracks do not come to the line: two of them and no count, more than one in eight, or more
  than one in ten of late;
- the other direction has counts, and this one never had any;
- so many passed in the other direction since the last one in this that, by their usual balance,
  five were due.

The silence of both is doubted if usually five pass in such an interval, of late and at this hour,
and if the log holds no count at all. A zero without a reason means that nobody passed. In a
one-way street the other direction is unseen for good.

`state` keeps what it has learned.
"""

from micropython import const
from wire.record import WHY_FORWARD, WHY_LINE, WHY_SILENCE

STATE_SIZE = const(38)  # numbers of 32 bits, all 0 at the start
_BALANCE = const(4)  # two, passages by direction. Before them: `sight` at the last judgement
_SINCE = const(6)  # two, passages of the other direction since the last of this
_USUAL = const(8)  # four times the passages of an interval
_QUIET = const(9)  # UTC at which a doubted silence began
_HOURS = const(10)  # passages of an interval by hour, and 1. 0 = not known
_VOTES = const(34)  # four, of late: tracks that never came to the line, and counts, by direction
_DUE = const(5)  # at random none comes instead in 7 of 1,000 intervals
_MISSED_MIN = const(3)
_VOTES_MAX = const(128)  # then they are halved: a mended radar is believed after so many tracks
_VOTES_MIN = const(6)  # missed
_EQUAL = const(8)  # passages that each direction has at the start
_BALANCE_MAX = const(2000)  # then both numbers are halved: a day or more
_HOUR_S = const(3600)


def judge(state, sight, rec, length_s):
    """Return the reasons, bits of `why`, to doubt the interval `rec` that closes.

    sight: running numbers (16 bits) of tracks that never came to the line, and that did, forward,
    then backward. length_s: of a whole interval.
    """
    counts = sum(rec.counts[:5]), sum(rec.counts[5:])
    why = 0
    for i in (0, 1):
        why |= _unseen(state, sight, i, counts, rec.totals)
    if all(counts):
        for i in (0, 1):
            state[_BALANCE + i] += counts[i]
        while max(state[_BALANCE], state[_BALANCE + 1]) > _BALANCE_MAX:
            state[_BALANCE] >>= 1
            state[_BALANCE + 1] >>= 1
    return why | _silent(state, sum(counts), rec, length_s)


def _unseen(state, sight, i, counts, totals):
    tracks = [(sight[2 * i + k] - state[2 * i + k]) & 0xFFFF for k in (0, 1)]
    state[2 * i], state[2 * i + 1] = sight[2 * i], sight[2 * i + 1]
    n, other = counts[i], counts[1 - i]
    since = state[_SINCE + i] = 0 if n else min(state[_SINCE + i] + other, 0xFFFF)
    is_missed = tracks[0] >= (_MISSED_MIN if n else 2) and tracks[0] * 8 > sum(tracks)
    if _missed_of_late(state, _VOTES + 2 * i, tracks[0], n) or is_missed:
        return WHY_FORWARD << i | WHY_LINE
    never = other and not any(totals[5 * i : 5 * i + 5])
    due = since * (state[_BALANCE + i] + _EQUAL)
    if never or due >= _DUE * (state[_BALANCE + 1 - i] + _EQUAL):
        return WHY_FORWARD << i
    return 0


def _missed_of_late(state, at, missed, counted):
    state[at] += missed
    state[at + 1] += counted
    while state[at] + state[at + 1] > _VOTES_MAX:
        state[at] >>= 1
        state[at + 1] >>= 1
    return state[at] >= _VOTES_MIN and state[at] * 10 > state[at] + state[at + 1]


def _silent(state, total, rec, length_s):
    if not any(rec.totals):
        return WHY_SILENCE
    if rec.length * 8 < length_s * 7:
        return 0
    start, due = rec.start, state[_USUAL] >> 2
    hour = _HOURS + start // _HOUR_S % 24
    if state[hour]:
        due = min(due, state[hour] - 1)
    if not total and due >= _DUE:
        state[_QUIET] = state[_QUIET] or start
        return WHY_SILENCE
    if total and state[_QUIET]:
        # It was a real one: the radar sees. So this is usual at these hours.
        for at in range(state[_QUIET], min(start, state[_QUIET] + 24 * _HOUR_S), _HOUR_S):
            state[_HOURS + at // _HOUR_S % 24] = 1
        state[_QUIET] = 0
    state[_USUAL] += total - (state[_USUAL] >> 2)
    if start:
        state[hour] = max(state[hour] * 3 + total + 1, 4) >> 2
    return 0
