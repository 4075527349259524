"""Opening a log: find its newest end, or begin one in a blank partition.

Apart from the rest because it is needed once: `del sys.modules["ring.recovery"]` after the start
gives a node its memory back.
"""

import struct

from micropython import const

from ring.region import RingError

_HEADER = const(32)
_INTERVAL = const(1)
_CHECKPOINT = const(1)
_CURSORS = const(2)
_STATE_FORM = "<IIII"
_STATE_BYTES = const(16)
_MAX_STEP = const(512)  # more entries than this cannot be in one sector


def recover(ring, rng):
    """Bring a Ring to where the last life left it; see `Ring.open`."""
    log, small = ring._log, ring._small
    if locate(log):
        recover_tail(log)
        small.log_id = log.log_id
        _find_oldest(ring)
        _find_last_interval(ring)
    else:
        _format(ring, rng)
    if locate(small):
        _recover_state(ring)
    else:
        small.log_id = log.log_id
        ring._roll_small()
    _pass_over(ring)


# --- the ring


def _format(ring, rng):
    """Start a log in a blank partition, or behind the only sector when its header is lost.

    A readable header among the checkpoints says that the partition is ours, and which log it is.
    """
    log, small = ring._log, ring._small
    ours = locate(small)
    for n in range(0 if ours else small.count):
        if not _blank(small, n):
            raise RingError("ring: sector %d holds foreign data; erase the partition" % n)
    for n in range(log.count):
        if _blank(log, n) or (n == 0 and _holds_only_a_header(log, n)):
            continue
        if _salvage(log, n):
            break
        if not ours:
            raise RingError("ring: sector %d holds foreign data; erase the partition" % n)
        log.fill(n)
        log.corrupt += 1
        break
    log.log_id = small.log_id or (rng(16) << 15 | rng(15)) or 1
    ring.first_seq = log.next_number
    ring._oldest = log.active + 1
    log.open_sector(0)


def _find_oldest(ring):
    """The oldest sector lies just behind the newest, unless that one is erased ahead."""
    log = ring._log
    active = log.active
    n = max(0, active + 1 - log.count)
    while log.read_header(n) != n and n < active:
        n += 1
    ring._oldest = n
    ring.first_seq = log.first_entry


def _find_last_interval(ring):
    log = ring._log
    log.read_header(log.active)
    ring._last_interval = log.mark
    pos = 0
    while True:
        pos = log.find(log.active, pos)
        if pos < 0:
            return
        if log.kind == _INTERVAL:
            ring._last_interval = log.number


def _recover_state(ring):
    """Take checkpoint and cursors of the newest sector that begins with all of them.

    A newer one, whose opening was cut, counts for nothing: it is opened anew.
    """
    small = ring._small
    newest = small.active
    recover_tail(small)
    for n in range(newest, max(-1, newest - small.count), -1):
        if small.read_header(n) == n and _take_state(ring, n):
            break
    else:
        n = newest - 1
    if n != small.active:
        small.fill(n)  # the ones behind it will be opened anew


def _take_state(ring, opened):
    """Take what a sector holds; False, and nothing, if it has no cursors: written last."""
    small = ring._small
    pos = small.find(opened, 0)
    while pos >= 0 and small.kind != _CURSORS:
        pos = small.find(opened, pos)
    if pos < 0:
        return False
    pos = 0
    while (pos := small.find(opened, pos)) >= 0:
        _take_entry(ring, small.kind, small.payload())
    return True


def _take_entry(ring, kind, payload):
    if kind == _CURSORS and len(payload) == _STATE_BYTES:
        ring._state[:] = payload
    elif kind == _CHECKPOINT:
        n = len(payload)
        ring._check[:n] = payload
        ring._check_len = n


def _pass_over(ring):
    """Numbers that a backend may know must not come again: a cursor ahead of the log, which is
    written before it, tells that the newest records are damaged."""
    known = max(struct.unpack(_STATE_FORM, ring._state))
    if known >= ring.next_seq:
        ring._log.corrupt += 1
        ring._log.next_number = known + 1
        ring._check_len = 0  # the interval that it belongs to may have been closed


# --- a region of it


def locate(region):
    """Find the newest sector after a start, by binary search; False if there is none.

    The n-th sector lies at n modulo count, so along the circle the headers rise by one up
    to the newest. Sectors whose header is damaged are stepped over.
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
    """Find the last entry of the newest sector, and where writing may go on."""
    active = region.active
    region.read_header(active)
    region.next_number = region.first_entry
    pos = _last_of(region, active)
    region.fill(active)
    if region.is_clean(active, pos):
        region.resume(pos)
    if region.read_header(active + 1) < 0 and not _blank(region, active + 1):
        _salvage(region, active + 1)


def _salvage(region, opened):
    """A sector without a header: if it holds newer entries their numbers must not come again.

    True if so; the sector then counts as the newest, and as full.
    """
    before = region.next_number
    _last_of(region, opened)
    if region.next_number == before:
        return False
    region.fill(opened)
    region.corrupt += 1
    return True


def _blank(region, opened):
    """True when the sector holds only ones."""
    region.forget()
    return region.is_clean(opened, 0)


def _holds_only_a_header(region, opened):
    """True when nothing but a (torn) header was ever written: a format that was cut."""
    region.forget()
    return region.is_clean(opened, _HEADER)


def _last_of(region, opened):
    """Walk a sector, note the number behind its last entry, return the position behind it."""
    pos = _HEADER
    while True:
        after = region.find(opened, pos)
        if after < 0:
            return pos
        step = region.number - region.next_number
        if 0 <= step <= _MAX_STEP:
            region.next_number = region.number + 1
        pos = after
