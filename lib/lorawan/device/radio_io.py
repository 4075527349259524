"""Carries out one request of the MAC: a transmission and its end, or a window and its frame.

The end of a transmission is the time of the chip's interrupt, read in its handler. If the
interrupt was missed, the end is computed from the beginning.
"""

import asyncio
import gc
import time

from lorawan.regions.region import airtime_us, symbol_us
from micropython import const

_SETUP_US = const(10_000)  # until it is measured
_SHORT_US = const(1000)
_ISSUE_US = const(300)  # from the command to a receiver that listens
_GRACE_MS = const(20)
_LOST_MS = const(1000)
_FRAME_MAX = const(255)
# A window has six symbols more than the error budget. The header ends 20.25 symbols after the
# beginning of the frame.
_HEADER_SYMBOLS = const(15)


class RadioIo:
    """driver: such as `radio.sx126x.SX126x`. clock: `lorawan.device.storage.Micros`.

    rssi (dBm), snr (dB): of the last frame, None before it. late_us: by how much the event loop
    was late after an interrupt recently. setup_us: how long it recently took to prepare a window,
    mostly for the garbage collection. errors: "radio" = it failed, "crc" = frames with a wrong
    code, "irq" = interrupts that were missed, "deaf" = windows that ended in noise, or in silence
    of the chip.
    """

    def __init__(self, driver, clock):
        self._driver = driver
        self._clock = clock
        self.rssi = self.snr = None
        self.late_us = 0
        self.setup_us = _SETUP_US
        self.errors = {"radio": 0, "crc": 0, "irq": 0, "deaf": 0}

    def lead_us(self):
        """How long before a window `listen()` wants to be called."""
        return self.late_us + self.setup_us

    async def transmit(self, request):
        """Send a frame. Returns (airtime, time of its end). OSError: it does not end."""
        driver = self._driver
        toa_us = airtime_us(request.sf, request.bw_hz, len(request.data))
        gc.collect()  # not while the interrupt is due
        driver.transmit(request)
        begin = self._clock.now()
        outcome = await self._wait_outcome(toa_us // 1000 + _GRACE_MS)
        if outcome == driver.NOTHING:
            outcome = await self._wait_outcome(_LOST_MS)
        if outcome != driver.SENT:
            raise OSError("radio: no end of a transmission")
        return toa_us, self._end_us(begin + toa_us)

    async def listen(self, request):
        """Open a window. Returns (frame or None, time)."""
        driver, clock = self._driver, self._clock
        begin = clock.now()
        gc.collect()  # not while the window is due
        driver.prepare(request)
        now = clock.now()
        self.setup_us = _fading_max(self.setup_us, now - begin)
        time.sleep_us(max(0, request.open_us - _ISSUE_US - now))
        driver.listen()
        window_us = request.symbols * symbol_us(request.sf, request.bw_hz)
        outcome = await self._wait_outcome(window_us // 1000 + _GRACE_MS)
        if outcome == driver.NOTHING:
            outcome = await self._receive_frame(request)
        now = clock.now()
        driver.standby()
        if outcome == driver.RECEIVED:
            self.rssi, self.snr = driver.rssi, driver.snr
            return bytes(driver.data()), now
        if outcome != driver.TIMED_OUT:
            self.errors["crc" if outcome == driver.GARBLED else "deaf"] += 1
        return None, now

    async def _receive_frame(self, request):
        """The chip has found a preamble: wait for the end of the frame.

        The preamble may be noise. If no header comes in time, the reception ends, so that RX2 is
        not lost with it.
        """
        driver = self._driver
        symbols_us = _HEADER_SYMBOLS * symbol_us(request.sf, request.bw_hz)
        outcome = await self._wait_outcome(symbols_us // 1000 + 1)
        if outcome == driver.NOTHING and driver.has_header():
            longest_us = airtime_us(request.sf, request.bw_hz, _FRAME_MAX)
            outcome = await self._wait_outcome(longest_us // 1000 + _GRACE_MS)
        return outcome

    async def _wait_outcome(self, ms):
        """Wait for the outcome, up to `ms`. An edge from an earlier event is skipped."""
        driver = self._driver
        deadline = time.ticks_add(time.ticks_ms(), ms)
        while True:
            left_ms = time.ticks_diff(deadline, time.ticks_ms())
            woken = left_ms > 0 and await wait_flag(driver.flag, left_ms)
            outcome = driver.outcome()
            if outcome != driver.NOTHING and woken:
                late_us = time.ticks_diff(time.ticks_us(), driver.irq_us)
                self.late_us = _fading_max(self.late_us, late_us)
            if outcome != driver.NOTHING or not woken:
                return outcome

    def _end_us(self, reckoned_us):
        """The end of a transmission. An edge well before it belongs to an earlier event."""
        ticks = self._driver.irq_us
        if ticks is not None and self._clock.at(ticks) >= reckoned_us - _SHORT_US:
            return self._clock.at(ticks)
        self.errors["irq"] += 1
        return reckoned_us


def _fading_max(kept, new):
    """The larger of `new` and a maximum that fades by an eighth each time."""
    return max(new, kept - kept // 8)


async def wait_flag(flag, ms):
    """Wait until the flag is set, up to `ms`. Returns whether it was set."""
    try:
        await asyncio.wait_for_ms(flag.wait(), ms)
    except asyncio.TimeoutError:
        return False
    return True
