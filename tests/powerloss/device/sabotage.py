"""Logs that are broken on purpose. The suite must find each of them."""

import struct

import ring.ring
from ring import Ring, recovery
from ring.region import Region


def maker(name):
    """A function (flash, level) -> ring. name: the broken log, "" = the real one."""
    kind = _BROKEN[name]() if name else Ring

    def make(flash, level):
        return kind(flash, _rng(level))

    return make


def _rng(level):
    def bits(n):
        return (0x2F1D * (level + 3)) & ((1 << n) - 1)

    return bits


class _Unchecked(Region):
    """Accepts an entry with a plausible head, and never checks its payload."""

    def _is_entry(self, at, end):
        length, kind, _, number, _ = struct.unpack_from("<HBBII", self._view, at)
        if length > 512 or at + 12 + length > end:
            return False
        self.length, self.kind, self.number = length, kind, number
        self._at = at + 12
        return True


def _without_checksum():
    ring.ring.Region = _Unchecked
    return Ring


def _reusing_torn_space():
    """Writes right behind the last whole entry, over the remains of a cut."""
    real = recovery.recover_tail

    def recover_tail(region):
        real(region)
        pos = 32
        while (after := region.find(region.active, pos)) >= 0:
            pos = after
        region.write_from(pos)

    recovery.recover_tail = recover_tail
    return Ring


class _Late(Ring):
    """Returns from append() before the record is in the flash, one record late."""

    def __init__(self, dev, rng):
        super().__init__(dev, rng)
        self._held = None

    def append(self, kind, payload, n=None):
        late, self._held = self._held, (kind, bytes(payload))
        if late is None:
            return self.next_seq
        return super().append(late[0], late[1]) + 1


class _StateOfNewestOnly(Ring):
    """Opens a fresh state sector without checkpoint and cursors."""

    def _roll_small(self):
        self._small.open_sector(0)


class _ErasesTooEarly(Ring):
    """Erases two sectors ahead, one more than is needed."""

    def prepare(self):
        super().prepare()
        if self._log.active + 2 >= self._sectors:
            self._log.erase(self._log.active + 2)


_BROKEN = {
    "no-checksum": _without_checksum,
    "reuses-torn-space": _reusing_torn_space,
    "late": lambda: _Late,
    "state-of-newest-only": lambda: _StateOfNewestOnly,
    "erases-too-early": lambda: _ErasesTooEarly,
}
