"""TLS between a node and the broker: the broker's end, with CPython's OpenSSL.

A handshake draws random numbers on both sides, so the bytes of two runs differ, and with them the
hash of the trace. The counts do not.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from simulator.world.network.access_network import BrokerEnd, Closed, Out

_RESET = 104


class TlsEnd:
    """A `BrokerEnd` around another one. make(out, closed) returns the inner one."""

    def __init__(
        self,
        context: ssl.SSLContext,
        to_node: Out,
        closed: Closed,
        make: Callable[[Out, Closed], BrokerEnd],
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._to_node = to_node
        self._closed = closed
        self._inner = make(self._send, closed)
        self._is_up = False

    @property
    def last_us(self) -> int:
        return self._inner.last_us

    @last_us.setter
    def last_us(self, t_us: int) -> None:
        self._inner.last_us = t_us

    def expired(self, t_us: int) -> bool:
        return self._inner.expired(t_us)

    def shut(self, t_us: int, code: int) -> None:
        self._inner.shut(t_us, code)

    def feed(self, t_us: int, data: bytes) -> None:
        """Encrypted bytes of the node."""
        self._incoming.write(data)
        try:
            if not self._is_up:
                self._tls.do_handshake()
                self._is_up = True
            while plain := self._tls.read(16_384):
                self._inner.feed(t_us, plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._flush(t_us)  # the alert
            self._inner.shut(t_us, _RESET)
            return
        self._flush(t_us)

    def _send(self, t_us: int, data: bytes) -> None:
        self._tls.write(data)
        self._flush(t_us)

    def _flush(self, t_us: int) -> None:
        if data := self._outgoing.read():
            self._to_node(t_us, data)
