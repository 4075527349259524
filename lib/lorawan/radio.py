"""The request of the MAC to a radio, and the properties of a board's radio."""

from micropython import const

TX = const(1)
RX = const(2)


class Radio:
    """Properties of a board's radio.

    error_us: largest error of a receive window's opening, in either direction, from the time stamp
    of the end of transmission, the wake-up and the garbage collection. drift_ppm: of the clock
    between the two. lead_us: how long before a window `poll()` is to be called. max_dbm: highest
    power of the chip. gain_dbi: of the antenna, less the loss of its cable.
    """

    def __init__(self, error_us=10_000, drift_ppm=50, lead_us=20_000, max_dbm=22, gain_dbi=2):
        if error_us < 0 or drift_ppm < 0 or lead_us < 0:
            raise ValueError("error_us, drift_ppm and lead_us are not negative")
        self.error_us = error_us
        self.drift_ppm = drift_ppm
        self.lead_us = lead_us
        self.max_dbm = max_dbm
        self.gain_dbi = gain_dbi

    def window_error_us(self, delay_s):
        """Error budget of a window that opens so long after the transmission."""
        return self.error_us + delay_s * self.drift_ppm

    def dbm(self, eirp_dbm):
        """Power at the chip for a radiated power."""
        return min(eirp_dbm - self.gain_dbi, self.max_dbm)


class Request:
    """A request to the radio. The same object every time, valid until the next `poll()`.

    kind: TX or RX. freq_hz, sf, bw_hz: LoRa, coding rate 4/5, 8 symbols of preamble, explicit
    header, sync word 0x34. TX: power_dbm (at the chip), data (a memoryview). CRC on, IQ not
    inverted, at once. RX: open_us (when to begin to listen), symbols (how long to wait for a
    preamble). CRC off, IQ inverted.
    """

    def __init__(self):
        self.kind = self.freq_hz = self.sf = self.bw_hz = 0
        self.power_dbm = 0
        self.data = None
        self.open_us = self.symbols = 0

    def set(self, kind, freq_hz, modulation):
        self.kind, self.freq_hz = kind, freq_hz
        self.sf, self.bw_hz = modulation
        return self
