"""Frames that the device sends on its own account.

They carry MAC answers while the application is silent, requests for a link check and for network
time, and the messages of the LoRa Alliance's packages (`packages.py`, loaded at the first use).

A LinkCheckReq goes into every eighth uplink from 32 uplinks without a downlink on. Network time is
asked for every 5 minutes until it is known, then every 6 hours. After three DeviceTimeReq without
an answer the application server is asked as well, by AppTimeReq of the clock package. A network
that was heard in the meantime is asked at once, a silent one with every twelfth request.
"""

from micropython import const

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK

CLOCK_PORT = const(202)
CERTIFICATION_PORT = const(224)
_SECOND = const(1_000_000)
_NEXT_FRAME_US = const(_SECOND)
_APPLICATION_FIRST_US = const(5 * _SECOND)
_QUEUE_MAX = const(4)
_LINK_CHECK_AFTER = const(32)  # uplinks without a downlink
_LINK_CHECK_EVERY = const(8)
_TIME_RETRY_US = const(300 * _SECOND)
_TIME_VALID_US = 6 * 3600 * _SECOND  # 0.4 s of a 20 ppm crystal
_APP_TIME_AFTER = const(3)
_APP_TIME_EVERY = const(12)


class DeviceFrames:
    """mac: `lorawan.mac.Mac`. send_us: when the next frame of the device is due, or None."""

    def __init__(self, mac):
        self._mac = mac
        self._queue = []  # (port, payload): the oldest gives way
        self._packages = {}  # by port
        self.send_us = None
        self._time_us = 0  # when to ask for network time
        self._time_requests = 0  # without an answer
        self._fcnt_down = 0  # at the first of these requests

    def certify(self, version, rejoin, reset):
        """Accept certification messages from now on, see `packages.Certification`."""
        from lorawan.device.packages import Certification  # RAM: only a device under test has it

        self._mac.certification = True
        self._packages[CERTIFICATION_PORT] = Certification(self._mac, version, rejoin, reset)

    def refused(self):
        """Number of package messages that were dropped."""
        return sum([package.refused for package in self._packages.values()])

    def _clock(self):
        if CLOCK_PORT not in self._packages:
            from lorawan.device.packages import Clock  # RAM: most networks send DeviceTimeAns

            self._packages[CLOCK_PORT] = Clock()
        return self._packages[CLOCK_PORT]

    # --- events of the MAC

    def joined(self, now_us):
        """A session has begun: its first frame asks for the time."""
        self._time_us = 0
        self.schedule(now_us)

    def schedule(self, now_us):
        """Send a frame in 5 s, unless the application sends one first."""
        self.send_us = now_us + _APPLICATION_FIRST_US

    def frame_done(self, now_us):
        """A frame is done: the next one in the queue follows in 1 s."""
        self.send_us = now_us + _NEXT_FRAME_US if self._queue else None

    def tx_done(self, end_us):
        """The transmission of a frame has ended."""
        if CLOCK_PORT in self._packages:
            self._packages[CLOCK_PORT].tx_done(end_us)

    def time_received(self, now_us):
        """Network time is known: ask again in 6 hours."""
        self._time_us = now_us + _TIME_VALID_US
        self._time_requests = 0

    def handle(self, port, payload, now_us):
        """Give a downlink to its package.

        Returns (whether a package took it, GPS seconds of now if the message told them).
        """
        gps_s = None
        if port == CLOCK_PORT:
            answer, gps_s = self._clock().handle(payload, now_us)
        elif port in self._packages:
            answer = self._packages[port].handle(payload, now_us)
        else:
            return False, None
        if answer is not None:
            self._enqueue(port, answer, now_us)
        return True, gps_s

    # --- sending

    def _enqueue(self, port, payload, now_us):
        """Queue a frame. b"" = an empty frame, which carries MAC requests.

        None = the package writes the payload when the frame is sent.
        """
        self._queue = self._queue[1 - _QUEUE_MAX :] + [(port, payload)]
        self.frame_done(now_us)

    def due_us(self):
        """When `poll()` or `send()` is to be called, or None."""
        due = [package.due_us for package in self._packages.values()] + [self.send_us]
        due = [at for at in due if at is not None]
        return min(due) if due else None

    def poll(self, now_us):
        """Queue the packages' messages that are due."""
        for port, package in self._packages.items():
            if package.poll(now_us):
                self._enqueue(port, None, now_us)

    def send(self, now_us):
        """Hand the next frame to the MAC; False if it cannot be sent any more."""
        self.add_requests(now_us)
        self.send_us = None
        port, payload = self._queue.pop(0) if self._queue else (None, b"")
        package = self._packages.get(port)
        if payload is None:
            payload = package.next_message(now_us)
        confirmed = getattr(package, "confirmed", False)
        try:
            self._mac.send(port if payload else None, payload, now_us, confirmed)
        except ValueError:  # too long for the data rate, or its port was closed in the meantime
            return False
        return True

    def add_requests(self, now_us):
        """Add the requests that are due to the next uplink."""
        mac = self._mac
        count, fcnt_down = mac.session.adr_ack_count, mac.session.fcnt_down
        if count >= _LINK_CHECK_AFTER and count % _LINK_CHECK_EVERY == 0:
            mac.queue_request(LINK_CHECK)
        if now_us < self._time_us:
            return
        mac.queue_request(DEVICE_TIME)
        self._time_us = now_us + _TIME_RETRY_US
        if not self._time_requests:
            self._fcnt_down = fcnt_down
        self._time_requests += 1
        if self._time_requests > _APP_TIME_AFTER and (
            fcnt_down != self._fcnt_down or self._time_requests % _APP_TIME_EVERY == 0
        ):
            self._clock()
            self._enqueue(CLOCK_PORT, None, now_us)
