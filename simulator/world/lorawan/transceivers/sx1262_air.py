"""The analogue half of `sx1262`: what its settings make of the air."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.world.lorawan.transceivers.transceiver import Host, Transceiver
from simulator.world.lorawan.ether import Ether, Heard, Listening, Modulation, Signal

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
    switch of the board hangs on DIO2."""

    def __init__(
        self, name: str, host: Host, ether: Ether, *, tcxo: float | None = 1.8, dio2: bool = True,
        model: int = 1262,
    ) -> None:  # fmt: skip
        super().__init__(name, host, ether)
        self._tcxo, self._dio2, self._model = tcxo, dio2, model
        self.s = State()
        self._buffer = bytearray(256)

    def _start_oscillator(self, us: int) -> int:
        """The time until the oscillator runs; a TCXO without supply never does."""
        if self._tcxo is None:
            return us
        if self.s.tcxo is None or abs(self.s.tcxo[0] - self._tcxo) > 0.05:
            self.s.errors |= XOSC_START_ERROR
            return us
        wait_us = 0 if self.s.tcxo_running else self.s.tcxo[1]
        self.s.tcxo_running = True
        return us + wait_us

    def _update(self, set_irq: int = 0) -> None:
        self.s.irq |= set_irq & self.s.irq_mask
        self.line("dio1", int(bool(self.s.irq & self.s.dio1_mask)))

    def _how(self) -> Modulation:
        sf, bw, _rate, slow = self.s.modulation
        sync = self.s.registers[0x0740] & 0xF0 | self.s.registers[0x0741] >> 4
        return Modulation(sf, BANDWIDTH[bw], bool(self.s.packet[5]), sync, bool(slow))

    def _works(self) -> bool:
        """Whether everything is set that transmission and reception need."""
        if not (self.s.modulation and self.s.packet and self.s.freq_hz):
            self.violation("on air without modulation, packet parameters or frequency")
            return False
        if self._dio2 and not self.s.rf_switch:
            return False  # the antenna is not connected
        if self.s.errors & XOSC_START_ERROR:
            return False
        low, high = IMAGES.get(self.s.image, (0.0, 0.0))
        if self.s.image and not low <= self.s.freq_hz <= high:
            self.violation("the image is calibrated for another band")
        if bool(self.s.registers[0x0736] & 4) == bool(self.s.packet[5]):
            self.violation("errata 15.4: register 0736")
        return True

    def _tx(self, _body: bytes) -> int:
        us = XOSC_TO_TX_US if self.s.mode == XOSC else RC_TO_TX_US
        us = self._start_oscillator(us)
        self.turn()
        self.s.mode = TX
        if not self._works() or not self.s.power or not self.s.pa:
            return us
        if (self.s.modulation[1] != 6) != bool(self.s.registers[0x0889] & 4):
            self.violation("errata 15.1: register 0889")
        if self._model == 1262 and self.s.registers[0x08D8] & 0x1E != 0x1E:
            self.violation("errata 15.2: register 08d8")
        first, size = self.s.base[0], self.s.packet[3]
        raw = bytes(self._buffer[(first + i) % 256] for i in range(size))
        signal = Signal(
            self.name, self.host.now_us + us, self.s.freq_hz, self._how(), raw,
            bool(self.s.packet[4]), self.dbm(), int.from_bytes(self.s.packet[:2], "big"),
        )  # fmt: skip
        self.send(signal, self._sent)
        return us

    def dbm(self) -> float:
        """Output for the best settings of table 13-21; the others are not specified."""
        power = self.s.power[0] - (self.s.power[0] & 0x80) * 2
        best = {
            b"\x04\x07": (22, 22), b"\x03\x05": (20, 22), b"\x02\x03": (17, 22),
            b"\x02\x02": (14, 22), b"\x06\x00": (15, 14), b"\x04\x00": (14, 14),
            b"\x01\x00": (10, 13),
        }  # fmt: skip
        if self.s.pa[:2] not in best:
            self.violation(f"power amplifier {self.s.pa.hex()} is not in table 13-21")
        most, at = best.get(self.s.pa[:2], (power, power))
        return most + power - at

    def _sent(self) -> None:
        self.s.mode = self.s.fallback
        self._update(TX_DONE)

    def _rx(self, body: bytes) -> int:
        us = XOSC_TO_RX_US if self.s.mode == XOSC else RC_TO_RX_US
        us = self._start_oscillator(us)
        self.turn()
        self.s.mode = RX
        if body != b"\0\0\0":
            self.violation("a timer of SetRx, which is not emulated")
        if self._works():
            self.after(us, self._open)
        return us

    def _open(self) -> None:
        how, now = self._how(), self.host.now_us
        close = None
        if self.s.symbols:
            close = now + round(self._timeout_symbols() * how.symbol_us())
        self.listen(Listening(now, close, self.s.freq_hz, how))

    def _timeout_symbols(self) -> int:
        """Mantissa * 2 ** (2 exponent + 1); the command and the register have to agree."""
        value = self.s.registers[0x0706]
        symbols = (value >> 3) << (2 * (value & 7) + 1)
        if symbols != self.s.symbols:
            self.violation(f"{self.s.symbols} symbols, register 0706 says {symbols}")
        return self.s.symbols

    def found_header(self) -> None:
        self._update(PREAMBLE | HEADER_VALID)

    def found_nothing(self) -> None:
        self.turn()
        self.s.mode = self.s.fallback
        self._update(TIMEOUT)

    def received(self, heard: Heard) -> None:
        self.turn()
        self.s.mode = self.s.fallback
        raw = bytearray(heard.signal.raw)
        if heard.damaged:
            raw[len(raw) // 2] ^= 0x55
        start = self.s.base[1]
        for i, value in enumerate(raw):
            self._buffer[(start + i) % 256] = value
        self.s.received = bytes([len(raw), start])
        snr = round(heard.snr * 4) & 0xFF
        rssi = round(-heard.rssi * 2)
        self.s.strength = bytes([rssi, snr, rssi])
        bad = CRC_ERROR if heard.damaged and heard.signal.crc else 0
        self._update(RX_DONE | bad)
