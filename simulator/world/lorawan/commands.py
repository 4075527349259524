"""MAC commands from the network's side (TS001-1.0.4, 5): requests are built, answers are read."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.world.lorawan.codec import FrameError

LINK_CHECK, LINK_ADR, DUTY_CYCLE, RX_PARAM, DEV_STATUS = 2, 3, 4, 5, 6
NEW_CHANNEL, RX_TIMING, TX_PARAM, DL_CHANNEL, DEVICE_TIME = 7, 8, 9, 10, 13
# Bytes behind the number of a command that a device sends.
UP_BYTES = {
    LINK_CHECK: 0, LINK_ADR: 1, DUTY_CYCLE: 0, RX_PARAM: 1, DEV_STATUS: 2, NEW_CHANNEL: 1,
    RX_TIMING: 0, TX_PARAM: 0, DL_CHANNEL: 1, DEVICE_TIME: 0,
}  # fmt: skip
# Status of an answer that grants the whole request.
GRANTED = {LINK_ADR: 7, RX_PARAM: 7, NEW_CHANNEL: 3, DL_CHANNEL: 3}


@dataclass(frozen=True)
class MacCommand:
    number: int
    fields: tuple[int, ...]
    body: bytes

    def encode(self) -> bytes:
        return bytes([self.number]) + self.body


def _hz(freq_hz: int) -> bytes:
    return (freq_hz // 100).to_bytes(3, "little")


def link_adr(rate: int, power: int, mask: int, control: int = 0, nb_trans: int = 1) -> MacCommand:
    body = bytes([rate << 4 | power]) + mask.to_bytes(2, "little")
    body += bytes([control << 4 | nb_trans])
    return MacCommand(LINK_ADR, (rate, power, mask, control, nb_trans), body)


def duty_cycle(limit: int) -> MacCommand:
    return MacCommand(DUTY_CYCLE, (limit,), bytes([limit]))


def rx_param(offset: int, rate: int, freq_hz: int) -> MacCommand:
    return MacCommand(
        RX_PARAM, (offset, rate, freq_hz), bytes([offset << 4 | rate]) + _hz(freq_hz)
    )


def dev_status() -> MacCommand:
    return MacCommand(DEV_STATUS, (), b"")


def new_channel(index: int, freq_hz: int, low: int = 0, high: int = 5) -> MacCommand:
    body = bytes([index]) + _hz(freq_hz) + bytes([high << 4 | low])
    return MacCommand(NEW_CHANNEL, (index, freq_hz, low, high), body)


def rx_timing(delay: int) -> MacCommand:
    return MacCommand(RX_TIMING, (delay,), bytes([delay]))


def tx_param(value: int) -> MacCommand:
    return MacCommand(TX_PARAM, (value,), bytes([value]))


def dl_channel(index: int, freq_hz: int) -> MacCommand:
    return MacCommand(DL_CHANNEL, (index, freq_hz), bytes([index]) + _hz(freq_hz))


def read(data: bytes) -> list[tuple[int, bytes]]:
    """(number, body) of the commands that a device sent. Raises FrameError."""
    found, at = [], 0
    while at < len(data):
        number = data[at]
        if number not in UP_BYTES:
            raise FrameError(f"command {number:02x} from a device")
        end = at + 1 + UP_BYTES[number]
        if end > len(data):
            raise FrameError(f"command {number:02x} is cut short")
        found.append((number, data[at + 1 : end]))
        at = end
    return found
