"""The Class A MAC of LoRaWAN 1.0.4 (TS001-1.0.4) as a state machine without I/O.

Time is passed in, in microseconds, as a number that only grows (on a chip: `ticks_us` extended).
The owner does this in a loop:

    request = mac.poll(now)       to be called when `wake_us` has come, and after every event
    request.kind is TX            send it, then `tx_done(time of its end)`
    request.kind is RX            listen, then `rx_done(...)` or `rx_timeout(...)`
    event = mac.event()           news for the application, oldest first, or None

    (JOINED, DevAddr)             (JOIN_FAILED, requests so far): the next one follows by itself
    (SENT, acknowledged, transmissions)      acknowledged: True, False; None = was not asked for
    (TOO_LONG, bytes)             the payload does not fit at the data rate there is now
    (DOWNLINK, port, payload, rssi, snr)     (LINK_CHECK_ANS, margin dB, gateways)
    (TIME, GPS seconds, 1/256 s, us)         the time it was at `us`, the end of an uplink
    (OVER, reason)                "counter": join again; "DevNonce": a new JoinEUI is needed

The names of the events are in `lorawan.mac_core`. A frame is sent only after the store has its
counter, DevNonce and airtime. Copy `snapshot()` to RTC memory after each `poll()` that returned a
TX, before the radio gets the frame. A counter that is missing there would be used twice. The store
gets a checkpoint every 64 uplinks and with each downlink. The FCntUp of a checkpoint has not been
used, so a session restored from the store alone jumps forward.
"""

from lorawan.mac_core import MacCore
from lorawan.session import Session
from lorawan.uplink import Uplink, max_payload


class NotReady(Exception):
    """There is no session, a join is going on, or the last payload is still on its way."""


class Mac(MacCore):
    """region: `lorawan.regions.region.Region`. rng(bits) -> int, different in every device.

    store: read(name) -> bytes or None, write(name, bytes). now_us: the present time, the start of
    the join back-off. radio: `lorawan.radio.Radio`. Raises ValueError.
    """

    def join(self, identity, now_us, within_us=0):
        """Join, again and again until it succeeds. The first request is sent at random
        `within_us`.

        identity: `lorawan.frames.Identity`. A payload that waits is discarded. `within_us` spreads
        the requests when a power cut wakes a whole street at once.
        """
        self._uplink = self._frame = None
        self._join.start(identity)
        self._earliest_us = max(self._earliest_us, now_us)
        if within_us:
            self._earliest_us += self._rng(24) * (within_us >> 10) >> 14
        self._schedule(now_us)

    def joining(self):
        """True while a join is going on."""
        return self._join.identity is not None

    def stop(self, now_us):
        """Stop joining, and discard the payload that waits."""
        self._join.stop()
        self._uplink = self._frame = None
        self._schedule(now_us)

    def personalise(self, addr, nwk_key, app_key):
        """Use a session without a join (ABP). The counters of a restored session go on."""
        if not (self.session and self.session.is_of(addr, nwk_key, app_key)):
            self.session = Session(self._region, addr, nwk_key, app_key)
            self._persistence.reserved = 0

    def restore(self, now_us, recent=None):
        """Continue the session from before a restart. Returns whether there is one.

        recent: the last `snapshot()`, from RTC memory.
        """
        found = self._persistence.load(recent)
        if found:
            self.session, airtime = found
            self._duty_cycle.restore(airtime, now_us)
        return found is not None

    def snapshot(self):
        """The session as bytes, with its keys; None if there is none."""
        session = self.session
        return session.pack(session.fcnt_up, self._duty_cycle.spent()) if session else None

    def max_payload(self):
        """Bytes that fit into a frame now, beside the answers that are due."""
        session = self.session
        return max_payload(session) - min(15, len(session.answers)) if session else 0

    def wants_uplink(self):
        """The network waits for an uplink: an acknowledgement, answers, or it has more to send."""
        session = self.session
        return bool(session and (session.ack or session.answers or self.pending))

    def send(self, port, payload, now_us, confirmed=False):
        """Send a payload. Port None and an empty payload make an empty frame.

        Raises NotReady, and ValueError for an impossible port or length.
        """
        if self.session is None or self._uplink or self._join.identity:
            raise NotReady("no session" if self.session is None else "busy")
        if port is None:
            if payload:
                raise ValueError("a payload needs a port")
        elif not self.is_port(port):
            raise ValueError("port %d, 1..223" % port)
        if len(payload) > max_payload(self.session):
            raise ValueError("payload: %d of %d bytes" % (len(payload), max_payload(self.session)))
        self._uplink = Uplink(port, bytes(payload), confirmed)
        self._schedule(now_us)

    def queue_request(self, number):
        """Put LINK_CHECK or DEVICE_TIME (of `lorawan.mac_answers`) into the next uplink."""
        if number not in self._requests:
            self._requests += bytes((number,))

    def set_adr(self, on, rate=None):
        """Switch ADR on or off. With ADR off, power is the default and the data rate may be
        chosen.

        Raises ValueError for a data rate that does not exist.
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

    def set_duty_cycle(self, on):
        """Switch the airtime limits of the sub-bands on or off.

        Off is for the certification test alone, on a wire instead of an antenna.
        """
        self._duty_cycle.is_enforced = on

    def event(self):
        """Remove and return the oldest event; None if there is none."""
        return self._events.pop(0) if self._events else None

    def health(self):
        """Counters of refused frames and of faults."""
        rx_windows = self._rx_windows
        return {
            "refused": self.refused, "store": self.store_faults + self._persistence.damaged,
            "late": rx_windows.missed, "radio": rx_windows.unanswered, "events": self.lost_events,
            "unknown": self.unknown,
        }  # fmt: skip
