"""The MAC's counters and nonces in its store, so that none is used twice.

A checkpoint of the session holds an FCntUp that has not been used, at most 64 ahead. A device that
starts from it jumps forward. The checkpoint is written before the first frame that needs it, and
with each downlink. So a downlink cannot be replayed after a reset either (TS001-1.0.4, 4.3.1.5).

    nonces    version u8 = 1 | next DevNonce u32 | count u8 | JoinNonces, 3 bytes each, newest last

DevNonce counts up from 0 and is written before it is used. A server ignores a DevNonce that it has
seen (TS001-1.0.4, 6.2.5). The integrity code of a Join-Accept does not cover DevNonce, so an old
Join-Accept can be replayed. The last eight JoinNonces are therefore refused.
"""

import struct

from micropython import const

from lorawan.session import unpack

RESERVE = const(64)  # FCntUp values that one checkpoint covers
_SESSION = "session"
_NONCES = "nonces"
_VERSION = const(1)
_HEAD_BYTES = const(6)
_JOIN_NONCES_MAX = const(8)
_DEV_NONCES = const(0x10000)


class Persistence:
    """store: read(name) -> bytes or None, write(name, bytes), which may raise OSError.

    damaged: number of sessions that could not be read.
    """

    def __init__(self, region, store):
        self._region = region
        self._store = store
        self.reserved = 0  # FCntUp in the store: lower ones may be used
        self.damaged = 0

    def load(self, recent):
        """(session, airtime) from before a restart, or None. recent: RTC memory, bytes or None.

        RTC memory counts if it is of the stored session and not older. Only RTC memory has the
        airtime.
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
            return unpack(self._region, data)
        except ValueError:
            self.damaged += 1
            return None

    def reserve(self, session):
        """Make sure that the store permits the next FCntUp. Raises OSError."""
        if session.fcnt_up >= self.reserved:
            self.save(session, session.fcnt_up + RESERVE)

    def save(self, session, fcnt_up=None):
        """Write a checkpoint. Raises OSError."""
        if fcnt_up is None:
            fcnt_up = max(self.reserved, session.fcnt_up)
        self._store.write(_SESSION, session.pack(fcnt_up, ()))
        self.reserved = fcnt_up


class Nonces:
    """store: read(name) -> bytes or None, write(name, bytes). Raises ValueError if damaged.

    dev_nonce: of the next Join-Request.
    """

    def __init__(self, store):
        self._store = store
        self.dev_nonce = 0
        self._seen = []
        data = store.read(_NONCES)
        if data is not None:
            self._unpack(data)

    def _unpack(self, data):
        if len(data) < _HEAD_BYTES or data[0] != _VERSION:
            raise ValueError("nonces: version or length")
        _version, self.dev_nonce, count = struct.unpack_from("<BIB", data)
        if len(data) != _HEAD_BYTES + 3 * count or self.dev_nonce > _DEV_NONCES:
            raise ValueError("nonces: %d bytes, DevNonce %d" % (len(data), self.dev_nonce))
        for at in range(_HEAD_BYTES, len(data), 3):
            self._seen.append(bytes(data[at : at + 3]))

    def remaining(self):
        """How many Join-Requests can still be made for this JoinEUI."""
        return _DEV_NONCES - self.dev_nonce

    def next_dev_nonce(self):
        """Store and return the DevNonce of the next Join-Request. ValueError when all are used."""
        if self.dev_nonce >= _DEV_NONCES:
            raise ValueError("DevNonce is used up: a new JoinEUI is needed")
        self._write(self.dev_nonce + 1, self._seen)
        self.dev_nonce += 1
        return self.dev_nonce - 1

    def check(self, join_nonce):
        """Raises ValueError if the JoinNonce (3 bytes) of a Join-Accept was used before."""
        if join_nonce in self._seen:
            raise ValueError("nonce")

    def accept(self, join_nonce):
        """Store a JoinNonce as used."""
        seen = self._seen[1 - _JOIN_NONCES_MAX :] + [join_nonce]
        self._write(self.dev_nonce, seen)
        self._seen = seen

    def _write(self, dev_nonce, seen):
        head = struct.pack("<BIB", _VERSION, dev_nonce, len(seen))
        self._store.write(_NONCES, head + b"".join(seen))
