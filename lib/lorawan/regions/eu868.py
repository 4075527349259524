"""EU863-870 (RP002-1.0.4, 2.4) as data for `lorawan.regions.region.Region`.

Left out: FSK (DR7) and LR-FHSS (DR8 to DR11), which the drivers do not speak. A network that asks
for them is refused in the answer to its command.
"""

from lorawan.regions.channels import Channels  # noqa: F401 - it is part of the table
from micropython import const

NAME = "EU868"
DEFAULT_RATE = const(0)  # the lowest data rate of an uplink, which an ABP device begins with
MAX_EIRP_DBM = const(16)
TOP_POWER = const(7)  # highest TXPower index; index i is MAX_EIRP_DBM - 2 i
MOST_DBM = const(30)  # at the antenna connector, beside that
TX_PARAM = const(0)  # what TxParamSetupReq has set, 0 = nothing
DROPPED = b"\x09"  # commands that are not for this region: TxParamSetupReq
SNAPSHOT = const(1)  # first byte of a packed session: another one in every region

# Per data rate: spreading factor, bandwidth in Hz.
RATES = (
    (12, 125_000), (11, 125_000), (10, 125_000), (9, 125_000), (8, 125_000), (7, 125_000),
    (7, 250_000),
)  # fmt: skip
DOWN_RATE = const(0)  # the lowest of a receive window
# M: longest MACPayload in bytes, per data rate.
MAX_MAC = bytes((59, 59, 59, 123, 250, 250, 250))
MAX_DOWN = MAX_MAC  # of a downlink

# Default channels in Hz, usable with DR0 to DR5; also the join channels.
CHANNELS = (868_100_000, 868_300_000, 868_500_000)
CHANNEL_RATES = const(0x50)  # of the default channels and of a CFList: highest << 4 | lowest
MAX_CHANNELS = const(16)

# Data rate of RX1, per data rate of the uplink a row, per RX1DROffset (0 to 5) a column.
RX1_RATES = (
    b"\0\0\0\0\0\0", b"\1\0\0\0\0\0", b"\2\1\0\0\0\0", b"\3\2\1\0\0\0", b"\4\3\2\1\0\0",
    b"\5\4\3\2\1\0", b"\6\5\4\3\2\1",
)  # fmt: skip
RX2_HZ = const(869_525_000)
RX2_RATE = const(0)

# Sub-bands of ETSI EN 300 220: from (Hz), to below (Hz), off-time factor (100 = 1 %). What lies
# between them is not used.
BANDS = (
    (863_000_000, 865_000_000, 1000),
    (865_000_000, 868_000_001, 100),
    (868_000_001, 868_600_001, 100),
    (868_700_000, 869_200_001, 1000),
    (869_400_000, 869_650_001, 10),
    (869_700_000, 870_000_001, 100),
)

# Data rates of successive Join-Requests: every one in turn, the short ones more often, so that
# a node near a gateway is in after a second of airtime and one far away is still heard.
JOIN_RATES = b"\5\4\3\5\2\4\1\5\3\0"
