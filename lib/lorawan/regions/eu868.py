"""The table of EU863-870 (RP002-1.0.4, 2.4).

Left out: FSK (DR7) and LR-FHSS (DR8 to DR11), which the drivers do not support. A network that
asks for them is refused in the answer to its command.
"""

from lorawan.regions.channels import Channels  # noqa: F401 - it is part of the table
from micropython import const

NAME = "EU868"
DEFAULT_RATE = const(0)  # the lowest of an uplink, and the first of an ABP device
EIRP_MAX_DBM = const(16)
TX_POWER_MAX = const(7)  # of TXPower; index i is EIRP_MAX_DBM - 2 i
POWER_MAX_DBM = const(30)  # at the antenna connector
TX_PARAM = const(0)  # set by TxParamSetupReq, 0 = nothing
DROPPED_COMMANDS = b"\x09"  # that are not for this region: TxParamSetupReq
REGION_ID = const(1)  # first byte of a packed session

# Per data rate: spreading factor, bandwidth in Hz.
RATES = (
    (12, 125_000), (11, 125_000), (10, 125_000), (9, 125_000), (8, 125_000), (7, 125_000),
    (7, 250_000),
)  # fmt: skip
RX_RATE_MIN = const(0)  # of a receive window
# M: longest MACPayload in bytes, per data rate.
MAC_PAYLOAD_MAX = bytes((59, 59, 59, 123, 250, 250, 250))
DOWN_PAYLOAD_MAX = MAC_PAYLOAD_MAX  # of a downlink

# Default channels in Hz, usable with DR0 to DR5; also the join channels.
CHANNELS = (868_100_000, 868_300_000, 868_500_000)
CHANNEL_RATES = const(0x50)  # of the default channels and of a CFList: highest << 4 | lowest
CHANNELS_MAX = const(16)

# Data rate of RX1, per data rate of the uplink a row, per RX1DROffset (0 to 5) a column.
RX1_RATES = (
    b"\0\0\0\0\0\0", b"\1\0\0\0\0\0", b"\2\1\0\0\0\0", b"\3\2\1\0\0\0", b"\4\3\2\1\0\0",
    b"\5\4\3\2\1\0", b"\6\5\4\3\2\1",
)  # fmt: skip
RX2_HZ = const(869_525_000)
RX2_RATE = const(0)

# Sub-bands of ETSI EN 300 220: from (Hz), to below (Hz), off-time factor (100 = 1 %).
# The gaps between them are not used.
BANDS = (
    (863_000_000, 865_000_000, 1000),
    (865_000_000, 868_000_001, 100),
    (868_000_001, 868_600_001, 100),
    (868_700_000, 869_200_001, 1000),
    (869_400_000, 869_650_001, 10),
    (869_700_000, 870_000_001, 100),
)

# Data rates of successive Join-Requests: each in turn, the fast ones more often. A node near a
# gateway joins within a second of airtime, and a distant one is still heard.
JOIN_RATES = b"\5\4\3\5\2\4\1\5\3\0"
