"""What the MAC keeps in its store, so that no number is ever used twice: counters and nonces.

A checkpoint of the session holds an FCntUp that has not been used, 64 further on at most: whoever
takes it up jumps forward. It is written before the first frame that needs it, and with each
downlink, so that a downlink cannot be replayed after a reset either (TS001-1.0.4, 4.3.1.5).

    nonces    version u8 = 1 | next DevNonce u32 | count u8 | JoinNonces, 3 bytes each, newest last

DevNonce counts up from 0 and is written before it is used: a server ignores what it has seen
(TS001-1.0.4, 6.2.5). The integrity code of a Join-Accept does not cover DevNonce, so that an old
one can be replayed; the last eight JoinNonces are refused.
"""

import struct

from micropython import const

from lorawan import session as sessions

RESERVE = const(64)  # FCntUp values that one checkpoint covers
_SESSION = "session"
_NONCES = "nonces"
_VERSION = const(1)
_HEAD_BYTES = const(6)
_REMEMBERED = const(8)
_END = const(0x10000)


class Keeper:
    """store: read(name) -> bytes or None, write(name, bytes), which may raise OSError.

    damaged: sessions that could not be read.
    """

    def __init__(self, region, store):
        self._region = region
        self._store = store
        self.reserved = 0  # FCntUp in the store: what is below may be used
        self.damaged = 0

    def load(self, recent):
        """(session, airtime) of an earlier life, or None. recent: what RTC memory holds, or None.

        RTC memory counts if it is of the session in the store and not older than it; it alone
        has the airtime.
        """
        kept = self._unpacked(self._store.read(_SESSION))
        late = self._unpacked(recent)
        if kept is None or (late and late[0].follows(kept[0], RESERVE)):
            kept = late
        if kept:
            self.reserved = kept[0].fcnt_up
        return kept

    def _unpacked(self, data):
        if not data:
            return None
        try:
            return sessions.unpack(self._region, data)
        except ValueError:
            self.damaged += 1
            return None

    def reserve(self, session):
        """Make sure that the store permits the next FCntUp; raises OSError."""
        if session.fcnt_up >= self.reserved:
            self.save(session, session.fcnt_up + RESERVE)

    def save(self, session, fcnt_up=None):
        """Write a checkpoint; raises OSError."""
        if fcnt_up is None:
            fcnt_up = max(self.reserved, session.fcnt_up)
        self._store.write(_SESSION, session.pack(fcnt_up, ()))
        self.reserved = fcnt_up


class Nonces:
    """store: read(name) -> bytes or None, write(name, bytes). Raises ValueError if damaged."""

    def __init__(self, store):
        self._store = store
        self.next = 0
        self._seen = []
        data = store.read(_NONCES)
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
        self._store.write(_NONCES, head + b"".join(seen))
