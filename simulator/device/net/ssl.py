"""`ssl` as the ESP32 port has it: the interpreter's own mbedTLS over the world's sockets, and the
memory and time that a session takes of the chip.

Measured with MicroPython 1.25.0 of micropython.org on an emulated ESP32: a session takes 26 to 27
KB of ESP-IDF's heap, one block of 16 KB among it, and gives 24.6 KB back when it is closed. A
handshake computes for 249 to 344 ms. What mbedTLS keeps in the GC heap is there here, too.
"""

import io

import memory
import seam
import tls
from micropython import const

PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
CERT_NONE = tls.CERT_NONE
CERT_REQUIRED = tls.CERT_REQUIRED
# Owners of memory in ESP-IDF's heap.
_CONTEXT = const(1)  # it stays until the next context takes its place
_RECORD = const(2)
_REST = const(3)
_CONTEXT_BYTES = const(2000)
_RECORD_BYTES = const(16_717)  # the longest record, with its header
_REST_BYTES = const(7900)  # the buffer to send, keys, the broker's certificate
_HANDSHAKE_US = const(300_000)
_POLL = const(3)
_CLOSE = const(4)
_IN = const(1)
_OUT = const(4)


class SSLContext:
    def __init__(self, protocol):
        self._context = tls.SSLContext(protocol)
        memory.allocate(_CONTEXT, _CONTEXT_BYTES)

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(cadata)

    def wrap_socket(
        self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None
    ):
        memory.allocate(_RECORD, _RECORD_BYTES)
        try:
            memory.allocate(_REST, _REST_BYTES)
        except OSError as error:
            memory.allocate(_RECORD, 0)
            raise error
        inner = self._context.wrap_socket(
            sock, server_side=server_side, do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )  # fmt: skip
        return SSLSocket(sock, inner)


class SSLSocket(io.IOBase):
    """One byte is read ahead: mbedTLS may hold decrypted bytes that the socket does not know."""

    def __init__(self, sock, inner):
        self._sock = sock
        self._inner = inner
        self._ahead = b""
        self._error = None
        self._is_up = False
        self._is_ended = False

    def setblocking(self, on):
        self._inner.setblocking(on)

    def _look(self):
        if not self._is_up or self._ahead or self._error or self._is_ended:
            return
        try:
            byte = self._inner.read(1)
        except Exception as error:
            self._error = error
            return
        if byte:
            self._ahead = byte
        self._is_ended = byte == b""

    def _raise(self):
        if self._error:
            raise self._error

    def read(self, size=-1):
        self._look()
        self._raise()
        if not self._ahead:
            return b"" if self._is_ended else None
        data, self._ahead = self._ahead, b""
        if size < 0 or size > 1:
            data += self._inner.read(size - 1 if size > 1 else -1) or b""
        return data

    def readinto(self, buf, size=-1):
        data = self.read(len(buf) if size < 0 else min(size, len(buf)))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def write(self, data):
        """The first call begins the handshake, and the one that ends it takes its time."""
        self._raise()
        written = self._inner.write(data)
        if written and not self._is_up:
            self._is_up = True
            seam.stall(_HANDSHAKE_US)
        return written

    def ioctl(self, op, flags):
        if op == _POLL:
            self._look()
            ready = _IN if self._ahead or self._error or self._is_ended else 0
            if self._is_up or self._error:
                ready |= self._sock.ioctl(op, _OUT)
            elif self._sock.ioctl(op, _IN):
                ready |= _OUT  # a handshake goes on with what the broker has sent
            return ready & flags
        if op == _CLOSE:
            self.close()
        return 0

    def close(self):
        self._inner.close()
        self._sock.close()
        memory.allocate(_RECORD, 0)
        memory.allocate(_REST, 0)
