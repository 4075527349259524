"""Opens a ring log: finds its newest end, or formats a blank partition.

This is needed once. After the start `del sys.modules["ring.recovery"]` gives its memory back.
"""

import struct

from micropython import const

from ring.region import RingError

_HEADER = const(32)
_INTERVAL = const(1)
_CHECKPOINT = const(1)
_CURSORS = const(2)
_CURSOR_FORM = "<IIII"
_CURSOR_BYTES = const(16)
_STEP_MAX = const(512)  # one sector cannot hold more entries than this


class State:
    """The state that a `Ring` takes over after a start. cursors, checkpoint: buffers to fill."""

    def __init__(self, cursors, checkpoint):
        self.cursors = cursors
        self.checkpoint = checkpoint
        self.checkpoint_len = 0  # 0 = none
        self.first_seq = 1  # number of the oldest record held
        self.oldest = 0  # the sector that it lies in
        self.last_interval = 0  # number of the newest INTERVAL record, 0 = none


def recover(state, log, small, rng):
    """Fill a `State` from the regions of records (log) and of checkpoint and cursors (small).

    Formats a blank partition. Returns False if the small region has no sector yet: the caller
    opens one. Raises RingError, see `Ring.open`.
    """
    if locate(log):
        recover_tail(log)
        small.log_id = log.log_id
        _find_oldest(state, log)
        _find_last_interval(state, log)
    else:
        _format(state, log, small, rng)
    is_located = locate(small)
    if is_located:
        _recover_small(state, small)
        _skip_known_numbers(state, log)
    else:
        small.log_id = log.log_id
    return is_located


# --- the ring


def _format(state, log, small, rng):
    """Start a log in a blank partition, or behind the only sector if its header is lost.

    A readable header in the small region proves that the partition is ours. It names the log.
    """
    is_ours = locate(small)
    for n in range(0 if is_ours else small.count):
        if not _blank(small, n):
            raise RingError("ring: sector %d holds foreign data; erase the partition" % n)
    for n in range(log.count):
        if _blank(log, n) or (n == 0 and _holds_only_a_header(log, n)):
            continue
        if _salvage(log, n):
            break
        if not is_ours:
            raise RingError("ring: sector %d holds foreign data; erase the partition" % n)
        log.set_full(n)
        log.corrupt += 1
        break
    log.log_id = small.log_id or (rng(16) << 15 | rng(15)) or 1
    state.first_seq = log.next_number
    state.oldest = log.active + 1
    log.open_sector(0)


def _find_oldest(state, log):
    """The oldest sector lies just behind the newest, unless that one is erased ahead."""
    active = log.active
    n = max(0, active + 1 - log.count)
    while log.read_header(n) != n and n < active:
        n += 1
    state.oldest = n
    state.first_seq = log.first_entry


def _find_last_interval(state, log):
    log.read_header(log.active)
    state.last_interval = log.mark
    pos = 0
    while True:
        pos = log.find(log.active, pos)
        if pos < 0:
            return
        if log.kind == _INTERVAL:
            state.last_interval = log.number


def _recover_small(state, small):
    """Load checkpoint and cursors from the newest sector that begins with all of them.

    A newer sector does not count if its opening was cut: it is opened anew.
    """
    newest = small.active
    recover_tail(small)
    for n in range(newest, max(-1, newest - small.count), -1):
        if small.read_header(n) == n and _load_sector(state, small, n):
            break
    else:
        n = newest - 1
    if n != small.active:
        small.set_full(n)  # the sectors behind it will be opened anew


def _load_sector(state, small, opened):
    """Load the entries of a sector. False, and no change, if it has no cursors (written last)."""
    pos = small.find(opened, 0)
    while pos >= 0 and small.kind != _CURSORS:
        pos = small.find(opened, pos)
    if pos < 0:
        return False
    pos = 0
    while (pos := small.find(opened, pos)) >= 0:
        _load_entry(state, small.kind, small.payload())
    return True


def _load_entry(state, kind, payload):
    n = len(payload)
    if kind == _CURSORS and n == _CURSOR_BYTES:
        if max(struct.unpack(_CURSOR_FORM, payload)) >> 31 == 0:  # no ring writes others
            state.cursors[:] = payload
    elif kind == _CHECKPOINT:
        state.checkpoint[:n] = payload
        state.checkpoint_len = n


def _skip_known_numbers(state, log):
    """Skip the numbers that a backend may know, so that none comes again.

    Cursors are written after the records. A cursor ahead of the log means that the newest
    records are damaged.
    """
    known = max(struct.unpack(_CURSOR_FORM, state.cursors))
    if known >= log.next_number:
        log.corrupt += 1
        log.next_number = known + 1
        state.checkpoint_len = 0  # its interval may have been closed


# --- one region


def locate(region):
    """Find the newest sector after a start, by binary search. False if there is none.

    The n-th sector lies at n modulo count. Along the circle the headers therefore rise by one up
    to the newest. Sectors with a damaged header are skipped.
    """
    low, base = _valid_from(region, 0, region.count)
    if low < 0:
        return False
    high = region.count - 1
    newest = base
    while low < high:
        middle = (low + high + 1) // 2
        at, n = _valid_from(region, middle, high + 1)
        if at >= 0 and n - base == at - base % region.count and n >= base:
            low, newest = at, n
        else:
            high = middle - 1
    region.active = newest
    return True


def _valid_from(region, position, end):
    """The first readable header at or behind a position: (position, n), or (-1, -1)."""
    while position < end:
        n = region.read_header(position)
        if n >= 0:
            return position, n
        position += 1
    return -1, -1


def recover_tail(region):
    """Find the last entry of the newest sector, and the position where writing may continue."""
    active = region.active
    region.read_header(active)
    region.next_number = region.first_entry
    pos = _last_of(region, active)
    region.set_full(active)
    if region.is_clean(active, pos):
        region.write_from(pos)
    if region.read_header(active + 1) < 0 and not _blank(region, active + 1):
        _salvage(region, active + 1)


def _salvage(region, opened):
    """Keep the numbers of newer entries in a sector without a header from coming again.

    True if there are such entries. The sector then counts as the newest, and as full.
    """
    before = region.next_number
    _last_of(region, opened)
    if region.next_number == before:
        return False
    region.set_full(opened)
    region.corrupt += 1
    return True


def _blank(region, opened):
    """True if the sector holds only ones."""
    region.forget()
    return region.is_clean(opened, 0)


def _holds_only_a_header(region, opened):
    """True if only a (torn) header was ever written: the format was cut."""
    region.forget()
    return region.is_clean(opened, _HEADER)


def _last_of(region, opened):
    """Walk through a sector, count the numbers up, return the position behind its last entry."""
    pos = _HEADER
    while True:
        after = region.find(opened, pos)
        if after < 0:
            return pos
        step = region.number - region.next_number
        if 0 <= step <= _STEP_MAX:
            region.next_number = region.number + 1
        pos = after
