"""The node's operating-system process: the MicroPython interpreter with the board's image.

One boot of a node is one process. A power cut is a kill. A reboot is a new process on the same
flash file. Addresses are not randomised and the environment is empty. Otherwise the interpreter's
conservative garbage collector would see different stacks in two equal runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from simulator.world.chip.shims import IMAGE
from simulator.world.protocol import REQUEST, Op, Request
from simulator.world.spec import Console

_NO_RANDOMISE = 0x0040000  # personality(2): ADDR_NO_RANDOMIZE
_SET_DEATH_SIGNAL = 1  # prctl(2)
_STARTING = threading.Lock()  # nodes on one air: no thread may fork while another one does
SILENCE_S = 0.3  # after this time only a signal reaches a node that computes
HANG_S = 60.0  # real time: a node silent for longer is in an endless loop


class PowerCut(Exception):
    """The power failed. It stays away for `off_us` microseconds."""

    def __init__(self, off_us: int) -> None:
        super().__init__(off_us)
        self.off_us = off_us


class Reset(Exception):
    """The node asked for a reset, or suffered one. RTC memory is kept."""


class NodeEnded(Exception):
    """The process ended by itself, which firmware never does."""


class NodeHung(Exception):
    """The process computes without end. On the chip the watchdog would reset it."""


# The interpreter comes as an extension module of CPython. It opens file descriptors with fixed
# numbers (60 the link, 62 the flash file). A path would differ from machine to machine, and its
# length would change the node's heap. Three areas are mapped to fixed addresses outside the heap:
# memory for buffers of the chip's drivers, the shims, and the address of the interpreter's state.
_START = '''
import ctypes, fcntl, os, sys
import micropython_module as module
from micropython_module import run_main
state = ctypes.addressof(ctypes.c_char.in_dll(ctypes.CDLL(module.__file__), "mp_state_ctx"))
libc = ctypes.CDLL(None)
libc.mmap.argtypes = (ctypes.c_size_t,) * 6
libc.mmap.restype = ctypes.c_size_t
heap = sys.argv[1]  # one of the descriptors may be 60 or 62
link, shims, flash = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 63) for fd in sys.argv[2:])
def map_at(address, size, access, flags, fd):
    if libc.mmap(address, size, access, flags, fd % (1 << 64), 0) != address:
        sys.exit(f"nothing can be mapped to {address:#x}")
READ, READ_WRITE, PRIVATE_FIXED, ANONYMOUS = 1, 3, 0x100002, 0x20
map_at(0x10_0000_0000, 1 << 18, READ_WRITE, PRIVATE_FIXED | ANONYMOUS, -1)
map_at(0x13_0000_0000, 1 << 12, READ_WRITE, PRIVATE_FIXED | ANONYMOUS, -1)
ctypes.c_uint64.from_address(0x13_0000_0000).value = state
size = os.fstat(shims).st_size
map_at(0x11_0000_0000, size, READ, PRIVATE_FIXED, shims)
os.dup2(link, 60)
os.dup2(flash, 62)
run_main(["micropython", "-X", heap, "-c", f"""
import uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(0x11_0000_0000, {size})), "/rom")
import start
"""])
'''


def die_with_parent() -> None:
    """For `preexec_fn`: end this process when its parent ends, in any way."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _prepare() -> None:
    die_with_parent()
    ctypes.CDLL(None).personality(_NO_RANDOMISE)


class NodeProcess:
    """Starts the interpreter with `heap` (as `-X heapsize=` takes it) on a flash file.

    console: of a node with a console. Such a node may compute until somebody types Ctrl-C.
    """

    def __init__(self, flash: Path, heap: str, console: Console | None = None) -> None:
        self._console = console
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(SILENCE_S if console else HANG_S)
        self._buffer = bytearray()
        files = [os.open(path, os.O_RDONLY) for path in (IMAGE, flash)]
        fds = [theirs.fileno(), *files]
        numbers = [f"{fd:05}" for fd in fds]  # of one length: they lie on the stack
        with _STARTING:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, f"heapsize={heap}", *numbers],
                env={"MICROPYPATH": "/rom:.frozen"},
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=2,  # the firmware prints to the world: this shows errors of the shims
                preexec_fn=_prepare,
            )
        for file in files:
            os.close(file)
        theirs.close()

    def receive(self) -> Request:
        """Wait for the node's next request. Raises NodeEnded or NodeHung."""
        head = self._read_exactly(REQUEST.size)
        op, a, n, b, now_us = REQUEST.unpack(head)
        return Request(Op(op), a, b, now_us, self._read_exactly(n))

    def _read_exactly(self, size: int) -> bytes:
        buffer = self._buffer
        while len(buffer) < size:
            try:
                piece = self._socket.recv(65536)
            except TimeoutError as error:
                self._on_silence(error)
                continue
            except ConnectionError as error:
                raise NodeEnded from error
            if not piece:
                raise NodeEnded
            buffer += piece
        data = bytes(buffer[:size])
        del buffer[:size]
        return data

    def _on_silence(self, error: TimeoutError) -> None:
        """The node computes for a long time. Raises NodeHung if no console can interrupt it."""
        if self._console is None:
            raise NodeHung from error
        if self._console.interrupt_requested():
            self._process.send_signal(signal.SIGINT)

    def reply(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except ConnectionError as error:
            raise NodeEnded from error

    def abort(self) -> None:
        """End it from another thread. A thread that waits in `receive` gets NodeEnded."""
        self._process.kill()

    def kill(self) -> None:
        """Cut the power."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
