"""The Class A MAC of LoRaWAN 1.0.4 (TS001-1.0.4) as a state machine without I/O.

Time is handed in, in microseconds, as a number that only grows (on a chip: `ticks_us` extended).
The owner does this, for ever:

    request = mac.poll(now)       to be called when `wake_us` has come, and after every event
    request.kind is TX            send it, then `tx_done(time of its end)`
    request.kind is RX            listen, then `rx_done(...)` or `rx_timeout(...)`
    event = mac.event()           what the application should know, oldest first, or None

    (JOINED, DevAddr)             (JOIN_FAILED, requests so far): the next one follows by itself
    (SENT, acknowledged, transmissions)      acknowledged: True, False; None = was not asked for
    (TOO_LONG, bytes)             the payload does not fit at the data rate there is now
    (DOWNLINK, port, payload, rssi, snr)     (LINK_CHECK, margin dB, gateways)
    (TIME, GPS seconds, 1/256 s, us)         the time it was at `us`, the end of an uplink
    (OVER, reason)                "counter": join again; "DevNonce": a new JoinEUI is needed

Nothing is sent before what it uses up is stored. Snapshot: take `snapshot()` to RTC memory after
each `poll()` that returned a TX, before the radio gets it: a counter that is not in it would be
used twice. The store gets a checkpoint every 64 uplinks and with each downlink, whose FCntUp is
one that has not been used, so that a session restored from it alone jumps forward.
"""

from lorawan.mac_core import (
    DOWNLINK, JOIN_FAILED, JOINED, LINK_CHECK_ANS, OVER, SENT, TIME, TOO_LONG, Engine,
)  # fmt: skip
from lorawan.session import Session
from lorawan.uplink import Uplink, room

EVENTS = (JOINED, JOIN_FAILED, SENT, TOO_LONG, DOWNLINK, LINK_CHECK_ANS, TIME, OVER)


class NotReady(Exception):
    """There is no session, a join is going on, or the last payload is still on its way."""


class Mac(Engine):
    """region: `lorawan.regions.region.Region`. store: read(name) -> bytes or None, write(name, bytes).

    rng(bits) -> int, different in every device. now_us: the present time, from which the join
    back-off counts. radio: `lorawan.radio.Radio`. Raises ValueError.
    """

    def join(self, identity, now_us, within_us=0):
        """Join, again and again until it succeeds; the first request at random `within_us`.

        identity: `lorawan.frames.Identity`. What is waiting to be sent is given up. A power cut
        wakes a whole street at once: that is what `within_us` is for.
        """
        self._uplink = self._frame = None
        self._join.start(identity)
        self._not_before = max(self._not_before, now_us)
        if within_us:
            self._not_before += self._rng(24) * (within_us >> 10) >> 14
        self._schedule(now_us)

    def joining(self):
        """Whether a join is going on."""
        return self._join.identity is not None

    def stop(self, now_us):
        """Give up joining and what is waiting to be sent."""
        self._join.stop()
        self._uplink = self._frame = None
        self._schedule(now_us)

    def personalise(self, addr, nwk_key, app_key):
        """Use a session without a join (ABP); counters go on if it was restored."""
        if not (self.session and self.session.is_of(addr, nwk_key, app_key)):
            self.session = Session(self._region, addr, nwk_key, app_key)
            self._keeper.reserved = 0

    def restore(self, now_us, recent=None):
        """Take up the session of an earlier life; return whether there is one.

        recent: what `snapshot()` has left in RTC memory.
        """
        found = self._keeper.load(recent)
        if found:
            self.session, airtime = found
            self._air.restore(airtime, now_us)
        return found is not None

    def snapshot(self):
        """The session as bytes, with its keys; None if there is none."""
        session = self.session
        return session.pack(session.fcnt_up, self._air.spent()) if session else None

    def max_payload(self):
        """Bytes that fit into a frame now, beside the answers that are due."""
        return room(self.session) - min(15, len(self.session.answers)) if self.session else 0

    def wants_uplink(self):
        """The network waits for an uplink: an acknowledgement, answers, or it has more to say."""
        session = self.session
        return bool(session and (session.ack or session.answers or self.pending))

    def send(self, port, payload, now_us, confirmed=False):
        """Send a payload; port None and an empty payload make an empty frame.

        Raises NotReady, and ValueError if the port or the length is not possible.
        """
        if self.session is None or self._uplink or self._join.identity:
            raise NotReady("no session" if self.session is None else "busy")
        if port is None:
            if payload:
                raise ValueError("a payload needs a port")
        elif not self.is_port(port):
            raise ValueError("port %d, 1..223" % port)
        if len(payload) > room(self.session):
            raise ValueError("payload: %d of %d bytes" % (len(payload), room(self.session)))
        self._uplink = Uplink(port, bytes(payload), confirmed)
        self._schedule(now_us)

    def want(self, number):
        """Put LINK_CHECK or DEVICE_TIME (of `lorawan.mac_answers`) into the next uplink."""
        if number not in self._wanted:
            self._wanted += bytes((number,))

    def set_adr(self, on, rate=None):
        """ADR on or off; with it off, the power is the default and the data rate may be chosen.

        Raises ValueError for one that does not exist.
        """
        region = self.session.region
        if rate is not None and not region.is_rate(rate):
            lowest, above = region.table.DEFAULT_RATE, len(region.table.RX1_RATES)
            raise ValueError("data rate %d, %d..%d" % (rate, lowest, above - 1))
        self.session.adr = on
        if not on:
            self.session.power = 0
            if rate is not None:
                self.session.rate = rate

    def keep_limits(self, on):
        """Off: sub-bands have no limit. For the certification test, on a wire, and never else."""
        self._air.keeps_limits = on

    def set_battery(self, level):
        """What DevStatusAns reports: 0 = mains, 1 to 254, 255 = not known."""
        self.battery = level

    def event(self):
        """The oldest event that has not been taken, or None."""
        return self._events.pop(0) if self._events else None

    def health(self):
        """Counters: what was refused, and what went wrong."""
        exchange = self._exchange
        return {
            "refused": self.refused, "store": self.store_faults + self._keeper.damaged,
            "late": exchange.late, "radio": exchange.lost, "events": self.lost_events,
            "unknown": self.unknown,
        }  # fmt: skip
