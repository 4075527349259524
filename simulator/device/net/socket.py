"""`socket` with the behaviour of the ESP32 port (ports/esp32/modsocket.c).

`setblocking(True)` wipes a timeout. Name resolution and `connect` block everything. A closed
connection reads as `b""`. Writes may be partial. The world carries the bytes and decides when they
arrive. Received bytes are kept here.
"""

import io

import memory
import seam
from micropython import const

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6
SOL_SOCKET = 1
SO_REUSEADDR = 4
TCP_NODELAY = 1
_SOCKETS_MAX = const(10)  # LWIP_MAX_SOCKETS of the build
# newlib's numbers, as on the chip. start.py gives them to `errno`.
_EIO = const(5)
_EBADF = const(9)
_EAGAIN = const(11)
_ENOMEM = const(12)
_ENFILE = const(23)
_ECONNRESET = const(104)
_ECONNREFUSED = const(111)
_ETIMEDOUT = const(116)
_EINPROGRESS = const(119)
_ENOTCONN = const(128)
_SEND_MAX = const(1460)  # one segment: the most one call hands over
_NO_MEMORY_US = const(250_000)  # lwIP tries again with its slow timer
_RX_DATA = const(0x80)
_RX_CONNECTED = const(0xA0)
_RX_CLOSED = const(0xC0)
_POLL = const(3)
_CLOSE = const(4)
_open = [None] * _SOCKETS_MAX


def getaddrinfo(host, port, *_ignored):
    """Blocks until the name is resolved, and unlike `connect` runs no handlers meanwhile. Raises
    OSError as the port does: -202, and -203 where ESP-IDF has no memory, of an address too."""
    delay_us, body = seam.request(seam.RESOLVE, 0, 0, host.encode())
    if delay_us < 0:
        raise OSError(delay_us)
    seam.stall(delay_us)
    if not body:
        raise OSError(-202)
    return [(AF_INET, SOCK_STREAM, 0, "", (body.decode(), port))]


class socket(io.IOBase):
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0):
        if None not in _open:
            raise OSError(_ENFILE)
        self._id = _open.index(None)
        _open[self._id] = self
        self._kind = kind
        self._received = b""
        self._timeout_us = seam.NEVER
        self._state = 0  # 0 fresh, 1 connecting, 2 connected, 3 closed by the peer, 4 closed
        self._error = 0
        self._writable_us = 0  # lwIP had no memory: not before this time
        self._peer = ("0.0.0.0", 0)
        seam.sinks[_RX_DATA | self._id] = self._on_data
        seam.sinks[_RX_CONNECTED | self._id] = self._on_connected
        seam.sinks[_RX_CLOSED | self._id] = self._on_closed

    def _on_data(self, data):
        self._received += bytes(data)

    def _on_connected(self, data):
        # A refusal is a reset (lwIP, tcp_in.c: ERR_RST).
        self._error = _ECONNRESET if data[0] == _ECONNREFUSED else data[0]
        self._state = 3 if self._error else 2

    def _on_closed(self, data):
        self._state = 3
        self._error = data[0] if data else 0

    def setblocking(self, on):
        self._timeout_us = seam.NEVER if on else 0

    def settimeout(self, seconds):
        self._timeout_us = seam.NEVER if seconds is None else int(seconds * 1_000_000)

    def setsockopt(self, *_ignored):
        pass

    def _wait(self, ready):
        """Block as long as the timeout allows. EAGAIN without one, ETIMEDOUT after one."""
        if ready():
            return
        if self._timeout_us == 0:
            raise OSError(_EAGAIN)
        if not seam.block(seam.now + self._timeout_us, ready):
            raise OSError(_ETIMEDOUT)

    def connect(self, address):
        self._check()
        host, port = address
        error, _ = seam.request(seam.OPEN, self._id, port, host.encode())
        if error:
            raise OSError(error)
        self._state = 1
        if self._timeout_us == 0:
            raise OSError(_EINPROGRESS)
        self._wait(self._settled)
        if self._state == 3:
            raise OSError(self._error)

    def _settled(self):
        return self._state != 1

    def _readable(self):
        return bool(self._received) or self._state >= 3

    def _check(self):
        if self._state == 4:
            raise OSError(_EBADF)

    def recv(self, size):
        self._check()
        if self._kind == SOCK_STREAM and self._state == 0:
            raise OSError(_ENOTCONN)
        self._wait(self._readable)
        data = self._received[:size]
        self._received = self._received[size:]
        if not data and self._error:
            raise OSError(self._error)
        return data

    def recvfrom(self, size):
        return self.recv(size), self._peer

    def read(self, size=-1):
        """Read exactly `size` bytes unless the peer closes. None when it may not block."""
        wanted = seam.NEVER if size < 0 else size
        data = b""
        while len(data) < wanted:
            try:
                piece = self.recv(min(wanted - len(data), 4096))
            except OSError as error:
                if error.errno != _EAGAIN:
                    raise error
                return data or None
            if not piece:
                break
            data += piece
        return data

    def readinto(self, buf, size=-1):
        """Fill the buffer unless the peer closes. Return the number of bytes so far when it may
        not block."""
        view = memoryview(buf)
        if size >= 0:
            view = view[:size]
        done = 0
        while done < len(view):
            try:
                piece = self.recv(len(view) - done)
            except OSError as error:
                if error.errno != _EAGAIN:
                    raise error
                return done or None
            if not piece:
                break
            view[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            piece = self.recv(1)
            if not piece:
                break
            line += piece
        return line

    def send(self, data):
        self._check()
        if self._state < 2:
            raise OSError(_EAGAIN if self._state else _ENOTCONN)
        if self._state == 3:
            raise OSError(self._error or _ECONNRESET)
        piece = memoryview(data)[:_SEND_MAX]
        sent, _ = seam.request(seam.SEND, self._id, 0, piece)
        if sent < 0:
            if sent == -_EAGAIN:
                self._writable_us = seam.now + _NO_MEMORY_US
            raise OSError(-sent)
        return sent

    def write(self, data, size=-1):
        view = memoryview(data)
        if size >= 0:
            view = view[:size]
        done = 0
        while done < len(view):
            try:
                done += self.send(view[done:])
            except OSError as error:
                if error.errno != _EAGAIN:
                    raise error
                return done or None
        return done

    sendall = write

    def sendto(self, data, address):
        self._check()
        host, port = self._peer = address
        payload = host.encode() + b"\0" + bytes(data)
        if seam.request(seam.UDP, self._id, port, payload)[0] < 0:
            raise OSError(_ENOMEM)
        return len(data)

    def makefile(self, *_ignored):
        return self

    def ioctl(self, op, flags):
        if op == _POLL:
            if memory.starved:  # `select` of ESP-IDF allocates
                raise OSError(_EIO)
            state = self._state
            ready = 1 if self._received or state >= 3 else 0
            if state == 2:
                return (ready | (4 if seam.now >= self._writable_us else 0)) & flags
            return (5 & flags) | 16 if state == 3 else ready & flags
        if op == _CLOSE:
            self.close()
        return 0

    def close(self):
        if self._state != 4:
            seam.request(seam.CLOSE, self._id)
            _open[self._id] = None
        self._state = 4
