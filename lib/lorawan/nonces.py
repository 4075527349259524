"""The numbers a device uses once in its life: DevNonce, and the JoinNonces it has accepted.

    version u8 = 1 | next DevNonce u32 | count u8 | JoinNonces, 3 bytes each, newest last

DevNonce counts up from 0 and is written before it is used: a server ignores what it has seen
(TS001-1.0.4, 6.2.5). The integrity code of a Join-Accept does not cover DevNonce, so that an old
one can be replayed; the last eight JoinNonces are refused.
"""

import struct

from micropython import const

_NAME = "nonces"
_VERSION = const(1)
_HEAD_BYTES = const(6)
_REMEMBERED = const(8)
_END = const(0x10000)


class Nonces:
    """store: read(name) -> bytes or None, write(name, bytes). Raises ValueError if damaged."""

    def __init__(self, store):
        self._store = store
        self.next = 0
        self._seen = []
        data = store.read(_NAME)
        if data is not None:
            self._unpack(data)

    def _unpack(self, data):
        if len(data) < _HEAD_BYTES or data[0] != _VERSION:
            raise ValueError("nonces: version or length")
        _version, self.next, count = struct.unpack_from("<BIB", data)
        if len(data) != _HEAD_BYTES + 3 * count or self.next > _END:
            raise ValueError("nonces: %d bytes, DevNonce %d" % (len(data), self.next))
        for at in range(_HEAD_BYTES, len(data), 3):
            self._seen.append(bytes(data[at : at + 3]))

    def left(self):
        """How many Join-Requests can still be made for this JoinEUI."""
        return _END - self.next

    def take(self):
        """The DevNonce of the next Join-Request, never to come again; ValueError at the end."""
        if self.next >= _END:
            raise ValueError("DevNonce is used up: a new JoinEUI is needed")
        self._write(self.next + 1, self._seen)
        self.next += 1
        return self.next - 1

    def check(self, join_nonce):
        """Raises ValueError if the JoinNonce (3 bytes) of a Join-Accept was used before."""
        if join_nonce in self._seen:
            raise ValueError("nonce")

    def accept(self, join_nonce):
        """Remember a JoinNonce."""
        seen = self._seen[1 - _REMEMBERED :] + [join_nonce]
        self._write(self.next, seen)
        self._seen = seen

    def _write(self, dev_nonce, seen):
        head = struct.pack("<BIB", _VERSION, dev_nonce, len(seen))
        self._store.write(_NAME, head + b"".join(seen))
