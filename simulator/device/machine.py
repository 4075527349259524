"""`machine` of the ESP32 port: pins, UART, watchdog, real-time clock memory, reset.

Pin handlers are scheduled, never hard, through a queue of 8 (ports/esp32/machine_pin.c). The
UART's buffer overflows without an error. RTC memory outlives every reset but not the power.
"""

import io

import memory
import port_console
import seam
import time
from micropython import const

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
_RTC_BYTES = const(2048)
_PINS = const(49)  # numbers go up to 48 on an ESP32-S3
_CHUNK_BYTES = const(1024)  # of a UART's output
_UART_OWNER = const(16)  # of memory
_PIN_PORT = const(0x40)
_PULSE_PORT = const(0x42)  # many edges at once, for pulse counters
_cause = PWRON_RESET
mac = b""  # from the world, at the start


def set_reset_cause(cause):
    global _cause
    _cause = cause


def reset_cause():
    return _cause


def reset():
    seam.reset("hard")


def soft_reset():
    raise SystemExit


def end_softly(raw=False):
    """A soft reset: a fresh interpreter. The watchdog, once started, goes on."""
    port_console.tx_bytes(b"MPY: soft reboot\r\n", 1)
    left_ms = (seam.wdt_us - seam.now) // 1000
    seam.reset("soft %s %s" % ("raw" if raw else "", left_ms if seam.wdt_us < seam.NEVER else ""))


def unique_id():
    return mac


def freq(_hz=None):
    return 240_000_000


def idle():
    time.sleep_ms(1)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2
    levels = {}  # gpio -> level on the wire
    _watched = {}  # gpio -> the Pin whose handler listens
    counters = {}  # gpio -> the pulse counter on it, which no stall stops

    def __init__(self, gpio, mode=IN, pull=None, value=None):
        if not 0 <= gpio < _PINS:
            raise ValueError("invalid pin")
        self.gpio = gpio
        self._mode = mode
        self._trigger = 0
        self._handler = None
        if gpio not in Pin.levels:
            Pin.levels[gpio] = 1 if pull == Pin.PULL_UP else 0
        if value is not None:
            Pin.levels[gpio] = -1  # unknown: from now on the pin drives it
            self.value(value)

    def value(self, level=None):
        if level is None:
            return Pin.levels[self.gpio]
        level = 1 if level else 0
        if level != Pin.levels[self.gpio] or self._mode == Pin.IN:
            Pin.levels[self.gpio] = level
            seam.send(seam.PIN_WRITE, self.gpio, level)
            seam.request(seam.WAIT)  # an answer arrives before another pin is read

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_RISING | IRQ_FALLING, wake=None):
        self._handler = handler
        self._trigger = trigger
        Pin._watched[self.gpio] = self

    def _on_edge(data):  # no method: the seam calls it
        gpio, level = data[0], data[1]
        if Pin.levels.get(gpio) == level:
            return
        Pin.levels[gpio] = level
        if gpio in Pin.counters:
            Pin.counters[gpio].count(level)
        pin = Pin._watched.get(gpio)
        if pin and pin._handler and pin._trigger & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
            seam.interrupt(pin._handler, pin)

    def _on_pulses(data):
        counter = Pin.counters.get(data[0])
        for i in range(data[1] if counter else 0):
            counter.count(i & 1)

    seam.sinks[_PIN_PORT] = _on_edge
    seam.sinks[_PULSE_PORT] = _on_pulses


class UART(io.IOBase):
    INV_TX = 1
    ports = (1, 2)  # of the chip, without that of the console
    _view = b""  # received bytes, outside the heap

    def __init__(self, port, baudrate=115200, **settings):
        if port not in UART.ports:
            raise ValueError("UART(%d) does not exist" % port)
        self._port = port
        self.init(baudrate, **settings)
        seam.fills[port] = self._on_bytes

    def init(self, baudrate=115200, rxbuf=256, timeout=0, **_settings):
        """Drops received bytes, as the port does."""
        self.baudrate = baudrate
        self._count = 0
        self._rxbuf = max(rxbuf, 256)
        memory.allocate(_UART_OWNER + self._port, self._rxbuf)
        if self._rxbuf > len(self._view):
            self._view = memoryview(seam.outside(self._rxbuf))
        self._timeout_us = timeout * 1000
        seam.request(seam.UART_WRITE, self._port, baudrate)

    def _on_bytes(self, data, start, end):
        """Byte by byte: slices are objects, and these would be many."""
        count = self._count
        end = min(end, start + self._rxbuf - count, start + seam.fifo_left)
        if seam.fifo_left < seam.NEVER:
            seam.fifo_left -= end - start
        view = self._view
        while start < end:
            view[count] = data[start]
            start += 1
            count += 1
        self._count = count

    def any(self):
        return self._count

    def _arrived(self):
        return self._count > 0

    def readinto(self, buf, size=-1):
        if not self._count and not seam.block(seam.now + self._timeout_us, self._arrived):
            return None
        n = min(self._count, len(buf) if size < 0 else size)
        rest = self._count - n
        buf[:n] = self._view[:n]
        if rest:
            self._view[:rest] = self._view[n : self._count]
        self._count = rest
        return n

    def read(self, size=-1):
        buf = bytearray(self._count if size < 0 else size)
        n = self.readinto(buf)
        return None if n is None else bytes(buf[:n])

    def write(self, data):
        for start in range(0, len(data), _CHUNK_BYTES):
            seam.request(seam.UART_WRITE, self._port, 0, data[start : start + _CHUNK_BYTES])
        return len(data)

    def ioctl(self, op, flags):
        if op != 3:
            return 0
        return ((1 if self._count else 0) | 4) & flags

    def deinit(self):
        seam.fills.pop(self._port, None)
        memory.allocate(_UART_OWNER + self._port, 0)


class WDT:
    """The task watchdog: cannot be stopped, resets the chip when it is not fed in time."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT id must be 0")
        if timeout < 1:
            raise ValueError("WDT timeout must be positive")
        self._timeout_us = timeout * 1000
        self.feed()

    def feed(self):
        seam.feed(self._timeout_us)


class RTC:
    def __init__(self, id=0):
        if id != 0:
            raise ValueError("RTC id must be 0")

    def memory(self, data=None):
        if data is None:
            return seam.request(seam.RTC_READ)[1]
        if len(data) > _RTC_BYTES:
            raise ValueError("buffer too long")
        seam.send(seam.RTC_WRITE, 0, 0, data)

    def datetime(self, parts=None):
        if parts is not None:
            year, month, day, _weekday, hour, minute, second, us = parts
            time.set_rtc(time.mktime((year, month, day, hour, minute, second)), us)
            return None
        seconds, us = divmod(time.rtc_us(), 1_000_000)
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)
        return (year, month, day, weekday, hour, minute, second, us)


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=None):
        self._pin = pin

    def read_uv(self):
        return 1_650_000


def __getattr__(name):
    """Parts that few boards have are loaded when they are used: each node has little heap."""
    if name not in ("SPI", "SoftSPI", "I2C"):
        raise AttributeError(name)
    import esp32

    return getattr(esp32.late("bus"), name)
