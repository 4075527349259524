"""Common parts of the drivers: the bus, the interrupt lines, the result of an operation."""

import asyncio
import time

from micropython import const

FRAME_MAX = const(255)


class Chip:
    """A transceiver on an SPI bus of its own.

    spi: write(buf), readinto(buf), mode 0, at most 10 MHz. cs, reset: outputs. dios: inputs with
    `irq()`, the lines on which the chip reports; None for one that is not wired.

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED: results of `outcome()` of a driver.

    flag: set by the interrupt. irq_us: `ticks_us` at the edge, None before it. buf, size: the
    received frame. rssi (dBm), snr (dB): its strength.
    """

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED = range(5)

    def __init__(self, spi, cs, reset, dios):
        self._spi = spi
        self._cs = cs
        self._reset = reset
        self.flag = asyncio.ThreadSafeFlag()
        self.irq_us = None  # written by the interrupt, cleared while nothing is expected
        self.buf = bytearray(FRAME_MAX)
        self._view = memoryview(self.buf)
        self.size = self.rssi = self.snr = 0
        cs.value(1)
        for dio in dios:
            if dio is not None:
                dio.irq(handler=self._on_edge, trigger=dio.IRQ_RISING)

    def _on_edge(self, _pin):
        # Interrupt: no allocation. Ticks are small integers on the chip, too.
        self.irq_us = time.ticks_us()  # the last edge counts, an earlier one may be old
        self.flag.set()

    def _arm(self):
        """Expect an interrupt from now on."""
        self.irq_us = None
        self.flag.clear()

    def data(self):
        """The received frame, valid until the next window."""
        return self._view[: self.size]

    def _pulse_reset(self, settle_us):
        self._reset.value(0)
        time.sleep_us(200)  # both chips: at least 100 us
        self._reset.value(1)
        time.sleep_us(settle_us)

    def _write(self, head, body=None):
        """One transaction: `head`, then `body`."""
        self._cs.value(0)
        self._spi.write(head)
        if body is not None:
            self._spi.write(body)
        self._cs.value(1)

    def _read(self, head, into):
        """One transaction: `head`, then the answer."""
        self._cs.value(0)
        self._spi.write(head)
        self._spi.readinto(into)
        self._cs.value(1)


def settings(defaults, options):
    """`defaults` with the board's options. ValueError for an unknown option."""
    merged = dict(defaults)
    for name in options or ():
        if name not in defaults:
            raise ValueError("radio option %r does not exist" % name)
        merged[name] = options[name]
    return merged
