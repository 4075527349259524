"""EU868 from the network's side (RP002-1.0.4, 2.4, ETSI EN 300 220), and time on air."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HOUR_US = 3_600_000_000
SPREADING = {0: 12, 1: 11, 2: 10, 3: 9, 4: 8, 5: 7}  # at 125 kHz; DR6 is SF7 at 250 kHz
PAYLOAD_MAX = {0: 51, 1: 51, 2: 51, 3: 115, 4: 242, 5: 242, 6: 242}
JOIN_HZ = (868_100_000, 868_300_000, 868_500_000)
EXTRA_HZ = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)  # usual ones
RX2_HZ, RX2_RATE = 869_525_000, 0
# MHz: from, to, share of an hour
SUB_BANDS = (
    (863.0, 865.0, 0.001), (865.0, 868.0, 0.01), (868.0, 868.6, 0.01), (868.7, 869.2, 0.001),
    (869.4, 869.65, 0.1), (869.7, 870.0, 0.01),
)  # fmt: skip
# Signal to noise in dB from which a demodulator works, per spreading factor.
SNR_MIN_DB = {12: -20.0, 11: -17.5, 10: -15.0, 9: -12.5, 8: -10.0, 7: -7.5}


@dataclass
class RadioFaults:
    """Faults of the radio link: share of frames lost both ways, spans (us) without the gateway,
    error of its clock. path_db: range of the path loss of nodes that share one air.
    """

    loss: float = 0.0
    gateway_away: list[tuple[int, int]] = field(default_factory=list)
    clock_ppm: float = 0.0
    path_db: tuple[float, float] = (95.0, 120.0)  # assumed: all are near enough for SF7


def modulation_of(rate: int) -> tuple[int, int]:
    """(spreading factor, bandwidth in Hz)."""
    return (7, 250_000) if rate == 6 else (SPREADING[rate], 125_000)


def rate_of(sf: int, bw_hz: int) -> int:
    return 6 if bw_hz == 250_000 else 12 - sf


def rx1_rate(uplink: int, offset: int) -> int:
    return max(uplink - offset, 0)


def sub_band(freq_hz: int) -> int:
    """Index in SUB_BANDS. Raises ValueError where sending is not allowed."""
    mhz = freq_hz / 1e6
    for i, (low, high, _share) in enumerate(SUB_BANDS):
        if low <= mhz <= high and not (mhz == low and i and SUB_BANDS[i - 1][1] == low):
            return i
    raise ValueError(f"{mhz} MHz is in no sub-band")


def symbol_us(sf: int, bw_hz: int) -> float:
    return 2.0**sf / bw_hz * 1e6


def airtime_us(sf: int, bw_hz: int, size: int, crc: bool) -> float:
    """Time on air: 8 symbols of preamble, coding rate 4/5, explicit header."""
    slow = symbol_us(sf, bw_hz) >= 16_000
    bits = 8 * size + 16 * crc - 4 * sf + 28
    blocks = max(math.ceil(bits / (4 * (sf - 2 * slow))), 0)
    return (8 + 4.25 + 8 + 5 * blocks) * symbol_us(sf, bw_hz)
