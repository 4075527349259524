"""Airtime limits: a channel for a frame, now or later, and the back-off of joining.

Airtime and times are in microseconds. Time is a number that only grows. The airtime in the store
covers all frames until the next write. So the limit of an hour holds across power cuts, too: after
one, all of it counts as sent at the moment of start.

    version u8 = 1 | airtime per sub-band, u16 each, in steps of 2 ms
"""

import struct
from array import array

from micropython import const

_BUCKET_US = const(120_000_000)
_BUCKETS = const(32)  # they span an hour and a frame that began just before it
_UNIT_US = const(2000)  # airtime is kept in steps of it, rounded up
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_NAME = "air"
_VERSION = const(1)
_SHARE = const(8)  # of an hour's limit that one write covers: an eighth


class HourlyAirtime:
    """Airtime per sub-band: in no hour more than its share (RP002-1.0.4, 2.4.2: ETSI limits).

    There is no pause after each frame. The share of an hour may be used at once, and comes back an
    hour later in steps of two minutes. bands: (from, below, factor) each.
    """

    def __init__(self, bands, now_us):
        self._limit = [_HOUR_US // factor // _UNIT_US for _from, _below, factor in bands]
        self._used = array("H", [0] * (_BUCKETS * len(bands)))
        self._head = now_us // _BUCKET_US  # the bucket of now

    def _advance(self, now_us):
        head = now_us // _BUCKET_US
        for bucket in range(max(self._head + 1, head - _BUCKETS + 1), head + 1):
            for band in range(len(self._limit)):
                self._used[band * _BUCKETS + bucket % _BUCKETS] = 0
        self._head = max(self._head, head)

    def reset(self):
        """Forget all airtime."""
        for i in range(len(self._used)):
            self._used[i] = 0

    def limit(self, band):
        """Airtime of an hour in steps of 2 ms."""
        return self._limit[band]

    def spent(self, band):
        """Airtime of the last hour in steps of 2 ms."""
        first = band * _BUCKETS
        total = 0
        for i in range(first, first + _BUCKETS):
            total += self._used[i]
        return total

    def free_at(self, band, airtime_us, now_us):
        """When a frame of this length may begin: `now_us`, or a later time."""
        self._advance(now_us)
        over = self.spent(band) + _units(airtime_us) - self._limit[band]
        bucket = self._head - _BUCKETS
        while over > 0:
            bucket += 1
            over -= self._used[band * _BUCKETS + bucket % _BUCKETS]
            if bucket == self._head:
                break
        return max(now_us, (bucket + _BUCKETS) * _BUCKET_US)

    def add(self, band, airtime_us, now_us):
        """A frame begins now."""
        self._advance(now_us)
        i = band * _BUCKETS + self._head % _BUCKETS
        self._used[i] = min(0xFFFF, self._used[i] + _units(airtime_us))


class DutyCycle:
    """store: read(name) -> bytes or None, write(name, bytes), which may raise OSError.

    rng(bits) -> int. free_us: when to ask again after a `choose()` that found nothing.
    is_enforced: False only for a test on a wire.
    """

    def __init__(self, region, store, rng, now_us):
        self._region = region
        self._store = store
        self._rng = rng
        self._hourly = HourlyAirtime(region.table.BANDS, now_us)
        bands = len(region.table.BANDS)
        self._bands = range(bands)
        self._form = "<B%dH" % bands
        self._stored = [0] * bands
        self.free_us = 0
        self.is_enforced = True
        data = store.read(_NAME) or b""
        if len(data) == 1 + 2 * bands and data[0] == _VERSION:
            self._stored = struct.unpack(self._form, data)[1:]
            self.restore(self._stored, now_us)

    def choose(self, now_us, rate, toa_us, channels):
        """Index of a channel for a frame of this airtime; -1 = no sub-band has any left."""

        def free_at(freq):
            if not self.is_enforced:
                return now_us
            return self._hourly.free_at(self._region.band(freq), toa_us, now_us)

        mask = channels.mask
        index = channels.pick(rate, mask, lambda freq: free_at(freq) <= now_us, self._rng)
        if index < 0:
            self.free_us = min([free_at(freq) for freq in channels.frequencies(rate, mask)])
        return index

    def add(self, freq_hz, toa_us, now_us):
        """A frame is to be sent now. Raises OSError if the store cannot cover its airtime."""
        band = self._region.band(freq_hz)
        self._hourly.add(band, toa_us, now_us)
        spent, share = self._hourly.spent(band), self._hourly.limit(band) // _SHARE
        if spent > self._stored[band] or spent + 3 * share < self._stored[band]:
            self._store_airtime(band, spent + share)

    def _store_airtime(self, band, value):
        stored = list(self._stored)
        stored[band] = min(value, 0xFFFF)
        self._store.write(_NAME, struct.pack(self._form, _VERSION, *stored))
        self._stored = stored

    def spent(self):
        """Airtime of the last hour per sub-band, in steps of 2 ms."""
        return [self._hourly.spent(band) for band in self._bands]

    def restore(self, spent, now_us):
        """Restore the airtime from before a restart, as if all of it had been spent now."""
        if len(spent) == len(self._stored):
            self._hourly.reset()
            for band in self._bands:
                self._hourly.add(band, spent[band] * 2000, now_us)


class JoinBackoff:
    """Airtime of Join-Requests since power-up (TS001-1.0.4, 7; TR007-1.1, 4.8).

    Below 36 s in the first hour, 36 s in the next ten hours, 8.7 s in every later day. Between two
    requests there is a random pause. Its mean keeps to the same 1, 0.1 and 0.01 per cent.
    """

    def __init__(self, now_us):
        self._start = now_us
        self._phase = 0  # 0 = first hour, 1 = the ten hours, 2 and more = days
        self._used = 0

    def _enter(self, now_us):
        since = now_us - self._start
        phase = (since >= _HOUR_US) + (since >= 11 * _HOUR_US)
        if phase == 2:
            phase += (since - 11 * _HOUR_US) // _DAY_US
        if phase != self._phase:
            self._phase, self._used = phase, 0

    def free_at(self, airtime_us, now_us):
        """When a request of this length may begin: `now_us`, or a later time."""
        self._enter(now_us)
        limit = 36_000_000 if self._phase < 2 else 8_700_000
        if self._used + airtime_us < limit:
            return now_us
        if self._phase < 2:
            return self._start + (11 if self._phase else 1) * _HOUR_US
        return self._start + 11 * _HOUR_US + (self._phase - 1) * _DAY_US

    def add(self, airtime_us, now_us):
        self._enter(now_us)
        self._used += airtime_us

    def pause_us(self, airtime_us, rng):
        """A random pause after a request of this length: half to one and a half of the mean."""
        mean = airtime_us * (100, 1000, 10_000)[min(self._phase, 2)]
        return mean // 2 + mean // 1024 * (rng(16) % 1024)


def _units(airtime_us):
    return (airtime_us + _UNIT_US - 1) // _UNIT_US
