"""The table of US902-928 (RP002-1.0.4, 2.5): a fixed channel plan.

There is no duty cycle. A frame takes 400 ms at most, which the payload limits ensure (DR0: 11
bytes). Left out: LR-FHSS (DR5 and DR6), which the drivers do not support.
"""

from lorawan.regions.fixed_plan import FixedPlan as Channels  # noqa: F401 - of the table
from micropython import const

NAME = "US915"
DEFAULT_RATE = const(0)
EIRP_MAX_DBM = const(30)
TX_POWER_MAX = const(14)
# At the antenna connector, while fewer than 50 channels are enabled (FCC 15.247). With more it
# could be 30, and 26 on 500 kHz. No chip here reaches that.
POWER_MAX_DBM = const(21)
TX_PARAM = const(0)
DROPPED_COMMANDS = b"\7\x09\x0a"  # NewChannelReq, TxParamSetupReq, DlChannelReq
REGION_ID = const(2)

# Per data rate: spreading factor, bandwidth in Hz. DR0 to DR4 go up, DR8 to DR13 come down.
RATES = (
    (10, 125_000), (9, 125_000), (8, 125_000), (7, 125_000), (8, 500_000), None, None, None,
    (12, 500_000), (11, 500_000), (10, 500_000), (9, 500_000), (8, 500_000), (7, 500_000),
)  # fmt: skip
RX_RATE_MIN = const(8)
MAC_PAYLOAD_MAX = bytes((19, 61, 133, 250, 250, 0, 0, 0, 61, 137, 250, 250, 250, 250))
DOWN_PAYLOAD_MAX = MAC_PAYLOAD_MAX

# Channels 0 to 63, and 64 to 71: number, first and step in Hz, highest << 4 | lowest data rate,
# fewest that must be enabled for these (FCC 15.247: hopping needs two).
UPLINKS = (
    (64, 902_300_000, 200_000, 0x30, 2),
    (8, 903_000_000, 1_600_000, 0x44, 1),
)
DOWNLINKS = ((8, 923_300_000, 600_000),)  # RX1 of channel n is n modulo 8
CHANNEL_RATES = const(0x30)

RX1_RATES = (b"\12\11\10\10", b"\13\12\11\10", b"\14\13\12\11", b"\15\14\13\12", b"\15\15\14\13")
RX2_HZ = const(923_300_000)
RX2_RATE = const(8)

BANDS = ((902_000_000, 928_000_001, 1),)  # factor 1: no limit

# Join-Requests alternate between 125 and 500 kHz. `fixed_plan.py` goes round the eight groups.
JOIN_RATES = b"\0\4"
