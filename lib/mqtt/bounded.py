"""A socket under umqtt.simple: every call has a deadline, writes go out in one piece.

umqtt.simple writes a packet in four or five small pieces (a publish then takes 40 ms between Nagle
and delayed ACK, and some brokers drop such a client) and reads without a time limit;
`setblocking(True)` wipes a timeout on the ESP32, and TLS sockets have no `settimeout`. So the
limit is set anew before every read, on the socket that lies under it all.
"""

import time


class LinkDown(Exception):
    """The connection is gone or never came up; the message says how it was noticed."""


class BoundedSocket:
    """sock: a fresh stream socket. deadline_ms: for each read or flush.

    wrap: function(connected socket) -> the stream to use instead, for TLS; or None.
    """

    def __init__(self, sock, deadline_ms, wrap=None):
        self.stream = sock
        self._sock = sock  # under the stream: what can be given a time limit
        self._deadline_ms = deadline_ms
        self._wrap = wrap
        self._out = bytearray()

    def connect(self, address):
        self._limit()
        self._sock.connect(address)
        if self._wrap:
            self.stream = self._wrap(self._sock)

    def write(self, data, size=-1):
        """Keep bytes until the next read or `flush()`."""
        self._out += data if size < 0 else data[:size]
        return len(data) if size < 0 else size

    def flush(self):
        out, self._out = memoryview(self._out), bytearray()
        start = time.ticks_ms()
        while len(out):
            if time.ticks_diff(time.ticks_ms(), start) > self._deadline_ms:
                raise LinkDown("write timed out")
            self._limit()
            sent = self.stream.write(out)
            out = out[sent or 0 :]

    def read(self, size):
        self.flush()
        data = b""
        start = time.ticks_ms()
        while len(data) < size:
            if time.ticks_diff(time.ticks_ms(), start) > self._deadline_ms:
                raise LinkDown("read timed out")
            self._limit()
            piece = self.stream.read(size - len(data))
            if piece is not None and not piece:
                raise LinkDown("closed by the broker")
            data += piece or b""
        return data

    def _limit(self):
        self._sock.settimeout(self._deadline_ms / 1000)

    def close(self):
        self.stream.close()


class Sockets:
    """Stands for the module `socket` inside umqtt.simple: hands out bounded sockets."""

    def __init__(self, module, deadline_ms, wrap):
        self._module = module
        self._deadline_ms = deadline_ms
        self._wrap = wrap
        self.opened = None

    def getaddrinfo(self, *args):
        return self._module.getaddrinfo(*args)

    def socket(self, *args):
        self.opened = BoundedSocket(self._module.socket(*args), self._deadline_ms, self._wrap)
        return self.opened
