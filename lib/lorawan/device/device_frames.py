"""Frames of the station itself: for the MAC's answers when the application is silent, and for what
the packages of the LoRa Alliance say (`packages.py`, in memory when one of them is used).
"""

from micropython import const

CLOCK_PORT = const(202)
CERTIFICATION_PORT = const(224)
_WAIT_US = const(1_000_000)
_MOST = const(4)


class Posts:
    """mac: `lorawan.mac.Mac`. own_us: when there is to be a frame of the station, or None."""

    def __init__(self, mac):
        self._mac = mac
        self._queue = []  # port, payload
        self._packages = {}  # by port
        self.own_us = None

    def certify(self, version, rejoin, reset):
        """Listen to the certification package from now on, see `packages.Certification`."""
        from lorawan.device.packages import Certification  # RAM: only a device under test has it

        self._mac.certification = True
        self._packages[CERTIFICATION_PORT] = Certification(self._mac, version, rejoin, reset)

    def refused(self):
        """Messages to a package that were dropped."""
        return sum([package.refused for package in self._packages.values()])

    def ask_time(self, now_us):
        """Ask the application server for the time."""
        self._clock()
        self._put(CLOCK_PORT, None, now_us)

    def _clock(self):
        if CLOCK_PORT not in self._packages:
            from lorawan.device.packages import (
                Clock,
            )  # RAM: most networks tell the time themselves

            self._packages[CLOCK_PORT] = Clock()
        return self._packages[CLOCK_PORT]

    def take(self, port, payload, now_us):
        """(whether the message was for a package, GPS seconds of now if it told them)."""
        gps_s = None
        if port == CLOCK_PORT:
            answer, gps_s = self._clock().take(payload, now_us)
        elif port in self._packages:
            answer = self._packages[port].take(payload, now_us)
        else:
            return False, None
        if answer is not None:
            self._put(port, answer, now_us)
        return True, gps_s

    def _put(self, port, payload, now_us):
        """Have the next frame say this; b"" = an empty one, which carries requests of the MAC;
        None = what the package says when its turn has come."""
        self._queue = self._queue[1 - _MOST :] + [(port, payload)]
        self.go_on(now_us)

    def go_on(self, now_us):
        """A frame has gone: what waits is next."""
        self.own_us = now_us + _WAIT_US if self._queue else None

    def due_us(self):
        """When this wants to be asked, or None."""
        due = [package.due_us for package in self._packages.values()] + [self.own_us]
        due = [at for at in due if at is not None]
        return min(due) if due else None

    def poll(self, now_us):
        """Let the packages say what is due."""
        for port, package in self._packages.items():
            if package.is_due(now_us):
                self._put(port, None, now_us)

    def on_air(self, end_us):
        """A frame has ended."""
        if CLOCK_PORT in self._packages:
            self._packages[CLOCK_PORT].on_air(end_us)

    def send(self, now_us):
        """Hand the next frame to the MAC; False if it cannot be sent any more."""
        self.own_us = None
        port, payload = self._queue.pop(0) if self._queue else (None, b"")
        package = self._packages.get(port)
        if payload is None:
            payload = package.say(now_us)
        confirmed = getattr(package, "confirmed", False)
        try:
            self._mac.send(port if payload else None, payload, now_us, confirmed)
        except ValueError:  # too long for the data rate, or its port was shut meanwhile
            return False
        return True
