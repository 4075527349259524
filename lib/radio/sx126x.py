"""Driver of the Semtech SX1261 and SX1262: LoRa frames out, single windows in.

Numbers in brackets are sections of the data sheet DS.SX1261-2.W.APP, Rev. 1.2 and 2.1. The values
were compared with the reference driver of the maker. No hardware has confirmed this driver yet.

The chip itself ends a window when it has found no preamble after a number of symbols (13.4.9). So
neither its timer nor `StopTimerOnPreamble` is used. Between a frame and its windows the oscillator
stays on (fall-back mode, 13.1.15). From there the receiver starts in some 60 us, while a TCXO
needs milliseconds.

Left out: FSK, sleep (standby takes 0.6 mA, the detector a hundred times that), channel activity
detection, implicit headers.
"""

import time

from micropython import const

from radio.chip import Chip, settings

# Commands (11).
_CLEAR_IRQ = const(0x02)
_CLEAR_ERRORS = const(0x07)
_DIO_IRQ = const(0x08)
_WRITE_REGISTER = const(0x0D)
_WRITE_BUFFER = const(0x0E)
_GET_IRQ = const(0x12)
_GET_RX_BUFFER = const(0x13)
_GET_PACKET = const(0x14)
_GET_ERRORS = const(0x17)
_READ_REGISTER = const(0x1D)
_READ_BUFFER = const(0x1E)
_STANDBY = const(0x80)
_RX = const(0x82)
_TX = const(0x83)
_FREQUENCY = const(0x86)
_CALIBRATE = const(0x89)
_PACKET_TYPE = const(0x8A)
_MODULATION = const(0x8B)
_PACKET = const(0x8C)
_TX_PARAMS = const(0x8E)
_BASE_ADDRESS = const(0x8F)
_FALLBACK = const(0x93)
_PA_CONFIG = const(0x95)
_REGULATOR = const(0x96)
_TCXO = const(0x97)
_CALIBRATE_IMAGE = const(0x98)
_RF_SWITCH = const(0x9D)
_SYMBOL_TIMEOUT = const(0xA0)

# Registers (12). 0x0706 is not in the data sheet: the maker's driver writes it beside the command.
_SYNC_WORD = const(0x0740)
_SYMBOLS = const(0x0706)
_IQ_POLARITY = const(0x0736)
_TX_MODULATION = const(0x0889)
_TX_CLAMP = const(0x08D8)
_RX_GAIN = const(0x08AC)

_RC = const(0)  # oscillator in standby (13.1.2)
_XOSC = const(1)
_LORA = const(1)
_FALLBACK_XOSC = const(0x30)
_TX_DONE = const(0x001)  # interrupts (13.3.1)
_RX_DONE = const(0x002)
_HEADER = const(0x010)
_HEADER_ERROR = const(0x020)
_CRC_ERROR = const(0x040)
_TIMEOUT = const(0x200)
_ALL = _TX_DONE | _RX_DONE | _HEADER_ERROR | _CRC_ERROR | _TIMEOUT
_RAMP_200_US = const(4)
_START_ERRORS = const(0x7F)  # calibrations and the oscillator (13.6.1)
_BUSY_US = const(100_000)  # the longest legitimate BUSY is a calibration, 3.5 ms, and a TCXO
_TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)
# The bandwidths of LoRaWAN (13.4.5 has 7.8 to 500 kHz).
_BANDWIDTHS = {125_000: 4, 250_000: 5, 500_000: 6}
# Best settings (13.1.14): up to dBm, PaDutyCycle, HpMax, SetTxParams for those dBm.
_PA = {
    "sx1262": (0, -9, ((14, 2, 2, 22), (17, 2, 3, 22), (20, 3, 5, 22), (22, 4, 7, 22))),
    "sx1261": (1, -17, ((10, 1, 0, 13), (14, 4, 0, 14), (15, 6, 0, 14))),
}
_IMAGE = ((430, 0x6B, 0x6F), (470, 0x75, 0x81), (779, 0xC1, 0xC5), (863, 0xD7, 0xDB),
          (902, 0xE1, 0xE9))  # from MHz, bytes of CalibrateImage (9.2.1)  # fmt: skip

# chip: "sx1261" or "sx1262". tcxo_mv: supply of a TCXO at DIO3, 0 = a crystal. tcxo_us: its
# settling time. dio2_switch: DIO2 drives the antenna switch. switch: a function drives it,
# called with 0 = off, 1 = receive, 2 = transmit. dcdc: the board has the inductor. boost: more
# receiver gain for 0.7 mA. mhz: the band of the image calibration.
_OPTIONS = {
    "chip": "sx1262", "tcxo_mv": 0, "tcxo_us": 5000, "dio2_switch": False, "switch": None,
    "dcdc": True, "boost": True, "mhz": 868,
}  # fmt: skip


class SX126x(Chip):
    """pins: (cs, reset, busy, dio1). options: dict, as in `_OPTIONS`. Raises ValueError."""

    def __init__(self, spi, pins, options=None):
        cs, reset, self._busy, dio1 = pins
        super().__init__(spi, cs, reset, (dio1,))
        self._options = chosen = settings(_OPTIONS, options)
        self.mhz = chosen["mhz"]  # it may be changed until `start()`
        if chosen["chip"] not in _PA:
            raise ValueError("chip %r: sx1261 or sx1262" % chosen["chip"])
        if chosen["tcxo_mv"] and chosen["tcxo_mv"] not in _TCXO_MV:
            raise ValueError("tcxo_mv %r, one of %r" % (chosen["tcxo_mv"], _TCXO_MV))
        self._two, self._four = bytearray(2), bytearray(4)
        self._switch = chosen["switch"] or _no_switch

    # --- bus

    def _wait_ready(self):
        """Wait until the chip accepts a command (8.3.1). OSError if it never does."""
        begin = time.ticks_us()
        time.sleep_us(1)  # BUSY rises up to 600 ns after the last command (8.3.1)
        while self._busy.value():
            if time.ticks_diff(time.ticks_us(), begin) > _BUSY_US:
                raise OSError("radio: BUSY stays high")
            time.sleep_us(10)

    def _command(self, *command):
        self._wait_ready()
        self._write(bytes(command))

    def _query(self, command, into):
        """The answer to a command. A status byte comes before it."""
        self._wait_ready()
        self._read(bytes((command, 0)), into)
        return into

    def _write_register(self, register, *values):
        self._command(_WRITE_REGISTER, register >> 8, register & 0xFF, *values)

    def _read_register(self, register, into):
        self._wait_ready()
        self._read(bytes((_READ_REGISTER, register >> 8, register & 0xFF, 0)), into)
        return into

    def _update_register(self, register, clear, mask):
        """Clear the bits of `clear` in a register, then set those of `mask`."""
        one = self._read_register(register, memoryview(self._two)[:1])
        self._write_register(register, one[0] & ~clear & 0xFF | mask)

    # --- life

    def start(self):
        """Reset the chip and send its fixed settings. OSError if it does not answer."""
        options = self._options
        self._switch(0)
        self._pulse_reset(100)
        sync_word = bytes(self._read_register(_SYNC_WORD, self._two))
        if sync_word != b"\x14\x24":  # its value after a reset (12)
            raise OSError("radio: no SX126x answers (%02x%02x)" % tuple(self._two))
        self._command(_STANDBY, _RC)
        if options["tcxo_mv"]:
            steps = options["tcxo_us"] * 8 // 125  # of 15.625 us (13.3.6)
            voltage = _TCXO_MV.index(options["tcxo_mv"])
            self._command(_TCXO, voltage, steps >> 16, steps >> 8 & 0xFF, steps & 0xFF)
        self._command(_CLEAR_ERRORS, 0, 0)  # 13.3.6: the start with a TCXO leaves one
        self._command(_CALIBRATE, 0x7F)
        self._command(_REGULATOR, 1 if options["dcdc"] else 0)
        self._command(_RF_SWITCH, 1 if options["dio2_switch"] else 0)
        self._command(_CALIBRATE_IMAGE, *_image(self.mhz))
        errors = self._query(_GET_ERRORS, self._two)
        if (errors[0] << 8 | errors[1]) & _START_ERRORS:
            raise OSError("radio: start error %02x%02x (oscillator?)" % tuple(errors))
        self._command(_PACKET_TYPE, _LORA)
        self._command(_BASE_ADDRESS, 0, 0)
        self._command(_FALLBACK, _FALLBACK_XOSC)
        self._write_register(_SYNC_WORD, 0x34, 0x44)  # public network
        if options["chip"] == "sx1262":
            # 15.2: a poor antenna must not clamp the output
            self._update_register(_TX_CLAMP, 0, 0x1E)
        if options["boost"]:
            self._write_register(_RX_GAIN, 0x96)  # 9.6
        self._command(
            _DIO_IRQ, _ALL >> 8, _ALL & 0xFF | _HEADER, _ALL >> 8, _ALL & 0xFF, 0, 0, 0, 0
        )

    def standby(self):
        """Stop the current operation and the oscillator."""
        self._command(_STANDBY, _RC)
        self._command(_CLEAR_IRQ, 0xFF, 0xFF)
        self._switch(0)

    # --- frames

    def transmit(self, request):
        """Send a frame now. request: freq_hz, sf, bw_hz, power_dbm, data."""
        self._tune(request)
        select, lowest, rows = _PA[self._options["chip"]]
        dbm = max(lowest, min(request.power_dbm, rows[-1][0]))
        row = [row for row in rows if dbm <= row[0]][0]
        self._command(_PA_CONFIG, row[1], row[2], select, 1)
        self._command(_TX_PARAMS, row[3] - row[0] + dbm & 0xFF, _RAMP_200_US)
        self._set_packet(len(request.data), True, False)
        self._wait_ready()
        self._write(b"\x0e\x00", request.data)
        self._switch(2)
        self._arm()
        self._command(_TX, 0, 0, 0)

    def prepare(self, request):
        """Set up a window, which `listen()` opens. request: freq_hz, sf, bw_hz, symbols."""
        self._tune(request)
        self._set_packet(0xFF, False, True)
        mantissa, exponent = _symbols(request.symbols)
        self._command(_SYMBOL_TIMEOUT, mantissa << (2 * exponent + 1))
        self._write_register(_SYMBOLS, mantissa << 3 | exponent)
        self._switch(1)
        self._wait_ready()  # so that `listen()` need not wait

    def listen(self):
        """Begin to listen."""
        self._arm()
        self._command(_RX, 0, 0, 0)

    def outcome(self):
        """SENT, RECEIVED (see `data()`), TIMED_OUT or GARBLED; NOTHING while the operation goes
        on.
        """
        flags = self._query(_GET_IRQ, self._two)
        flags = flags[0] << 8 | flags[1]
        if not flags & _ALL:
            return self.NOTHING
        self._command(_CLEAR_IRQ, flags >> 8, flags & 0xFF)
        if flags & _TX_DONE:
            return self.SENT
        if flags & (_CRC_ERROR | _HEADER_ERROR):
            return self.GARBLED
        if flags & _TIMEOUT:
            return self.TIMED_OUT
        self._read_frame()
        return self.RECEIVED

    def has_header(self):
        """True if the header of a frame has come in, but not its end."""
        return bool(self._query(_GET_IRQ, self._two)[1] & _HEADER)

    def _read_frame(self):
        size, start = self._query(_GET_RX_BUFFER, self._two)
        self.size = size
        self._wait_ready()
        self._read(bytes((_READ_BUFFER, start, 0)), self.data())
        status = self._query(_GET_PACKET, memoryview(self._four)[:3])
        self.rssi = -(status[0] // 2)  # 13.5.3
        self.snr = (status[1] - (status[1] & 0x80) * 2 + 2) >> 2

    def _tune(self, request):
        """Set frequency, spreading factor and bandwidth, in standby with the oscillator on."""
        self._command(_STANDBY, _XOSC)
        self._command(_CLEAR_IRQ, 0xFF, 0xFF)
        freq_hz = request.freq_hz  # in steps of 32 MHz / 2 ** 25 (13.4.1), to the nearest
        steps = freq_hz // 15625 * 16384 + (freq_hz % 15625 * 16384 + 7812) // 15625
        self._command(_FREQUENCY, steps >> 24, steps >> 16 & 0xFF, steps >> 8 & 0xFF, steps & 0xFF)
        bw_hz = request.bw_hz
        slow = 1 if (1 << request.sf) * 1000 // (bw_hz // 1000) >= 16_000 else 0  # 6.1.1.4
        self._command(_MODULATION, request.sf, _BANDWIDTHS[bw_hz], 1, slow)
        self._update_register(_TX_MODULATION, 4, 0 if bw_hz == 500_000 else 4)  # 15.1

    def _set_packet(self, size, crc, inverted):
        """Explicit header, 8 symbols of preamble (13.4.6)."""
        self._command(_PACKET, 0, 8, 0, size, 1 if crc else 0, 1 if inverted else 0)
        self._update_register(_IQ_POLARITY, 4, 0 if inverted else 4)  # 15.4


def _symbols(count):
    """(mantissa, exponent) of mantissa * 2 ** (2 exponent + 1) symbols, rounded up (13.4.9)."""
    mantissa, exponent = (min(count, 248) + 1) >> 1, 0
    while mantissa > 31:
        mantissa, exponent = (mantissa + 3) >> 2, exponent + 1
    return mantissa, exponent


def _image(mhz):
    chosen = _IMAGE[0]
    for row in _IMAGE:
        if mhz >= row[0]:
            chosen = row
    return chosen[1:]


def _no_switch(_state):
    return None
