"""What a region allows: data rates, payloads, power, receive windows, sub-bands (RP002-1.0.4).

The numbers are data: a table is a module such as `lorawan.regions.eu868`, or an object like that. Only
this, the channels and the MAC commands read it. Frequencies in Hz, times in integer microseconds,
data rates (DR) by their index.
"""

from micropython import const

_KEEP = const(15)  # DataRate or TXPower "leave as it is" (TS001-1.0.4, 5.2)
_PREAMBLE_QUARTERS = const(49)  # 8 symbols and the 4.25 of the sync word and start of frame
_LOW_RATE_US = const(16_000)  # symbols from this length on need the low data rate optimisation
_MIN_SYMBOLS = const(6)  # of a preamble of 8 a receiver needs to find it
_MAX_SYMBOLS = const(248)  # the longest symbol timeout of an SX126x (an SX127x has 1023)


def symbol_us(sf, bw_hz):
    """Length of a LoRa symbol; exact for 125, 250 and 500 kHz."""
    return (1 << sf) * 1_000_000 // bw_hz


def airtime_us(sf, bw_hz, size, crc=True):
    """Time on air of `size` bytes, SF7 to SF12, coding rate 4/5, explicit header.

    Tsym (8 + 4.25 + 8 + 5 ceil(max(8 size - 4 SF + 28 + 16 CRC, 0) / (4 (SF - 2 DE))))
    (SX1261/2 data sheet, 6.1.4). crc: uplinks carry one, downlinks do not.
    """
    tsym = symbol_us(sf, bw_hz)
    bits = max(8 * size - 4 * sf + 28 + (16 if crc else 0), 0)
    group = 4 * (sf - (2 if tsym >= _LOW_RATE_US else 0))
    symbols = 8 + (bits + group - 1) // group * 5
    return tsym * _PREAMBLE_QUARTERS // 4 + tsym * symbols


class Region:
    """table: such as `lorawan.regions.eu868`.

    sure_bytes: payload that the application counts on. Where the network's data rate carries less
    (US915 DR0: 11 bytes), a session begins at the lowest one that does, and later a payload of up
    to so many bytes that does not fit goes out at that one, with ADR unset in its frame.
    """

    def __init__(self, table, sure_bytes=0):
        self.table = table
        self.sure_bytes = sure_bytes

    def is_rate(self, rate):
        """Whether the device can send with this data rate."""
        return self.table.DEFAULT_RATE <= rate < len(self.table.RX1_RATES)

    def hears(self, rate):
        """Whether a receive window can have this data rate."""
        return self.table.DOWN_RATE <= rate < len(self.table.RATES)

    def modulation(self, rate):
        """(spreading factor, bandwidth in Hz)."""
        return self.table.RATES[rate]

    def max_mac(self, rate):
        """M, the longest MACPayload of an uplink in bytes: FHDR, FPort and FRMPayload."""
        return self.table.MAX_MAC[rate]

    def uplink_us(self, rate, size):
        """Airtime of an uplink of `size` bytes (PHYPayload)."""
        sf, bw_hz = self.table.RATES[rate]
        return airtime_us(sf, bw_hz, size)

    def is_power(self, index):
        return index <= self.table.TOP_POWER or index == _KEEP

    def eirp_dbm(self, index):
        """Radiated power of a TXPower index."""
        return self.table.MAX_EIRP_DBM - 2 * index

    def is_offset(self, offset):
        return offset < len(self.table.RX1_RATES[0])

    def rx1_rate(self, uplink_rate, offset):
        """Data rate of the first receive window."""
        return self.table.RX1_RATES[uplink_rate][offset]

    def band(self, freq_hz):
        """Index of the sub-band that a frequency lies in, -1 = it must not be used."""
        bands = self.table.BANDS
        for i in range(len(bands)):
            if bands[i][0] <= freq_hz < bands[i][1]:
                return i
        return -1

    def window(self, rate, error_us):
        """(microseconds to open before the nominal time, symbols to listen) of a receive window.

        A downlink begins at the nominal time. With an error of up to `error_us` either way the
        receiver that is told to open that much earlier opens between twice the error before and
        the nominal time itself, never later (TS001-1.0.4, 3.3.2), and still listens when so much
        of the preamble has passed that it must have been found (3.3.4).
        """
        sf, bw_hz = self.table.RATES[rate]
        tsym = symbol_us(sf, bw_hz)
        symbols = (2 * error_us + tsym - 1) // tsym + _MIN_SYMBOLS
        return error_us, min(symbols, _MAX_SYMBOLS)

    def most_error_us(self):
        """The largest error for which every window can be long enough."""
        shortest = min([symbol_us(*how) for how in self.table.RATES if how])
        return (_MAX_SYMBOLS - _MIN_SYMBOLS) * shortest // 2
