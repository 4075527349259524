"""The channels of a session, and the choice of the next one (TS001-1.0.4, 5.6). RP002-1.0.4, 2.3.

A channel is an uplink frequency, a downlink frequency for RX1 and a range of data rates. The first
ones are the region's default channels and cannot be changed. A Join-Accept and NewChannelReq
define others.
"""

import struct
from array import array

_ITEM = "<IIB"  # uplink / 100 Hz, downlink / 100 Hz, highest << 4 | lowest data rate
_ITEM_BYTES = 9


class Channels:
    """region: `lorawan.regions.region.Region` with a table of `CHANNELS` and `CHANNELS_MAX`."""

    def __init__(self, region):
        self._region = region
        self._table = region.table
        count = self._table.CHANNELS_MAX
        self.freq = array("I", [0] * count)  # Hz, 0 = not defined
        self.down = array("I", [0] * count)
        self.rates = bytearray(count)
        self.mask = 0  # channels that are enabled
        self._used = 0  # channels since all usable ones were last used
        self._last = 0  # the channel of the last transmission, as a mask
        self.reset()

    def reset(self):
        """Enable the default channels and remove all others."""
        self._used = 0
        for i in range(len(self.freq)):
            self.freq[i] = self.down[i] = self.rates[i] = 0
        for i, freq in enumerate(self._table.CHANNELS):
            self.freq[i] = self.down[i] = freq
            self.rates[i] = self._table.CHANNEL_RATES
        self.mask = self.default_mask()

    def default_mask(self):
        return (1 << len(self._table.CHANNELS)) - 1

    def defined_mask(self):
        mask = 0
        for i in range(len(self.freq)):
            if self.freq[i]:
                mask |= 1 << i
        return mask

    def apply_cf_list(self, cf_list):
        """Apply the CFList of a Join-Accept: 5 frequencies of 3 bytes, a type byte.

        Type 0 is for regions like this one. Any other type is ignored. A forbidden frequency is
        left out, as with NewChannelReq.
        """
        if cf_list[15] != 0:
            return
        first = len(self._table.CHANNELS)
        for i in range(5):
            low, high = struct.unpack_from("<HB", cf_list, 3 * i)
            freq = (low | high << 16) * 100
            if freq and self._region.band(freq) >= 0:
                self.define(first + i, freq, self._table.CHANNEL_RATES)

    def define(self, index, freq_hz, rates):
        """Define and enable a channel. 0 Hz removes it."""
        self.freq[index] = self.down[index] = freq_hz
        self.rates[index] = rates if freq_hz else 0
        if freq_hz:
            self.mask |= 1 << index
        else:
            self.mask &= ~(1 << index)

    def supports(self, rate, mask):
        """True if one of the channels in `mask` supports a data rate."""
        return self._usable(rate, mask) != 0

    def _usable(self, rate, mask):
        usable = 0
        for i in self._indexes(mask):
            if self.freq[i] and self.rates[i] & 15 <= rate <= self.rates[i] >> 4:
                usable |= 1 << i
        return usable

    def _indexes(self, mask):
        """Indexes of the channels in `mask`, in order."""
        return [i for i in range(len(self.freq)) if mask >> i & 1]

    def enable_defaults(self):
        """The last step of the ADR back-off. The other channels stay as they are (4.3.1.1)."""
        self.mask |= self.default_mask()

    def pick(self, rate, mask, free, rng):
        """Choose a channel at random. Every usable one comes once before one is used again, and
        none twice in a row.

        mask: channels to choose from. free(frequency): True if the sub-band has airtime left.
        rng(bits) -> int. Returns the index, or -1 if none is free now.
        """
        usable = self._usable(rate, mask) or self._usable(rate, self.default_mask())
        left = 0
        for i in self._indexes(usable):
            if free(self.freq[i]):
                left |= 1 << i
        if not left:
            return -1
        if not left & ~self._used:
            self._used &= ~left
            left = left & ~self._last or left
        choices = self._indexes(left & ~self._used)
        index = choices[rng(16) % len(choices)]
        self._last = 1 << index
        self._used |= self._last
        return index

    def frequencies(self, rate, mask):
        """Frequencies in Hz that `pick()` would choose from."""
        usable = self._usable(rate, mask) or self._usable(rate, self.default_mask())
        return [self.freq[i] for i in self._indexes(usable)]

    # --- snapshot: defined u16 | mask u16 | per defined channel `_ITEM`

    def pack(self):
        defined = self.defined_mask()
        out = bytearray(struct.pack("<HH", defined, self.mask))
        for i in self._indexes(defined):
            out += struct.pack(_ITEM, self.freq[i] // 100, self.down[i] // 100, self.rates[i])
        return out

    def unpack(self, data):
        """Restore the packed channels. Raises ValueError."""
        defined, mask = struct.unpack_from("<HH", data)
        indexes = self._indexes(defined)
        if len(data) != 4 + len(indexes) * _ITEM_BYTES or mask & ~defined:
            raise ValueError("session: channels")
        self.reset()
        at = 4
        for i in indexes:
            freq, down, self.rates[i] = struct.unpack_from(_ITEM, data, at)
            self.freq[i], self.down[i] = freq * 100, down * 100
            if min(self._region.band(freq * 100), self._region.band(down * 100)) < 0:
                raise ValueError("session: frequency")
            at += _ITEM_BYTES
        self.mask = mask
