"""The channels of a fixed plan: all of them exist, and some are enabled (RP002-1.0.4, 2.5).

The methods are those of `channels.Channels`. Only a region with such a plan loads this module. The
channels of 125 kHz form groups of eight, each with one channel of 500 kHz.
"""

from lorawan.regions.channels import Channels
from micropython import const

_NARROW = const(64)  # channels of 125 kHz; those of 500 kHz follow
_NARROW_MASK = (1 << 64) - 1
_GROUP = const(8)
_MASK_BYTES = const(9)


class _Frequencies:
    """Frequencies in Hz by channel number. After the last one the first one follows."""

    def __init__(self, spans, size):
        self._spans = spans
        self._size = size

    def __len__(self):
        return self._size

    def __getitem__(self, index):
        while True:
            for span in self._spans:
                if index < span[0]:
                    return span[1] + index * span[2]
                index -= span[0]


class FixedPlan(Channels):
    """region: `lorawan.regions.region.Region` with a table that has `UPLINKS` and `DOWNLINKS`."""

    def __init__(self, region):
        # Without the arrays of `Channels.__init__`, which channels of a fixed plan do not need.
        self._table = table = region.table
        self._size = sum([span[0] for span in table.UPLINKS])
        self.freq = _Frequencies(table.UPLINKS, self._size)
        self.down = _Frequencies(table.DOWNLINKS, self._size)
        self._last = 0
        self._used_groups = 0  # mask of all channels of the groups used in this round
        self.reset()

    def reset(self):
        """Enable all channels."""
        self._used = 0
        self.mask = self.default_mask()

    def default_mask(self):
        return (1 << self._size) - 1

    defined_mask = default_mask

    def apply_cf_list(self, cf_list):
        """Apply the CFList of a Join-Accept: type 1 is a mask for all channels.

        Any other type is ignored, and so is a mask that leaves no usable channel.
        """
        mask = int.from_bytes(cf_list[:_MASK_BYTES], "little")
        rates = range(len(self._table.RX1_RATES))
        if cf_list[15] == 1 and any([self.supports(rate, mask) for rate in rates]):
            self.mask = mask

    def change_mask(self, mask, control, bits):
        """`mask` after a LinkADRReq with this ChMaskCntl and ChMask (2.5.5 and its errata).

        0 to 3 = sixteen channels of 125 kHz, 4 = those of 500 kHz, 5 = the groups with theirs, 6
        and 7 = all of 125 kHz on and off, and those of 500 kHz. Bits above are RFU.
        """
        if control < 4:
            at = 16 * control
            return mask & ~(0xFFFF << at) | bits << at
        wide = (bits & 0xFF) << _NARROW
        if control == 4:
            return mask & _NARROW_MASK | wide
        if control == 5:
            for group in range(_GROUP):
                if bits >> group & 1:
                    wide |= 0xFF << _GROUP * group
            return wide
        return wide | _NARROW_MASK if control == 6 else wide

    def supports(self, rate, mask):
        """True if enough of the channels in `mask` support a data rate."""
        usable = self._usable(rate, mask)
        enabled_min = min([span[4] for span in self._table.UPLINKS if _has(span, rate)] or [1])
        return len(self._indexes(usable)) >= enabled_min

    def _usable(self, rate, mask):
        usable = at = 0
        for span in self._table.UPLINKS:
            if _has(span, rate):
                usable |= ((1 << span[0]) - 1) << at
            at += span[0]
        return mask & usable

    def pick(self, rate, mask, free, rng):
        """As `Channels.pick()`, preferring groups that have not been used in this round.

        A gateway mostly listens to one group. So every eighth Join-Request reaches it.
        """
        usable = self._usable(rate, mask)
        fresh = usable & ~self._used & ~self._used_groups
        if not fresh:
            self._used_groups &= ~usable
        index = super().pick(rate, fresh or mask, free, rng)
        if 0 <= index < _NARROW:
            self._used_groups |= 0xFF << index // _GROUP * _GROUP
        return index

    # --- snapshot: the mask, 9 bytes

    def pack(self):
        return self.mask.to_bytes(_MASK_BYTES, "little")

    def unpack(self, data):
        """Restore the packed mask. Raises ValueError."""
        if len(data) != _MASK_BYTES:
            raise ValueError("session: channels")
        self.reset()
        self.mask = int.from_bytes(data, "little")


def _has(span, rate):
    return span[3] & 15 <= rate <= span[3] >> 4
