"""The analogue half of `sx1262`: transmission and reception with the chip's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.world.lorawan.radio_medium import (
    Modulation,
    RadioMedium,
    ReceivedFrame,
    ReceiveWindow,
    Signal,
)
from simulator.world.lorawan.transceivers.transceiver import Host, Transceiver

# Switching times of section 8.3.1: from a standby with the oscillator off, and on.
TO_XOSC_US, TO_FS_US, RC_TO_TX_US, RC_TO_RX_US, XOSC_TO_TX_US, XOSC_TO_RX_US = (
    31, 50, 126, 83, 105, 62
)  # fmt: skip
TX_DONE, RX_DONE, PREAMBLE, HEADER_VALID, CRC_ERROR, TIMEOUT = (
    1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 6, 1 << 9
)  # fmt: skip
XOSC_START_ERROR = 1 << 5
IMAGES = {b"\xd7\xdb": (863e6, 870e6), b"\xe1\xe9": (902e6, 928e6)}  # table 9-2
BANDWIDTH = {4: 125_000, 5: 250_000, 6: 500_000}
# Table 12-1, and the register that the maker's driver writes beside SetLoRaSymbNumTimeout.
REGISTERS = {
    0x0580: 0x00, 0x0583: 0x00, 0x0584: 0x00, 0x0585: 0x00, 0x06B8: 0x01, 0x06B9: 0x00,
    0x06BC: 0x1D, 0x06BD: 0x0F, 0x06BE: 0x10, 0x06BF: 0x21, 0x0706: 0x00, 0x0736: 0x0D,
    0x0740: 0x14, 0x0741: 0x24, 0x0889: 0x01, 0x08AC: 0x94, 0x08D8: 0xC8, 0x08E7: 0x18,
    0x0902: 0x00, 0x0911: 0x05, 0x0912: 0x05, 0x0920: 0x01, 0x0944: 0x00,
}  # fmt: skip
RC, XOSC, RX, TX = "rc", "xosc", "rx", "tx"


@dataclass
class State:
    """Everything that a reset forgets."""

    mode: str = RC
    lora: bool = False
    freq_hz: int = 0
    modulation: bytes = b""
    packet: bytes = b""
    power: bytes = b""
    pa: bytes = b""
    symbols: int = 0
    irq: int = 0
    irq_mask: int = 0
    dio1_mask: int = 0
    errors: int = 0
    fallback: str = RC
    tcxo: tuple[float, int] | None = None  # volts, microseconds
    tcxo_running: bool = False
    rf_switch: bool = False
    image: bytes = b""
    base: bytes = b"\0\0"
    received: bytes = b"\0\0"
    strength: bytes = b"\0\0\0"
    registers: dict[int, int] = field(default_factory=lambda: dict(REGISTERS))


class Sx1262Air(Transceiver):
    """model: 1261 or 1262. tcxo: volts of the board's TCXO, None = a crystal. dio2: the antenna
    switch of the board hangs on DIO2.
    """

    def __init__(
        self, name: str, host: Host, medium: RadioMedium, *, tcxo: float | None = 1.8,
        dio2: bool = True, model: int = 1262,
    ) -> None:  # fmt: skip
        super().__init__(name, host, medium)
        self._tcxo, self._dio2, self._model = tcxo, dio2, model
        self.state = State()
        self._buffer = bytearray(256)

    def _start_oscillator(self, us: int) -> int:
        """The time until the oscillator runs. A TCXO without supply never does."""
        if self._tcxo is None:
            return us
        if self.state.tcxo is None or abs(self.state.tcxo[0] - self._tcxo) > 0.05:
            self.state.errors |= XOSC_START_ERROR
            return us
        wait_us = 0 if self.state.tcxo_running else self.state.tcxo[1]
        self.state.tcxo_running = True
        return us + wait_us

    def _update(self, set_irq: int = 0) -> None:
        self.state.irq |= set_irq & self.state.irq_mask
        self.line("dio1", int(bool(self.state.irq & self.state.dio1_mask)))

    def _modulation(self) -> Modulation:
        sf, bw, _rate, slow = self.state.modulation
        sync = self.state.registers[0x0740] & 0xF0 | self.state.registers[0x0741] >> 4
        return Modulation(sf, BANDWIDTH[bw], bool(self.state.packet[5]), sync, bool(slow))

    def _can_operate(self) -> bool:
        """Whether all settings are made that transmission and reception need."""
        if not (self.state.modulation and self.state.packet and self.state.freq_hz):
            self.violation("on air without modulation, packet parameters or frequency")
            return False
        if self._dio2 and not self.state.rf_switch:
            return False  # the antenna is not connected
        if self.state.errors & XOSC_START_ERROR:
            return False
        low, high = IMAGES.get(self.state.image, (0.0, 0.0))
        if self.state.image and not low <= self.state.freq_hz <= high:
            self.violation("the image is calibrated for another band")
        if bool(self.state.registers[0x0736] & 4) == bool(self.state.packet[5]):
            self.violation("errata 15.4: register 0736")
        return True

    def _tx(self, _body: bytes) -> int:
        us = XOSC_TO_TX_US if self.state.mode == XOSC else RC_TO_TX_US
        us = self._start_oscillator(us)
        self.abort()
        self.state.mode = TX
        if not self._can_operate() or not self.state.power or not self.state.pa:
            return us
        if (self.state.modulation[1] != 6) != bool(self.state.registers[0x0889] & 4):
            self.violation("errata 15.1: register 0889")
        if self._model == 1262 and self.state.registers[0x08D8] & 0x1E != 0x1E:
            self.violation("errata 15.2: register 08d8")
        first, size = self.state.base[0], self.state.packet[3]
        raw = bytes(self._buffer[(first + i) % 256] for i in range(size))
        signal = Signal(
            self.name, self.host.now_us + us, self.state.freq_hz, self._modulation(), raw,
            bool(self.state.packet[4]), self.dbm(), int.from_bytes(self.state.packet[:2], "big"),
        )  # fmt: skip
        self.send(signal, self._sent)
        return us

    def dbm(self) -> float:
        """Output for the best settings of table 13-21. The others are not specified."""
        power = self.state.power[0] - (self.state.power[0] & 0x80) * 2
        best = {
            b"\x04\x07": (22, 22), b"\x03\x05": (20, 22), b"\x02\x03": (17, 22),
            b"\x02\x02": (14, 22), b"\x06\x00": (15, 14), b"\x04\x00": (14, 14),
            b"\x01\x00": (10, 13),
        }  # fmt: skip
        if self.state.pa[:2] not in best:
            self.violation(f"power amplifier {self.state.pa.hex()} is not in table 13-21")
        power_max, at = best.get(self.state.pa[:2], (power, power))
        return power_max + power - at

    def _sent(self) -> None:
        self.state.mode = self.state.fallback
        self._update(TX_DONE)

    def _rx(self, body: bytes) -> int:
        us = XOSC_TO_RX_US if self.state.mode == XOSC else RC_TO_RX_US
        us = self._start_oscillator(us)
        self.abort()
        self.state.mode = RX
        if body != b"\0\0\0":
            self.violation("a timer of SetRx, which is not emulated")
        if self._can_operate():
            self.after(us, self._open)
        return us

    def _open(self) -> None:
        modulation, now = self._modulation(), self.host.now_us
        close = None
        if self.state.symbols:
            close = now + round(self._timeout_symbols() * modulation.symbol_us())
        self.listen(ReceiveWindow(now, close, self.state.freq_hz, modulation))

    def _timeout_symbols(self) -> int:
        """Mantissa * 2 ** (2 exponent + 1). The command and the register have to agree."""
        value = self.state.registers[0x0706]
        symbols = (value >> 3) << (2 * (value & 7) + 1)
        if symbols != self.state.symbols:
            self.violation(f"{self.state.symbols} symbols, register 0706 says {symbols}")
        return self.state.symbols

    def on_header(self) -> None:
        self._update(PREAMBLE | HEADER_VALID)

    def on_timeout(self) -> None:
        self.abort()
        self.state.mode = self.state.fallback
        self._update(TIMEOUT)

    def received(self, frame: ReceivedFrame) -> None:
        self.abort()
        self.state.mode = self.state.fallback
        raw = bytearray(frame.signal.raw)
        if frame.damaged:
            raw[len(raw) // 2] ^= 0x55
        start = self.state.base[1]
        for i, value in enumerate(raw):
            self._buffer[(start + i) % 256] = value
        self.state.received = bytes([len(raw), start])
        snr = round(frame.snr * 4) & 0xFF
        rssi = round(-frame.rssi * 2)
        self.state.strength = bytes([rssi, snr, rssi])
        bad = CRC_ERROR if frame.damaged and frame.signal.crc else 0
        self._update(RX_DONE | bad)
