"""Edges of light barriers, or of a Doppler module, from the board that they are wired to.

A small program runs on the board in the firmware's place, over MicroPython's prompt in raw mode
(Ctrl-A, the program, Ctrl-D; its documentation, "The MicroPython Interactive Interpreter Mode").
Each edge is a line `ms,A,0`. Meanwhile the board does not count; at the end, or on Ctrl-C, it
starts anew and does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board

PROGRAM = """
import machine, time
from array import array
N = 1024
when, what = array("i", [0] * N), bytearray(N)
put = got = lost = 0
def on(pin):
    global put, lost
    if put - got >= N:
        lost += 1
        return
    i = put % N
    when[i] = time.ticks_us()
    what[i] = (pin is pins[1]) * 2 + pin.value()
    put += 1
pins = [machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP) for gpio in PINS]
dog = machine.WDT(timeout=60000)
last, now_us = time.ticks_us(), 0
def go(t):
    global last, now_us
    now_us += max(0, time.ticks_diff(t, last))
    last = t
def say(i, level):
    print("%d.%03d,%s,%d" % (now_us // 1000, now_us % 1000, "AB"[i], level))
for i, pin in enumerate(pins):
    say(i, pin.value())
    pin.irq(handler=on, trigger=machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING)
try:
    while True:
        while got != put:
            i = got % N
            go(when[i])
            say(what[i] >> 1, what[i] & 1)
            got += 1
        if lost:
            print("# lost: %d" % lost)
            lost = 0
        t = time.ticks_us()
        if got == put and time.ticks_diff(t, last) > 60_000_000:
            go(t)  # ticks go round
        dog.feed()
        time.sleep_ms(20)
finally:
    machine.reset()
"""
BAUD = 115_200
_PATIENCE_S = 4.0  # a board is up in two, three such tries outlast a start
_TRIES = 3
_PIECE = 200  # the chip's port holds 260 bytes


def recorded(port: Any, name: str, board: Board, seconds: float) -> Iterator[str]:
    """Lines of a recording, for so long (0 = for ever); raises ToolError, OSError.

    port: of pyserial, open, with a short timeout. name: what the user called it.
    """
    if not any(_prompt(port) for _ in range(_TRIES)):
        raise ToolError(f"{name}: no prompt of MicroPython", "tallypost check says who is there")
    program = PROGRAM.replace("PINS", repr(board.beams)).encode()
    for start in range(0, len(program), _PIECE):
        port.write(program[start : start + _PIECE])
        time.sleep(0.02)
    port.write(b"\x04")
    if not _hear(port, b"OK"):
        raise ToolError(f"{name}: it does not take the program", "once more; is the cable good?")
    until = time.monotonic() + seconds if seconds else float("inf")
    rest = b""
    try:
        while time.monotonic() < until:
            rest += port.read(max(1, port.in_waiting))
            *lines, rest = rest.split(b"\n")
            for line in lines:
                yield line.decode("ascii", "replace").strip("\r\x04")
    finally:
        port.write(b"\x03")  # it starts anew


def _prompt(port: Any) -> bool:
    """Interrupt what runs, and ask for the raw prompt; a board that is starting hears nothing."""
    port.write(b"\r\x03\x03")
    time.sleep(0.2)
    port.write(b"\r\x01")
    return _hear(port, b"raw REPL; CTRL-B to exit\r\n>")


def _hear(port: Any, text: bytes) -> bool:
    until, heard = time.monotonic() + _PATIENCE_S, b""
    while text not in heard and time.monotonic() < until:
        heard += port.read(max(1, port.in_waiting))
    return text in heard
