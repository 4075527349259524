"""Records the edges of light barriers, or of a Doppler module, on the board they are wired to.

A small program runs on the board in the place of the firmware. It is sent over the prompt of
MicroPython in raw mode: Ctrl-A, the program, Ctrl-D (documentation of MicroPython, "The
MicroPython Interactive Interpreter Mode"). Each edge is a line `ms,A,0`. Meanwhile the board does
not count. At the end, or on Ctrl-C, it restarts and counts again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.i18n import _

PROGRAM = """
import machine, time
from array import array
N = 1024
times_us, levels = array("i", [0] * N), bytearray(N)
written = read = lost = 0
def on_edge(pin):
    global written, lost
    if written - read >= N:
        lost += 1
        return
    i = written % N
    times_us[i] = time.ticks_us()
    levels[i] = (pin is pins[1]) * 2 + pin.value()
    written += 1
pins = [machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP) for gpio in PINS]
watchdog = machine.WDT(timeout=60000)
last, now_us = time.ticks_us(), 0
def advance(t):
    global last, now_us
    now_us += max(0, time.ticks_diff(t, last))
    last = t
def send(i, level):
    print("%d.%03d,%s,%d" % (now_us // 1000, now_us % 1000, "AB"[i], level))
for i, pin in enumerate(pins):
    send(i, pin.value())
    pin.irq(handler=on_edge, trigger=machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING)
try:
    while True:
        while read != written:
            i = read % N
            advance(times_us[i])
            send(levels[i] >> 1, levels[i] & 1)
            read += 1
        if lost:
            print("# lost: %d" % lost)
            lost = 0
        t = time.ticks_us()
        if read == written and time.ticks_diff(t, last) > 60_000_000:
            advance(t)  # before the ticks wrap
        watchdog.feed()
        time.sleep_ms(20)
finally:
    machine.reset()
"""
BAUD = 115_200
_REPLY_TIMEOUT_S = 4.0  # a board starts in two: three such attempts outlast a start
_ATTEMPTS_MAX = 3
_CHUNK_BYTES = 200  # the port of the chip holds 260 bytes


def record_edges(port: Any, name: str, board: Board, seconds: float) -> Iterator[str]:
    """The lines of a recording, for so long (0: without end). Raises ToolError, OSError.

    port: of pyserial, open, with a short timeout. name: the port as the user named it.
    """
    if not any(_open_raw_prompt(port) for _attempt in range(_ATTEMPTS_MAX)):
        raise ToolError(
            _("{port}: there is no prompt of MicroPython").format(port=name),
            _(
                "If a node counts there, run: tallypost config set console=open --reboot."
                " Otherwise see which device it is: tallypost check"
            ),
        )
    program = PROGRAM.replace("PINS", repr(board.beams)).encode()
    for start in range(0, len(program), _CHUNK_BYTES):
        port.write(program[start : start + _CHUNK_BYTES])
        time.sleep(0.02)
    port.write(b"\x04")
    if not _receive(port, b"OK"):
        raise ToolError(
            _("{port}: the board does not accept the recording program").format(port=name),
            _("Run the command once more. If it fails again, use another cable."),
        )
    until = time.monotonic() + seconds if seconds else float("inf")
    rest = b""
    try:
        while time.monotonic() < until:
            rest += port.read(max(1, port.in_waiting))
            *lines, rest = rest.split(b"\n")
            for line in lines:
                yield line.decode("ascii", "replace").strip("\r\x04")
    finally:
        port.write(b"\x03")  # the program ends, the board restarts


def _open_raw_prompt(port: Any) -> bool:
    """Interrupt the program that runs and ask for the raw prompt. A starting board ignores it."""
    port.write(b"\r\x03\x03")
    time.sleep(0.2)
    port.write(b"\r\x01")
    return _receive(port, b"raw REPL; CTRL-B to exit\r\n>")


def _receive(port: Any, text: bytes) -> bool:
    """Whether a text arrives in time."""
    until, received = time.monotonic() + _REPLY_TIMEOUT_S, b""
    while text not in received and time.monotonic() < until:
        received += port.read(max(1, port.in_waiting))
    return text in received
