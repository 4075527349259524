"""The session in the store: written ahead, so that no counter is ever used twice.

A checkpoint holds an FCntUp that has not been used, 64 further on at most: whoever takes it up
jumps forward. It is written before the first frame that needs it, and with each downlink, so that
a downlink cannot be replayed after a reset either (TS001-1.0.4, 4.3.1.5).
"""

from micropython import const

from lorawan import session as sessions

_NAME = "session"
RESERVE = const(64)  # FCntUp values that one checkpoint covers


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
        kept = self._unpacked(self._store.read(_NAME))
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
        self._store.write(_NAME, session.pack(fcnt_up, ()))
        self.reserved = fcnt_up
