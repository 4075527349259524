"""Driver of the Semtech SX1276 to SX1279: LoRa frames out, single windows in.

Numbers in brackets are sections and tables of the data sheet SX1276/77/78/79, Rev. 4. "Errata" is
the maker's note for the SX1276/77/78, Rev. 1. The values were compared with the reference driver
of the maker. No hardware has confirmed this driver yet.

The chip itself ends a window when it has found no preamble after a number of symbols (4.1.6). DIO0
reports the end of a frame, DIO1 the end of a window. A board without DIO1 works, but its windows
end at the time-out of `lorawan.device.radio_io` only.

Left out: FSK, frequency hopping, channel activity detection, SF6, the bands below 779 MHz.
"""

import time

from micropython import const

from radio.chip import Chip, settings

# Registers (6.4), LoRa mode.
_FIFO = const(0x00)
_OP_MODE = const(0x01)
_FREQUENCY = const(0x06)
_PA_CONFIG = const(0x09)
_OCP = const(0x0B)
_LNA = const(0x0C)
_FIFO_AT = const(0x0D)
_TX_BASE = const(0x0E)
_RX_CURRENT = const(0x10)
_IRQ_MASK = const(0x11)
_IRQ = const(0x12)
_RX_BYTES = const(0x13)
_SNR = const(0x19)
_CONFIG_1 = const(0x1D)
_PREAMBLE = const(0x20)
_PAYLOAD = const(0x22)
_MAX_PAYLOAD = const(0x23)
_CONFIG_3 = const(0x26)
_IF_FREQ = const(0x2F)
_DETECT = const(0x31)
_INVERT_IQ = const(0x33)
_HIGH_BW_1 = const(0x36)
_THRESHOLD = const(0x37)
_SYNC_WORD = const(0x39)
_HIGH_BW_2 = const(0x3A)
_INVERT_IQ_2 = const(0x3B)
_DIO_MAPPING = const(0x40)
_VERSION = const(0x42)
_TCXO = const(0x4B)
_PA_DAC = const(0x4D)
_IMAGE_CAL = const(0x3B)  # in FSK mode only: RegImageCal

_LORA = const(0x80)
_SLEEP = const(0)
_STANDBY = const(1)
_TX = const(3)
_RX_SINGLE = const(6)
_TIMEOUT = const(0x80)  # RegIrqFlags
_RX_DONE = const(0x40)
_CRC_ERROR = const(0x20)
_HEADER = const(0x10)
_TX_DONE = const(0x08)
_CHIP = const(0x12)  # RegVersion
_CAL_START = const(0x40)
_CAL_RUNNING = const(0x20)
_CAL_US = const(50_000)
_BANDWIDTHS = {125_000: 7, 250_000: 8, 500_000: 9}
_SYMBOLS_MAX = const(1023)

# pa_boost: the antenna is at PA_BOOST, as on most modules, not at RFO. tcxo: a TCXO feeds XTA.
# switch: a function drives the antenna switch, called with 0 = off, 1 = receive, 2 = transmit.
_OPTIONS = {"pa_boost": True, "tcxo": False, "switch": None, "mhz": 868}


class SX127x(Chip):
    """pins: (cs, reset, dio0, dio1 or None). options: dict, as in `_OPTIONS`."""

    def __init__(self, spi, pins, options=None):
        cs, reset, dio0, dio1 = pins
        super().__init__(spi, cs, reset, (dio0, dio1))
        self._options = settings(_OPTIONS, options)
        self.mhz = self._options["mhz"]  # of the image calibration, until `start()`
        self._switch = self._options["switch"] or _no_switch
        self._one = bytearray(1)

    # --- bus: bit 7 of the address is set to write

    def _write_register(self, register, *values):
        self._write(bytes((register | 0x80,) + values))

    def _read_register(self, register):
        self._read(bytes((register,)), self._one)
        return self._one[0]

    def _mode(self, mode):
        self._write_register(_OP_MODE, _LORA | mode)

    # --- life

    def start(self):
        """Reset the chip and send its fixed settings. OSError if it does not answer."""
        self._switch(0)
        self._pulse_reset(5000)  # 7.2.2
        version = self._read_register(_VERSION)
        if version != _CHIP:
            raise OSError("radio: no SX127x answers (version %02x)" % version)
        if self._options["tcxo"]:
            self._write_register(_TCXO, 0x19)
        self._calibrate()
        self._write_register(_OP_MODE, _SLEEP)  # LoRa can be selected in sleep only: RegOpMode
        self._mode(_SLEEP)
        self._mode(_STANDBY)
        if self._read_register(_OP_MODE) != _LORA | _STANDBY:
            raise OSError("radio: no LoRa mode (oscillator?)")
        self._write_register(_LNA, 0x23)  # highest gain, boosted (5.5.3), until the AGC sets it
        self._write_register(_TX_BASE, 0, 0)
        self._write_register(_PREAMBLE, 0, 8)
        self._write_register(_MAX_PAYLOAD, 0xFF)
        self._write_register(_THRESHOLD, 0x0A)  # SF7 to SF12
        self._write_register(_SYNC_WORD, 0x34)

    def _calibrate(self):
        """Calibrate image and RSSI for the band, in FSK standby, with the amplifier off."""
        self._write_register(_OP_MODE, _STANDBY)
        self._write_register(_PA_CONFIG, 0)
        self._write_register(_FREQUENCY, *_steps(self.mhz * 1_000_000))
        self._write_register(_IMAGE_CAL, self._read_register(_IMAGE_CAL) | _CAL_START)
        begin = time.ticks_us()
        while self._read_register(_IMAGE_CAL) & _CAL_RUNNING:
            if time.ticks_diff(time.ticks_us(), begin) > _CAL_US:
                raise OSError("radio: the calibration does not end")
            time.sleep_us(500)

    def standby(self):
        """Stop the current operation."""
        self._mode(_STANDBY)
        self._write_register(_IRQ, 0xFF)
        self._switch(0)

    # --- frames

    def transmit(self, request):
        """Send a frame now. request: freq_hz, sf, bw_hz, power_dbm, data."""
        self._tune(request, True, 0)
        self._power(request.power_dbm)
        self._write_register(_DIO_MAPPING, 0x40)  # DIO0: TxDone (table 18)
        self._write_register(_INVERT_IQ, 0x27)
        self._write_register(_INVERT_IQ_2, 0x1D)
        self._write_register(_PAYLOAD, len(request.data))
        self._write_register(_FIFO_AT, 0)
        self._write(b"\x80", request.data)
        self._switch(2)
        self._arm()
        self._mode(_TX)

    def prepare(self, request):
        """Set up a window, which `listen()` opens. request: freq_hz, sf, bw_hz, symbols."""
        self._tune(request, False, min(request.symbols, _SYMBOLS_MAX))
        self._write_register(_DIO_MAPPING, 0x00)  # DIO0: RxDone, DIO1: RxTimeout
        self._write_register(_INVERT_IQ, 0x67)
        self._write_register(_INVERT_IQ_2, 0x19)
        self._write_register(_FIFO_AT, 0)
        self._switch(1)

    def listen(self):
        """Begin to listen."""
        self._arm()
        self._mode(_RX_SINGLE)

    def outcome(self):
        """SENT, RECEIVED (see `data()`), TIMED_OUT or GARBLED; NOTHING while the operation goes
        on.
        """
        flags = self._read_register(_IRQ)
        if not flags & (_TX_DONE | _RX_DONE | _TIMEOUT):
            return self.NOTHING
        self._write_register(_IRQ, flags)
        if flags & _TX_DONE:
            return self.SENT
        if flags & _CRC_ERROR:
            return self.GARBLED
        if flags & _TIMEOUT:
            return self.TIMED_OUT
        self._read_frame()
        return self.RECEIVED

    def has_header(self):
        """True if the header of a frame has come in, but not its end."""
        return bool(self._read_register(_IRQ) & _HEADER)

    def _read_frame(self):
        self.size = self._read_register(_RX_BYTES)
        self._write_register(_FIFO_AT, self._read_register(_RX_CURRENT))
        self._read(b"\x00", self.data())
        strength = bytearray(2)
        self._read(bytes((_SNR,)), strength)
        quarters = strength[0] - (strength[0] & 0x80) * 2
        self.snr = (quarters + 2) >> 2
        self.rssi = strength[1] - 157 + min(0, quarters // 4)  # 5.5.5, high band

    def _tune(self, request, crc, symbols):
        """Set frequency, modulation and length of the window, in standby."""
        self._mode(_STANDBY)
        self._write_register(_IRQ, 0xFF)
        self._write_register(
            _IRQ_MASK, 0xFF & ~(_TX_DONE | _RX_DONE | _TIMEOUT | _CRC_ERROR | _HEADER)
        )
        self._write_register(_FREQUENCY, *_steps(request.freq_hz))
        sf, bw_hz = request.sf, request.bw_hz
        second = sf << 4 | (4 if crc else 0) | symbols >> 8
        self._write_register(_CONFIG_1, _BANDWIDTHS[bw_hz] << 4 | 1 << 1, second, symbols & 0xFF)
        slow = 8 if (1 << sf) * 1000 // (bw_hz // 1000) >= 16_000 else 0  # RegModemConfig3
        self._write_register(_CONFIG_3, slow | 4)  # the AGC sets the gain
        self._errata(bw_hz)

    def _errata(self, bw_hz):
        """Errata 2.1: sensitivity at 500 kHz. Errata 2.3: spurious reception below that."""
        if bw_hz == 500_000:
            self._write_register(_HIGH_BW_1, 0x02)
            self._write_register(_HIGH_BW_2, 0x64)
            self._write_register(_DETECT, 0xC3)
        else:
            self._write_register(_HIGH_BW_1, 0x03)
            self._write_register(_DETECT, 0x43)  # no automatic intermediate frequency
            self._write_register(_IF_FREQ, 0x40, 0x00)

    def _power(self, dbm):
        """Set the output: 2 to 20 dBm on PA_BOOST, 0 to 14 dBm on RFO (5.4.2, 5.4.3)."""
        boost = self._options["pa_boost"]
        high = boost and dbm > 17
        if high:
            value = 0x80 | min(dbm, 20) - 5
        elif boost:
            value = 0x80 | max(dbm, 2) - 2
        else:
            value = 0x70 | max(0, min(dbm, 14))
        self._write_register(_PA_CONFIG, value)
        self._write_register(_PA_DAC, 0x87 if high else 0x84)
        self._write_register(_OCP, 0x31 if high else 0x2B)  # 140 mA, 100 mA (5.4.4)


def _steps(freq_hz):
    """Three bytes in steps of 32 MHz / 2 ** 19 (4.1.4), to the nearest."""
    steps = freq_hz // 15625 * 256 + (freq_hz % 15625 * 256 + 7812) // 15625
    return steps >> 16, steps >> 8 & 0xFF, steps & 0xFF


def _no_switch(_state):
    return None
