"""Limits of a region: data rates, payloads, power, receive windows, sub-bands (RP002-1.0.4).

The numbers are data: a table is a module such as `lorawan.regions.eu868`, or an object like it.
Only this module, the channels and the MAC commands read it. Frequencies are in Hz, times in
integer microseconds, data rates (DR) are an index.
"""

from micropython import const

_KEEP = const(15)  # DataRate or TXPower "leave as it is" (TS001-1.0.4, 5.2)
_PREAMBLE_QUARTERS = const(49)  # 8 symbols and the 4.25 of the sync word and start of frame
_LOW_RATE_US = const(16_000)  # symbols from this length on need the low data rate optimisation
_SYMBOLS_MIN = const(6)  # of a preamble of 8 a receiver needs to find it
_SYMBOLS_MAX = const(248)  # the longest symbol timeout of an SX126x (an SX127x has 1023)


def symbol_us(sf, bw_hz):
    """Length of a LoRa symbol; exact for 125, 250 and 500 kHz."""
    return (1 << sf) * 1_000_000 // bw_hz


def airtime_us(sf, bw_hz, size, crc=True):
    """Time on air of `size` bytes, SF7 to SF12, coding rate 4/5, explicit header.

    Tsym (8 + 4.25 + 8 + 5 ceil(max(8 size - 4 SF + 28 + 16 CRC, 0) / (4 (SF - 2 DE)))) (SX1261/2
    data sheet, 6.1.4). crc: uplinks carry one, downlinks do not.
    """
    tsym = symbol_us(sf, bw_hz)
    bits = max(8 * size - 4 * sf + 28 + (16 if crc else 0), 0)
    group = 4 * (sf - (2 if tsym >= _LOW_RATE_US else 0))
    symbols = 8 + (bits + group - 1) // group * 5
    return tsym * _PREAMBLE_QUARTERS // 4 + tsym * symbols


class Region:
    """table: such as `lorawan.regions.eu868`.

    sure_bytes: payload that the application relies on. The network's data rate may carry less
    (US915 DR0: 11 bytes). Then a session begins at the lowest rate that carries `sure_bytes`. A
    later payload of up to so many bytes that does not fit goes out at that rate, with ADR unset in
    its frame.
    """

    def __init__(self, table, sure_bytes=0):
        self.table = table
        self.sure_bytes = sure_bytes

    def is_rate(self, rate):
        """True if the device can send with this data rate."""
        return self.table.DEFAULT_RATE <= rate < len(self.table.RX1_RATES)

    def is_rx_rate(self, rate):
        """True if a receive window can have this data rate."""
        return self.table.RX_RATE_MIN <= rate < len(self.table.RATES)

    def modulation(self, rate):
        """(spreading factor, bandwidth in Hz)."""
        return self.table.RATES[rate]

    def max_mac_payload(self, rate):
        """M, the longest MACPayload of an uplink in bytes: FHDR, FPort and FRMPayload."""
        return self.table.MAC_PAYLOAD_MAX[rate]

    def uplink_us(self, rate, size):
        """Airtime of an uplink of `size` bytes (PHYPayload)."""
        sf, bw_hz = self.table.RATES[rate]
        return airtime_us(sf, bw_hz, size)

    def is_power(self, index):
        return index <= self.table.TX_POWER_MAX or index == _KEEP

    def eirp_dbm(self, index):
        """Radiated power of a TXPower index."""
        return self.table.EIRP_MAX_DBM - 2 * index

    def is_offset(self, offset):
        return offset < len(self.table.RX1_RATES[0])

    def rx1_rate(self, uplink_rate, offset):
        """Data rate of the first receive window."""
        return self.table.RX1_RATES[uplink_rate][offset]

    def band(self, freq_hz):
        """Index of the sub-band of a frequency; -1 = the frequency is forbidden."""
        bands = self.table.BANDS
        for i in range(len(bands)):
            if bands[i][0] <= freq_hz < bands[i][1]:
                return i
        return -1

    def window(self, rate, error_us):
        """(microseconds to open before the nominal time, symbols to listen) of a receive window.

        A downlink begins at the nominal time. The receiver is told to open `error_us` earlier.
        With an error of up to `error_us` either way it opens between twice the error before and
        the nominal time itself, never later (TS001-1.0.4, 3.3.2). It listens until it must have
        found the preamble (3.3.4).
        """
        sf, bw_hz = self.table.RATES[rate]
        tsym = symbol_us(sf, bw_hz)
        symbols = (2 * error_us + tsym - 1) // tsym + _SYMBOLS_MIN
        return error_us, min(symbols, _SYMBOLS_MAX)

    def max_error_us(self):
        """The largest error for which every window can be long enough."""
        shortest = min([symbol_us(*how) for how in self.table.RATES if how])
        return (_SYMBOLS_MAX - _SYMBOLS_MIN) * shortest // 2
