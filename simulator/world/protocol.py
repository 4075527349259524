"""The world's side of the seam: message layouts. `simulator/device/seam.py` draws them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

REQUEST = struct.Struct("<BBHIQ")  # op, a, n, b, now_us; then n bytes
REPLY = struct.Struct("<BBHiQ")  # immediate, flags, n, value, horizon_us; then n bytes
INPUT = struct.Struct("<QBH")  # t_us, port, n; then n bytes
VOID_INPUTS = 1
IS_ANSWER = 2


class Op(IntEnum):
    HELLO = 0
    WAIT = 1
    LOG = 2
    RESET = 3
    PROGRAM = 4
    ERASE = 5
    UART_WRITE = 6
    PIN_WRITE = 7
    RTC_READ = 8
    RTC_WRITE = 9
    NVS = 10
    WIFI = 11
    RESOLVE = 12
    OPEN = 13
    SEND = 14
    CLOSE = 15
    UDP = 16
    SPI = 17
    GROW = 18
    ALLOCATE = 19
    MEMORY = 20
    HEAP_INFO = 21
    I2C = 22


ONE_WAY = frozenset({Op.LOG, Op.PIN_WRITE, Op.RTC_WRITE, Op.RESET, Op.MEMORY})
PORT_CONSOLE = 0
PORT_PIN, PORT_WIFI, PORT_DATA, PORT_CONNECTED, PORT_CLOSED = 0x40, 0x50, 0x80, 0xA0, 0xC0
BODY_MAX = 2500  # the node has a fixed buffer for a reply's inputs
Input = tuple[int, int, bytes]  # t_us, port, data


@dataclass(frozen=True)
class Request:
    op: Op
    a: int
    b: int
    now_us: int
    data: bytes


def pack_inputs(inputs: list[Input]) -> bytes:
    """Inputs as the body of a reply."""
    return b"".join(INPUT.pack(t, port, len(data)) + data for t, port, data in inputs)


def fit_in_reply(inputs: list[Input], used: int = 0) -> list[Input]:
    """The first inputs that fit into the node's buffer behind `used` bytes."""
    for i, (_, _, data) in enumerate(inputs):
        used += len(data) + INPUT.size
        if used > BODY_MAX or i == 255:
            return inputs[:i]
    return list(inputs)
