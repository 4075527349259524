"""The air as the node may use it: a channel for a frame, now or when a sub-band has airtime.

What the store holds covers what may be sent before it is written again, so that the limit of an
hour holds across power cuts, too: after one, all of it counts as sent at the moment of start.

    version u8 = 1 | airtime per sub-band, u16 each, in steps of 2 ms
"""

import struct

from micropython import const

from lorawan.limits import HourlyAirtime

_NAME = "air"
_VERSION = const(1)
_SHARE = const(8)  # of an hour's limit that one write covers: an eighth


class Air:
    """store: read(name) -> bytes or None, write(name, bytes), which may raise OSError.

    rng(bits) -> int. free_us: after a `choose()` that found nothing, when to ask again.
    keeps_limits: False only where nothing leaves the room, for a test.
    """

    def __init__(self, region, store, rng, now_us):
        self._region = region
        self._store = store
        self._rng = rng
        self._book = HourlyAirtime(region.table.BANDS, now_us)
        self._bands = range(len(region.table.BANDS))
        self._covered = [0 for _ in self._bands]
        self.free_us = 0
        self.keeps_limits = True
        data = store.read(_NAME) or b""
        if len(data) == 1 + 2 * len(self._covered) and data[0] == _VERSION:
            self._covered = [struct.unpack_from("<H", data, 1 + 2 * i)[0] for i in self._bands]
            self.restore(self._covered, now_us)

    def choose(self, now_us, rate, toa_us, channels):
        """Index of a channel for a frame of this airtime, -1 = no sub-band has any left."""

        def free_at(freq):
            if not self.keeps_limits:
                return now_us
            return self._book.free_at(self._region.band(freq), toa_us, now_us)

        mask = channels.mask
        index = channels.pick(rate, mask, lambda freq: free_at(freq) <= now_us, self._rng)
        if index < 0:
            self.free_us = min([free_at(freq) for freq in channels.frequencies(rate, mask)])
        return index

    def book(self, freq_hz, toa_us, now_us):
        """A frame is to be sent now; raises OSError if the store cannot cover it."""
        band = self._region.band(freq_hz)
        self._book.add(band, toa_us, now_us)
        spent, share = self._book.spent(band), self._book.limit(band) // _SHARE
        if spent > self._covered[band] or spent + 3 * share < self._covered[band]:
            self._cover(band, spent + share)

    def _cover(self, band, value):
        covered = list(self._covered)
        covered[band] = min(value, 0xFFFF)
        data = bytearray((_VERSION,))
        for value in covered:
            data += struct.pack("<H", value)
        self._store.write(_NAME, bytes(data))
        self._covered = covered

    def spent(self):
        """Airtime of the last hour per sub-band, in steps of 2 ms."""
        return [self._book.spent(band) for band in self._bands]

    def restore(self, spent, now_us):
        """Take up the book of an earlier life, as if all of it had been spent now."""
        if len(spent) == len(self._covered):
            self._book.reset()
            for band in self._bands:
                self._book.add(band, spent[band] * 2000, now_us)
