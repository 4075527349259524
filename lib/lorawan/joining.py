"""Joining over the air: the next Join-Request, and the check of its answer (6.2)."""

from micropython import const

from lorawan.frames import JoinAccept, build_join_request
from lorawan.persistence import Nonces
from lorawan.regions.limits import JoinBackoff

REQUEST_BYTES = const(23)
_DELAY_S = const(5)  # JOIN_ACCEPT_DELAY1


class Joining:
    """requests: how many have been sent. identity: None while no join is going on."""

    def __init__(self, region, store, now_us):
        self._region = region
        self._nonces = Nonces(store)
        self._backoff = JoinBackoff(now_us)
        self.identity = None
        self.channels = None
        self.requests = 0
        self._dev_nonce = 0

    def start(self, identity):
        self.identity = identity
        self.channels = self._region.table.Channels(self._region)
        self.requests = 0

    def stop(self):
        self.identity = self.channels = None

    def exhausted(self):
        """True if no DevNonce is left for this JoinEUI."""
        return not self._nonces.remaining()

    def rate(self):
        """Data rate of the next request: all of the region's rates in turn."""
        rates = self._region.table.JOIN_RATES
        return rates[self.requests % len(rates)]

    def free_at(self, now_us):
        """When the next request is permitted."""
        return self._backoff.free_at(self._toa_us(), now_us)

    def _toa_us(self):
        return self._region.uplink_us(self.rate(), REQUEST_BYTES)

    def build_request(self, buf, now_us):
        """Write the next request to `buf`. Its DevNonce is stored first (OSError)."""
        self._dev_nonce = self._nonces.next_dev_nonce()
        build_join_request(buf, self.identity, self._dev_nonce)
        self._backoff.add(self._toa_us(), now_us)
        self.requests += 1

    def windows(self, down_hz, rate):
        """RX1 and RX2 after a request, in the form of `RxWindows.start()`."""
        table = self._region.table
        rx1 = (_DELAY_S, down_hz, self._region.rx1_rate(rate, 0))
        return rx1, (_DELAY_S + 1, table.RX2_HZ, table.RX2_RATE)

    def pause_us(self, toa_us, rng):
        """How long to wait after RX2 of a request without an answer."""
        return self._backoff.pause_us(toa_us, rng)

    def check_accept(self, data):
        """Parse and check a Join-Accept. Raises ValueError."""
        if self.identity is None:
            raise ValueError("type")  # the join was stopped in the meantime
        join = JoinAccept(data, self.identity, self._dev_nonce)
        self._nonces.check(join.nonce)
        return join

    def accepted(self, join):
        """End the join and store the JoinNonce. Raises OSError."""
        self.stop()
        self._nonces.accept(join.nonce)
