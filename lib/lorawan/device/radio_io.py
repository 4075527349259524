"""One request of the MAC on air: a transmission and its end, a window and what came in.

The end of a transmission is the time of the chip's interrupt, read in its handler; where that was
missed, it is reckoned from the beginning.
"""

import asyncio
import gc
import time

from lorawan.regions.region import airtime_us, symbol_us
from micropython import const

_SETUP_US = const(10_000)  # before it was measured
_SHORT_US = const(1000)
_ISSUE_US = const(300)  # from the decision to listen to a receiver that does
_GRACE_MS = const(20)
_LOST_MS = const(1000)
_LONGEST = const(255)
# A window has six symbols more than the error budget; the header is over 20.25 symbols after the
# beginning of the frame.
_HEADER_SYMBOLS = const(15)


class OnAir:
    """driver: as `radio.sx126x.SX126x`. clock: `lorawan.device.storage.Micros`.

    rssi (dBm), snr (dB): of the last frame, None before it. late_us: by how much the event loop
    lately ran behind an interrupt; setup_us: how long it lately took to prepare a window, which
    is mostly the garbage collection. errors: the radio failed; frames with a wrong code;
    interrupts that were missed; windows that ended in noise, or in silence of the chip.
    """

    def __init__(self, driver, clock):
        self._driver = driver
        self._clock = clock
        self.rssi = self.snr = None
        self.late_us = 0
        self.setup_us = _SETUP_US
        self.errors = {"radio": 0, "crc": 0, "irq": 0, "deaf": 0}

    def lead_us(self):
        """How long before a window this wants to be called."""
        return self.late_us + self.setup_us

    async def transmit(self, request):
        """Send a frame; (airtime, time of its end). OSError: it does not end."""
        driver = self._driver
        toa_us = airtime_us(request.sf, request.bw_hz, len(request.data))
        gc.collect()  # not while the interrupt is due
        driver.transmit(request)
        begin = self._clock.now()
        outcome = await self._report(toa_us // 1000 + _GRACE_MS)
        if outcome == driver.NOTHING:
            outcome = await self._report(_LOST_MS)
        if outcome != driver.SENT:
            raise OSError("radio: no end of a transmission")
        return toa_us, self._end_us(begin + toa_us)

    async def listen(self, request):
        """Open a window; (frame or None, time)."""
        driver, clock = self._driver, self._clock
        begin = clock.now()
        gc.collect()  # not while the window is due
        driver.prepare(request)
        now = clock.now()
        self.setup_us = _recent_most(self.setup_us, now - begin)
        time.sleep_us(max(0, request.open_us - _ISSUE_US - now))
        driver.listen()
        window_us = request.symbols * symbol_us(request.sf, request.bw_hz)
        outcome = await self._report(window_us // 1000 + _GRACE_MS)
        if outcome == driver.NOTHING:
            outcome = await self._follow(request)
        now = clock.now()
        driver.standby()
        if outcome == driver.RECEIVED:
            self.rssi, self.snr = driver.rssi, driver.snr
            return bytes(driver.data()), now
        if outcome != driver.TIMED_OUT:
            self.errors["crc" if outcome == driver.GARBLED else "deaf"] += 1
        return None, now

    async def _follow(self, request):
        """The chip has found a preamble: wait for the end of the frame.

        It may be noise. What has no header when there should be one is given up, so that RX2 is
        not lost with it.
        """
        driver = self._driver
        symbols_us = _HEADER_SYMBOLS * symbol_us(request.sf, request.bw_hz)
        outcome = await self._report(symbols_us // 1000 + 1)
        if outcome == driver.NOTHING and driver.has_header():
            longest_us = airtime_us(request.sf, request.bw_hz, _LONGEST)
            outcome = await self._report(longest_us // 1000 + _GRACE_MS)
        return outcome

    async def _report(self, ms):
        """What the chip has to say within a time; an edge of something earlier is passed over."""
        driver = self._driver
        deadline = time.ticks_add(time.ticks_ms(), ms)
        while True:
            left_ms = time.ticks_diff(deadline, time.ticks_ms())
            woken = left_ms > 0 and await wait(driver.flag, left_ms)
            outcome = driver.outcome()
            if outcome != driver.NOTHING and woken:
                late_us = time.ticks_diff(time.ticks_us(), driver.irq_us)
                self.late_us = _recent_most(self.late_us, late_us)
            if outcome != driver.NOTHING or not woken:
                return outcome

    def _end_us(self, reckoned_us):
        """The end of a transmission. An edge well before it is an old one that was late."""
        ticks = self._driver.irq_us
        if ticks is not None and self._clock.at(ticks) >= reckoned_us - _SHORT_US:
            return self._clock.at(ticks)
        self.errors["irq"] += 1
        return reckoned_us


def _recent_most(kept, new):
    """The largest of what was seen, fading."""
    return max(new, kept - kept // 8)


async def wait(flag, ms):
    """Until the flag is set, at most so long; whether it was."""
    try:
        await asyncio.wait_for_ms(flag.wait(), ms)
    except asyncio.TimeoutError:
        return False
    return True
