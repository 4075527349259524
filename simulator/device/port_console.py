"""The console: UART0 of the port, as `print`, `sys.stdin`, `sys.stdout` and Ctrl-C have it.

Sources: shared/runtime/sys_stdio_mphal.c and ports/esp32/mphalport.c, uart.c of MicroPython.
Received bytes wait in a ring of 260 bytes, one of them always free. When it is full, further bytes
are dropped without an error. Reading waits until all requested bytes are there. `\\n` goes out as
`\\r\\n`, except through `buffer`. The world adds the `\\r`, so that it still sees whole lines.

`sys` and `micropython` are not extensible. So `sys.modules` has objects with the changed parts,
and the interpreter's own modules behind them. One object is stdin, stdout and stderr: on the port
they differ in the calls that they refuse. Left out: `input()`, `help()`, and `sys.path = ...` as
an assignment.
"""

import builtins
import io
import sys

import micropython
import seam
from micropython import const

_RING = const(259)
_CHUNK_BYTES = const(1400)  # the longest request

_view = memoryview(seam.outside(_RING))
_count = 0
_interrupt_char = -1  # set only while a program runs
_attached = False


def _receive(data):
    """Bytes from the line. The interrupt character never gets to the ring."""
    global _count
    for byte in data:
        if byte == _interrupt_char:
            seam.interrupted = True
        elif _count < _RING:
            _view[_count] = byte
            _count += 1


seam.sinks[seam.CONSOLE] = _receive


def _end_if_interrupted():
    """A program that is to end reads nothing any more: later bytes are for the prompt."""
    if seam.interrupted:
        seam.interrupt_now()


def _waiting():
    return _count


def kbd_intr(char):
    """Set the character that raises KeyboardInterrupt, -1 for none, and send it to the world."""
    global _interrupt_char
    _interrupt_char = char
    if _attached:
        seam.send(seam.LOG, 2, char & 0xFF)


def rx_chr():
    """The next byte, waited for."""
    global _count
    _end_if_interrupted()
    seam.idle(seam.NEVER, _waiting)
    byte = _view[0]
    _count -= 1
    if _count:
        _view[:_count] = _view[1 : _count + 1]
    return byte


def tx_bytes(data, raw=0):
    """Send bytes: unchanged if `raw`, else as text."""
    for start in range(0, len(data), _CHUNK_BYTES):
        seam.send(seam.LOG, raw, 0, data[start : start + _CHUNK_BYTES])


def print_text(*values, sep=" ", end="\n", file=None):
    """`print`."""
    text = sep.join(str(value) for value in values) + end
    if file is None:
        tx_bytes(text.encode())
    else:
        file.write(text)


class _Stream(io.IOBase):
    """The console as bytes. `_Text` is the console as text."""

    _raw = 1

    def ioctl(self, op, flags):
        if op != 3:
            return 0
        _end_if_interrupted()
        return ((1 if _count else 0) | 4) & flags

    def _byte(self):
        return rx_chr()

    def readinto(self, buf, size=-1):
        size = len(buf) if size < 0 else min(size, len(buf))
        for i in range(size):
            buf[i] = self._byte()
        return size

    def read(self, size=-1):
        buf = bytearray()
        while len(buf) != size:
            buf.append(self._byte())
        return bytes(buf)

    def readline(self):
        line = bytearray()
        while not line.endswith(b"\n"):
            line.append(self._byte())
        return bytes(line)

    def write(self, data):
        tx_bytes(data.encode() if isinstance(data, str) else data, self._raw)
        return len(data)


class _Text(_Stream):
    _raw = 0
    buffer = _Stream()

    def _byte(self):
        byte = rx_chr()
        return 10 if byte == 13 else byte

    def read(self, size=-1):
        """Read `size` characters."""
        text = bytearray()
        while size:
            first = self._byte()
            text.append(first)
            for _ in range(0 if first < 0xC0 else 1 if first < 0xE0 else 2 if first < 0xF0 else 3):
                text.append(self._byte())
            size -= 1
        return text.decode()

    def readline(self):
        return super().readline().decode()


def print_exception(error, file=None):
    if file is None:
        text = io.StringIO()
        sys.print_exception(error, text)
        tx_bytes(text.getvalue().encode())
    else:
        sys.print_exception(error, file)


class Module:
    """A built-in module with some names replaced."""

    def __init__(self, module, **names):
        self._module = module
        for name in names:
            setattr(self, name, names[name])

    def __getattr__(self, name):
        return getattr(self._module, name)


def install(kind):
    """Replace the interpreter's own modules. Everything imported from now on sees these.

    kind: of the board, if a console is attached. The world then sends a signal to a program that
    never waits, and `sys.implementation` names the board as on the chip.
    """
    global _attached
    _attached = bool(kind)
    if kind:
        micropython.kbd_intr(3)
    builtins.print = print_text
    text = _Text()
    sys.modules["micropython"] = Module(micropython, kbd_intr=kbd_intr, schedule=seam.schedule)
    sys.modules["sys"] = Module(
        sys,
        platform="esp32",
        stdin=text,
        stdout=text,
        stderr=text,
        print_exception=print_exception,
    )
    if kind:
        implementation = Module(sys.implementation, **{"_machine": kind})
        sys.modules["sys"].implementation = implementation
