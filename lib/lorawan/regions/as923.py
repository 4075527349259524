"""The table of AS923 (RP002-1.0.4, 2.10). Its groups differ by a frequency offset.

TxParamSetupReq (TS001-1.0.4, 5.8) changes the table itself: `apply_tx_param()` gives a session a
region with another table. Until then an uplink takes 400 ms at most, with 16 dBm.

Left out: FSK (DR7), which the drivers do not support, and listening before talking. Without it the
band must not be used in Japan.
"""

from lorawan.regions.channels import Channels
from lorawan.regions.region import Region
from micropython import const

_MHZ = const(1_000_000)
_UPLINK_DWELL = const(0x10)
_DOWNLINK_DWELL = const(0x20)
_START = const(0x15)
_DWELL_RATE = const(2)  # the lowest data rate with a dwell time
# By name: frequency offset to AS923-1 in Hz, limits of the band in MHz, first byte of a packed
# session.
_GROUPS = {
    "AS923": (0, 915, 928, 3),
    "AS923-2": (-1_800_000, 920, 923, 4),
    "AS923-3": (-6_600_000, 915, 921, 5),
    "AS923-4": (-5_900_000, 917, 920, 6),
}
_EIRP_DBM = b"\x08\x0a\x0c\x0d\x0e\x10\x12\x14\x15\x18\x1a\x1b\x1d\x1e\x21\x24"
# M per data rate of an uplink that takes 400 ms at most.
_DWELL_MAC = b"\0\0\x13\x3d\x85\xfa\xfa"
# With RX1DROffset 6 and 7 the downlink is faster than the uplink. RX1 listens at DR6 in vain where
# the downlink would be FSK (DR7).
_RX1_RATES = (
    b"\0\0\0\0\0\0\1\2", b"\1\0\0\0\0\0\2\3", b"\2\1\0\0\0\0\3\4",
    b"\3\2\1\0\0\0\4\5", b"\4\3\2\1\0\0\5\6", b"\5\4\3\2\1\0\6\6",
    b"\6\5\4\3\2\1\6\6",
)  # fmt: skip


class Group:
    """The table of one group. name: as in `_GROUPS`. tx_param: the byte of a TxParamSetupReq."""

    TX_POWER_MAX = 7
    POWER_MAX_DBM = 30
    DROPPED_COMMANDS = b""
    RATES = (
        (12, 125_000), (11, 125_000), (10, 125_000), (9, 125_000), (8, 125_000), (7, 125_000),
        (7, 250_000),
    )  # fmt: skip
    RX_RATE_MIN = 0
    # Of downlinks with any dwell time: a device need not know that limit (2.10.6).
    DOWN_PAYLOAD_MAX = bytes((59, 59, 123, 123, 250, 250, 250))
    CHANNEL_RATES = 0x50
    CHANNELS_MAX = 16
    RX2_RATE = 2
    JOIN_RATES = b"\5\4\3\5\2"  # short enough for any limit
    Channels = Channels

    def __init__(self, name, tx_param=_START):
        offset_hz, low, high, self.REGION_ID = _GROUPS[name]
        self.NAME = name
        self.CHANNELS = (923_200_000 + offset_hz, 923_400_000 + offset_hz)
        self.RX2_HZ = 923_200_000 + offset_hz
        self.BANDS = ((low * _MHZ, high * _MHZ + 1, 100),)  # the default channels: 1 %
        self.TX_PARAM = tx_param ^ _START
        self.EIRP_MAX_DBM = _EIRP_DBM[tx_param & 15]
        slow = tx_param & _UPLINK_DWELL
        self.DEFAULT_RATE = _DWELL_RATE if slow else 0
        self.MAC_PAYLOAD_MAX = _DWELL_MAC if slow else self.DOWN_PAYLOAD_MAX
        lowest = _DWELL_RATE if tx_param & _DOWNLINK_DWELL else 0
        self.RX1_RATES = [bytes([max(rate, lowest) for rate in row]) for row in _RX1_RATES]

    def apply_tx_param(self, region, tx_param):
        """`region` after a TxParamSetupReq."""
        return Region(Group(self.NAME, tx_param & 0x3F), region.sure_bytes)

    def restore_tx_param(self, region, code):
        """`region` of a packed session. code: its `TX_PARAM`."""
        return self.apply_tx_param(region, code ^ _START)
