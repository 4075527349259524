"""Logs that are broken on purpose: the suite must find each of them."""

import struct

from ring import Ring, recovery
from ring.region import Region


def _rng(level):
    def bits(n):
        return (0x2F1D * (level + 3)) & ((1 << n) - 1)

    return bits


def maker(name):
    """A function (flash, level) -> ring, of the real log or of the broken one of that name."""
    if name:
        _BROKEN[name]()

    def make(flash, level):
        return Ring(flash, _rng(level))

    return make


def _no_checksum():
    """Believes an entry whose head is there, whatever became of its payload."""

    def is_entry(self, at, end):
        length, kind, _, number, _ = struct.unpack_from("<HBBII", self._view, at)
        if length > 512 or at + 12 + length > end:
            return False
        self.length, self.kind, self.number = length, kind, number
        self._at = at + 12
        return True

    Region._is_entry = is_entry


def _reuses_torn_space():
    """Goes on right behind the last whole entry, over what a cut may have left there."""
    real = recovery.recover_tail

    def recover_tail(region):
        real(region)
        pos = 32
        while (after := region.find(region.active, pos)) >= 0:
            pos = after
        region.write_from(pos)

    recovery.recover_tail = recover_tail


def _late():
    """Returns from append() one record before that is in the flash."""
    real = Ring.append
    held = {}

    def append(self, kind, payload, n=None):
        late = held.get(id(self))
        held.clear()
        held[id(self)] = (kind, bytes(payload))
        if late is None:
            return self.next_seq
        return real(self, late[0], late[1]) + 1

    Ring.append = append


def _state_of_newest_only():
    """Erases the state before it is written anew: a fresh sector does not begin with it."""

    def roll(self):
        self._small.open_sector(0)

    Ring._roll_small = roll


def _erases_too_early():
    """Erases two sectors ahead: one more than is needed."""
    real = Ring.prepare

    def prepare(self):
        real(self)
        if self._log.active + 2 >= self._sectors:
            self._log.erase(self._log.active + 2)

    Ring.prepare = prepare


_BROKEN = {
    "no-checksum": _no_checksum,
    "reuses-torn-space": _reuses_torn_space,
    "late": _late,
    "state-of-newest-only": _state_of_newest_only,
    "erases-too-early": _erases_too_early,
}
