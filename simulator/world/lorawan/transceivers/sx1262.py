"""A Semtech SX1261/SX1262 at its pins (DS.SX1261-2.W.APP, Rev. 2.1, LoRa only).

Commands are carried out at the rising edge of chip select, with BUSY for as long as section 8.3.1
says. Recorded as violations: a command while BUSY, of a wrong length, unknown or out of order,
registers that do not exist, and errata that a driver has not handled.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.world.lorawan.radio_medium import RadioMedium
from simulator.world.lorawan.transceivers.sx1262_air import (
    BANDWIDTH,
    RC,
    RX,
    TO_XOSC_US,
    TX,
    XOSC,
    State,
    Sx1262Air,
)
from simulator.world.lorawan.transceivers.transceiver import Host

RESET_US, CALIBRATE_US, COMMAND_US = 3500, 3500, 2
IMAGE_US, REGISTER_US = 1800, 1
TCXO_VOLTS = (1.6, 1.7, 1.8, 2.2, 2.4, 2.7, 3.0, 3.3)
# Opcode: parameters in bytes; None = one or more.
LENGTHS: dict[int, int | None] = {
    0x02: 2, 0x07: 2, 0x08: 8, 0x0D: None, 0x0E: None, 0x80: 1, 0x82: 3, 0x83: 3, 0x86: 4,
    0x89: 1, 0x8A: 1, 0x8B: 4, 0x8C: 6, 0x8E: 2, 0x8F: 2, 0x93: 1, 0x95: 4, 0x96: 1, 0x97: 4,
    0x98: 2, 0x9D: 1, 0x9F: 1, 0xA0: 1,
}  # fmt: skip
READS = (0x12, 0x13, 0x14, 0x17, 0x1D, 0x1E, 0xC0)
STANDBY_ONLY = (0x86, 0x89, 0x8A, 0x8B, 0x8C, 0x8E, 0x95, 0x96, 0x97, 0x98)
STATUS = {RC: 2, XOSC: 3, RX: 5, TX: 6}


class Sx1262(Sx1262Air):
    """mute: the chip does not answer. stuck: BUSY stays high. Arguments as in `Sx1262Air`."""

    LINES = ("busy", "dio1")

    def __init__(
        self, name: str, host: Host, medium: RadioMedium, *, tcxo: float | None = 1.8,
        dio2: bool = True, model: int = 1262,
    ) -> None:  # fmt: skip
        super().__init__(name, host, medium, tcxo=tcxo, dio2=dio2, model=model)
        self.mute = self.stuck = False
        self._out = bytearray()  # of the current transaction
        self._selected = self._ignored = False
        self._busy_task = 0
        self._actions: dict[int, Callable[[bytes], int | None]] = {
            0x02: self._clear_irq, 0x07: self._clear_errors, 0x08: self._dio_irq,
            0x0D: self._write_register, 0x0E: self._write_buffer, 0x80: self._standby,
            0x82: self._rx, 0x83: self._tx, 0x86: self._frequency, 0x89: self._calibrate,
            0x8A: self._packet_type, 0x8B: self._set_modulation, 0x8C: self._set_packet,
            0x8E: self._tx_params, 0x8F: self._base, 0x93: self._set_fallback,
            0x95: self._pa, 0x97: self._set_tcxo, 0x98: self._calibrate_image,
            0x9D: self._rf_switch, 0xA0: self._symbol_timeout,
        }  # fmt: skip

    # --- pins

    def reset(self, level: int) -> None:
        self.abort()
        self.state = State()
        self._out = bytearray()  # a command that was cut short is not carried out later
        self.line("dio1", 0)
        self.line("busy", 1)
        if level:
            self._busy(RESET_US)

    def select(self, level: int) -> None:
        """Chip select is active at 0."""
        if level == 0 and not self._selected:
            self._selected, self._out = True, bytearray()
            self._ignored = bool(self.lines().get("busy"))
            if self._ignored and not self.mute:
                self.violation("a command while BUSY")
        elif level and self._selected:
            self._selected = False
            if self._out and not self._ignored and not self.mute:
                self._execute(self._out[0], bytes(self._out[1:]))

    def transfer(self, data: bytes) -> bytes:
        """Take bytes on MOSI. Return those on MISO."""
        if not self._selected:
            self.violation("SPI without chip select")
            return bytes(len(data))
        answer = bytearray()
        for value in data:
            self._out.append(value)
            answer.append(0 if self.mute or self._ignored else self._miso())
        return bytes(answer)

    def _miso(self) -> int:
        opcode, at = self._out[0], len(self._out) - 1
        if opcode == 0x1D:
            return self._register_at(at)
        if opcode == 0x1E:
            return self._buffer[(self._out[1] + at - 3) % 256] if at >= 3 else self._status()
        texts = {
            0x12: self.state.irq.to_bytes(2, "big"), 0x13: self.state.received,
            0x14: self.state.strength, 0x17: self.state.errors.to_bytes(2, "big"),
        }  # fmt: skip
        text = texts.get(opcode, b"")
        return text[at - 2] if 2 <= at < 2 + len(text) else self._status()

    def _register_at(self, at: int) -> int:
        if at < 4:
            return self._status()
        address = int.from_bytes(self._out[1:3], "big") + at - 4
        if address not in self.state.registers:
            self.violation(f"register {address:04x} read")
        return self.state.registers.get(address, 0)

    def _status(self) -> int:
        return STATUS[self.state.mode] << 4 | 1 << 1

    def _busy(self, us: int) -> None:
        self._busy_task += 1
        task = self._busy_task
        self.line("busy", 1)

        def ready() -> None:
            if task == self._busy_task and not self.stuck:
                self.line("busy", 0)

        self.host.call_at(self.host.now_us + us, ready)

    # --- commands

    def _execute(self, opcode: int, body: bytes) -> None:
        if opcode in READS:
            self._busy(COMMAND_US)
            return
        if opcode not in LENGTHS:
            self.violation(f"command {opcode:02x}")
            return
        expected = LENGTHS[opcode]
        if expected is not None and len(body) != expected:
            self.violation(f"command {opcode:02x} with {len(body)} bytes")
            return
        if opcode in STANDBY_ONLY and self.state.mode not in (RC, XOSC):
            self.violation(f"command {opcode:02x} in {self.state.mode}")
        action = self._actions.get(opcode)
        busy_us = action(body) if action else None
        self._busy(busy_us or COMMAND_US)

    def _standby(self, body: bytes) -> int:
        self.abort()
        was, self.state.mode = self.state.mode, XOSC if body[0] else RC
        if not body[0]:
            self.state.tcxo_running = False
        return self._start_oscillator(TO_XOSC_US if was == RC else 1) if body[0] else COMMAND_US

    def _set_tcxo(self, body: bytes) -> None:
        self.state.tcxo = (TCXO_VOLTS[body[0] & 7], int.from_bytes(body[1:], "big") * 125 // 8)

    def _calibrate(self, body: bytes) -> int:
        if self.state.mode != RC:
            self.violation("calibration outside STDBY_RC")
        wait_us = self._start_oscillator(0)
        self.state.tcxo_running = False
        return CALIBRATE_US + wait_us

    def _calibrate_image(self, body: bytes) -> int:
        self.state.image = body
        return IMAGE_US

    def _rf_switch(self, body: bytes) -> None:
        self.state.rf_switch = bool(body[0])

    def _clear_irq(self, body: bytes) -> None:
        self.state.irq &= ~int.from_bytes(body, "big")
        self._update()

    def _clear_errors(self, _body: bytes) -> None:
        self.state.errors = 0

    def _dio_irq(self, body: bytes) -> None:
        self.state.irq_mask = int.from_bytes(body[:2], "big")
        self.state.dio1_mask = int.from_bytes(body[2:4], "big")

    def _write_register(self, body: bytes) -> int:
        first = int.from_bytes(body[:2], "big")
        for address, value in enumerate(body[2:], first):
            if address not in self.state.registers:
                self.violation(f"register {address:04x} written")
                continue
            self.state.registers[address] = value
        return REGISTER_US

    def _write_buffer(self, body: bytes) -> None:
        if body[0] + len(body) - 1 > 256:
            self.violation("the buffer runs over")
        for i, value in enumerate(body[1:]):
            self._buffer[(body[0] + i) % 256] = value

    def _packet_type(self, body: bytes) -> None:
        self.state.lora = body[0] == 1
        self.state.modulation = self.state.packet = b""

    def _set_modulation(self, body: bytes) -> None:
        if not self.state.lora:
            self.violation("modulation before the packet type")
        if not 5 <= body[0] <= 12 or body[1] not in BANDWIDTH or not 1 <= body[2] <= 4:
            self.violation(f"modulation {body.hex()}")
        self.state.modulation = body

    def _set_packet(self, body: bytes) -> None:
        if not self.state.modulation:
            self.violation("packet parameters before the modulation")
        self.state.packet = body

    def _frequency(self, body: bytes) -> None:
        self.state.freq_hz = round(int.from_bytes(body, "big") * 32e6 / 2**25)

    def _tx_params(self, body: bytes) -> None:
        self.state.power = body

    def _base(self, body: bytes) -> None:
        self.state.base = body

    def _set_fallback(self, body: bytes) -> None:
        modes = {0x20: RC, 0x30: XOSC}
        if body[0] not in modes:
            self.violation(f"fall-back mode {body[0]:02x}")
        self.state.fallback = modes.get(body[0], RC)

    def _pa(self, body: bytes) -> None:
        if body[2] != (1 if self._model == 1261 else 0) or body[3] != 1:
            self.violation(f"power amplifier {body.hex()} on an SX{self._model}")
        if body[0] > (7 if self._model == 1261 else 4) or body[1] > 7:
            self.violation(f"power amplifier {body.hex()} is over-stressed (13.1.14)")
        self.state.pa = body

    def _symbol_timeout(self, body: bytes) -> None:
        self.state.symbols = body[0]
