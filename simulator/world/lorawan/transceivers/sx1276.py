"""A Semtech SX1276 at its pins (data sheet SX1276/77/78/79, Rev. 4, LoRa only, high band).

Registers take effect byte by byte. Recorded as violations: registers that do not exist, LoRa
chosen outside sleep, settings changed while on air, the FIFO read in sleep, and errata that a
driver has not handled.
"""

from __future__ import annotations

from simulator.world.lorawan.radio_medium import (
    Modulation,
    RadioMedium,
    ReceivedFrame,
    ReceiveWindow,
    Signal,
)
from simulator.world.lorawan.transceivers.transceiver import Host, Transceiver

READY_US, CALIBRATE_US = 5000, 10_000  # 7.2.2; of image and RSSI
TO_TX_US, TO_RX_US = 180, 131  # the synthesizer, then the amplifier or the receiver
SLEEP, STANDBY, TX, RX_CONTINUOUS, RX_SINGLE = 0, 1, 3, 5, 6
RX_TIMEOUT, RX_DONE, CRC_ERROR, VALID_HEADER, TX_DONE = 0x80, 0x40, 0x20, 0x10, 0x08
BANDWIDTH = {7: 125_000, 8: 250_000, 9: 500_000}
CHIP = 0x12
# By address: value after a reset. Those from 0x0D to 0x3F have another meaning in FSK mode.
COMMON = {
    0x06: 0x6C, 0x07: 0x80, 0x08: 0x00, 0x09: 0x4F, 0x0A: 0x09, 0x0B: 0x2B, 0x0C: 0x20,
    0x40: 0x00, 0x41: 0x00, 0x42: CHIP, 0x4B: 0x09, 0x4D: 0x84,
}  # fmt: skip
LORA = {
    0x0D: 0x00, 0x0E: 0x80, 0x0F: 0x00, 0x10: 0x00, 0x11: 0x00, 0x12: 0x00, 0x13: 0x00,
    0x14: 0x00, 0x15: 0x00, 0x16: 0x00, 0x17: 0x00, 0x18: 0x10, 0x19: 0x00, 0x1A: 0x00,
    0x1B: 0x00, 0x1C: 0x00, 0x1D: 0x72, 0x1E: 0x70, 0x1F: 0x64, 0x20: 0x00, 0x21: 0x08,
    0x22: 0x01, 0x23: 0xFF, 0x24: 0x00, 0x25: 0x00, 0x26: 0x00, 0x27: 0x00, 0x28: 0x00,
    0x29: 0x00, 0x2A: 0x00, 0x2C: 0x00, 0x2F: 0x20, 0x30: 0x00, 0x31: 0xC3, 0x33: 0x27,
    0x36: 0x03, 0x37: 0x0A, 0x39: 0x12, 0x3A: 0x52, 0x3B: 0x1D,
}  # fmt: skip
FSK = {0x3B: 0x82}
READ_ONLY = {0x10, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x42}
FREE = {0x00, 0x01, 0x0D, 0x11, 0x12}  # may be written at any time


class Sx1276(Transceiver):
    """boost: the board's antenna hangs on PA_BOOST. mute: the chip does not answer."""

    def __init__(self, name: str, host: Host, medium: RadioMedium, *, boost: bool = True) -> None:
        super().__init__(name, host, medium)
        self._boost = boost
        self.mute = False
        self._fifo = bytearray(256)
        self._selected = False
        self._address: int | None = None
        self._writing = False
        self._ready_us = 0
        self._forget()

    def _forget(self) -> None:
        self._common, self._lora, self._fsk = dict(COMMON), dict(LORA), dict(FSK)
        self._long_range, self._low_band, self._mode = False, True, STANDBY
        self._calibrated_hz = 0

    # --- pins

    def reset(self, level: int) -> None:
        self.abort()
        self._forget()
        self._update()
        if level:
            self._ready_us = self.host.now_us + READY_US

    def select(self, level: int) -> None:
        self._selected = level == 0
        self._address = None

    def transfer(self, data: bytes) -> bytes:
        if not self._selected:
            self.violation("SPI without chip select")
            return bytes(len(data))
        if self.mute:
            return bytes(len(data))
        if self.host.now_us < self._ready_us:
            self.violation("SPI before the chip is ready")
            return bytes(len(data))
        return bytes(self._byte(value) for value in data)

    def _byte(self, value: int) -> int:
        if self._address is None:
            self._address, self._writing = value & 0x7F, bool(value & 0x80)
            return 0
        address = self._address
        if address:
            self._address = address + 1 & 0x7F
        if not self._writing:
            return self._read(address)
        self._write(address, value)
        return 0

    # --- registers

    def _bank(self, address: int) -> dict[int, int]:
        if address in self._common:
            return self._common
        return self._lora if self._long_range else self._fsk

    def _read(self, address: int) -> int:
        if address == 0x00:
            return self._from_fifo()
        if address == 0x01:
            return self._long_range << 7 | self._low_band << 3 | self._mode
        bank = self._bank(address)
        if address not in bank:
            self.violation(f"register {address:02x} read")
        return bank.get(address, 0)

    def _from_fifo(self) -> int:
        if self._mode == SLEEP:
            self.violation("the FIFO in sleep")
        at = self._lora[0x0D]
        self._lora[0x0D] = at + 1 & 0xFF
        return self._fifo[at]

    def _write(self, address: int, value: int) -> None:
        if self._mode in (TX, RX_SINGLE, RX_CONTINUOUS) and address not in FREE:
            self.violation(f"register {address:02x} written while on air")
        if address == 0x00:
            self._to_fifo(value)
        elif address == 0x01:
            self._set_mode(value)
        elif address == 0x12 and self._long_range:
            self._lora[0x12] &= ~value
            self._update()
        elif address not in self._bank(address) or address in READ_ONLY:
            self.violation(f"register {address:02x} written")
        else:
            self._bank(address)[address] = value
            self._written(address, value)

    def _written(self, address: int, value: int) -> None:
        if address == 0x40:
            self._update()
        elif address == 0x3B and not self._long_range and value & 0x40:
            self._calibrate(value)

    def _to_fifo(self, value: int) -> None:
        if self._mode == SLEEP:
            self.violation("the FIFO in sleep")
        at = self._lora[0x0D]
        self._fifo[at] = value
        self._lora[0x0D] = at + 1 & 0xFF

    def _calibrate(self, value: int) -> None:
        if self._mode != STANDBY:
            self.violation("calibration outside standby")
        self._fsk[0x3B] = value & ~0x40 | 0x20
        self._calibrated_hz = self._freq_hz()

        def done() -> None:
            self._fsk[0x3B] &= ~0x20

        self.after(CALIBRATE_US, done)

    def _set_mode(self, value: int) -> None:
        long_range = bool(value & 0x80)
        if long_range != self._long_range:
            if self._mode != SLEEP or value & 7 != SLEEP:
                self.violation("LoRa chosen outside sleep")
                return
            self._long_range = long_range
        self._low_band = bool(value & 0x08)
        self.abort()
        self._mode = value & 7
        if self._mode == TX:
            self._begin_tx()
        elif self._mode in (RX_SINGLE, RX_CONTINUOUS):
            self._begin_rx()

    def _update(self, flags: int = 0) -> None:
        self._lora[0x12] |= flags & ~self._lora[0x11]
        irq, mapping = self._lora[0x12], self._common[0x40]
        zero = {0: RX_DONE, 1: TX_DONE}.get(mapping >> 6, 0)
        one = RX_TIMEOUT if mapping >> 4 & 3 == 0 else 0
        self.line("dio0", int(bool(irq & zero)))
        self.line("dio1", int(bool(irq & one)))

    # --- on air

    def _freq_hz(self) -> int:
        steps = self._common[0x06] << 16 | self._common[0x07] << 8 | self._common[0x08]
        return round(steps * 32e6 / 2**19)

    def _modulation(self, inverted: bool) -> Modulation:
        r = self._lora
        if r[0x1D] >> 4 not in BANDWIDTH or not 7 <= r[0x1E] >> 4 <= 12 or r[0x1D] & 1:
            self.violation(f"modulation {r[0x1D]:02x}{r[0x1E]:02x}")
        if r[0x31] & 7 != 3 or r[0x37] != 0x0A:
            self.violation("detection is not set for SF7 to SF12")
        bw_hz = BANDWIDTH.get(r[0x1D] >> 4, 125_000)
        return Modulation(r[0x1E] >> 4, bw_hz, inverted, r[0x39], bool(r[0x26] & 8))

    def _check_band(self) -> None:
        if not self._long_range:
            self.violation("on air in FSK")
        if self._low_band:
            self.violation("low band at 868 MHz")
        if abs(self._calibrated_hz - self._freq_hz()) > 20e6:
            self.violation("the image is not calibrated for this band")

    def _begin_tx(self) -> None:
        self._check_band()
        r, size = self._lora, self._lora[0x22]
        inverted = not r[0x33] & 1
        if inverted or r[0x3B] != 0x1D:
            self.violation(f"transmission with IQ {r[0x33]:02x} {r[0x3B]:02x}")
        raw = bytes(self._fifo[(r[0x0E] + i) % 256] for i in range(size))
        signal = Signal(
            self.name, self.host.now_us + TO_TX_US, self._freq_hz(), self._modulation(inverted),
            raw, bool(r[0x1E] & 4), self.dbm(), r[0x20] << 8 | r[0x21],
        )  # fmt: skip
        self.send(signal, self._sent)

    def dbm(self) -> float:
        """Output at the pin of the antenna (RegPaConfig, 5.4.3)."""
        config, dac = self._common[0x09], self._common[0x4D] & 7
        boost, output = bool(config & 0x80), config & 15
        if dac == 7 and (not boost or self._common[0x0B] & 0x1F < 15):
            self.violation("+20 dBm without PA_BOOST, or with less than 120 mA")
        if boost != self._boost:
            return -60.0
        if boost:
            return output + (5 if dac == 7 else 2)
        return 10.8 + 0.6 * (config >> 4 & 7) - 15 + output

    def _sent(self) -> None:
        self._mode = STANDBY
        self._update(TX_DONE)

    def _begin_rx(self) -> None:
        self._check_band()
        r = self._lora
        wide = r[0x1D] >> 4 == 9
        if wide and (r[0x36] != 0x02 or r[0x3A] != 0x64):
            self.violation("errata 2.1: sensitivity at 500 kHz")
        if not wide and (r[0x31] & 0x80 or (r[0x2F], r[0x30]) != (0x40, 0)):
            self.violation("errata 2.3: spurious reception")
        if bool(r[0x33] & 0x40) != (r[0x3B] == 0x19):
            self.violation(f"reception with IQ {r[0x33]:02x} {r[0x3B]:02x}")
        self.after(TO_RX_US, self._open)

    def _open(self) -> None:
        r, now = self._lora, self.host.now_us
        modulation = self._modulation(bool(r[0x33] & 0x40))
        symbols = (r[0x1E] & 3) << 8 | r[0x1F]
        if symbols < 4:
            self.violation(f"a window of {symbols} symbols")
        single = self._mode == RX_SINGLE
        close = now + round(symbols * modulation.symbol_us()) if single else None
        self.listen(ReceiveWindow(now, close, self._freq_hz(), modulation))

    def on_header(self) -> None:
        self._update(VALID_HEADER)

    def on_timeout(self) -> None:
        self.abort()
        self._mode = STANDBY
        self._update(RX_TIMEOUT)

    def received(self, frame: ReceivedFrame) -> None:
        r, raw = self._lora, bytearray(frame.signal.raw)
        self.abort()
        self._mode = STANDBY
        if len(raw) > r[0x23]:
            return  # the header is not accepted
        if frame.damaged:
            raw[len(raw) // 2] ^= 0x55
        for i, value in enumerate(raw):
            self._fifo[(r[0x0F] + i) % 256] = value
        r[0x10], r[0x13] = r[0x0F], len(raw)
        r[0x19] = round(frame.snr * 4) & 0xFF
        r[0x1A] = round(frame.rssi + 157 - min(frame.snr, 0)) & 0xFF
        bad = CRC_ERROR if frame.damaged and frame.signal.crc else 0
        self._update(RX_DONE | bad)
