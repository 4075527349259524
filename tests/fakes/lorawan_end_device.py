"""An end device on a scripted radio, in virtual time."""

import asyncio
import struct

from board_parts import FakeLog, FakeRtc
from lorawan_node import ADDR, APP_SKEY, NWK_KEY, REGION, SECOND, Store, generator, identity

from lorawan.device import end_device, radio_io, storage
from lorawan.device.end_device import EndDevice
from lorawan.regions.region import airtime_us
from lorawan.session import Session

JOIN_REQUEST_BYTES = 23


class VirtualTime:
    """Stands in for `time` and `asyncio` of the device: a wait moves the clock at once."""

    TimeoutError, Event, Lock = asyncio.TimeoutError, asyncio.Event, asyncio.Lock
    ThreadSafeFlag = asyncio.ThreadSafeFlag

    def __init__(self):
        self.us = 0

    def ticks_us(self):
        return self.us

    def ticks_ms(self):
        return self.us // 1000

    def ticks_add(self, ticks, delta):
        return ticks + delta

    def ticks_diff(self, later, earlier):
        return later - earlier

    def sleep_us(self, us):
        self.us += us

    async def sleep(self, seconds):
        await asyncio.sleep_ms(1)
        self.us += seconds * SECOND

    async def wait_for_ms(self, awaitable, ms):
        try:
            return await asyncio.wait_for_ms(awaitable, 1)
        except self.TimeoutError:
            self.us += 1000 * ms
            raise


class Radio:
    """A driver. answer(frame): the downlink in RX1, or None. broken: the chip does not start.

    mute: the chip does not report the end of a transmission.
    """

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED = range(5)

    def __init__(self, clock):
        self.clock = clock
        self.flag = asyncio.ThreadSafeFlag()
        self.irq_us = None
        self.rssi, self.snr = -80, 7
        self.sent = []  # (time, bytes)
        self.broken = self.mute = False
        self.answer = lambda frame: None
        self._frame = None
        self._outcome = self.NOTHING
        self._end_us = 0

    def start(self):
        if self.broken:
            raise OSError("radio: no SX126x answers")

    def transmit(self, request):
        frame = bytes(request.data)
        self.sent.append((self.clock.us, frame))
        self._frame = self.answer(frame)
        if not self.mute:
            self._report(self.SENT, airtime_us(request.sf, request.bw_hz, len(frame)))

    def prepare(self, request):
        pass

    def listen(self):
        self._report(self.RECEIVED if self._frame else self.TIMED_OUT, 50_000)

    def _report(self, outcome, after_us):
        self._outcome, self._end_us = outcome, self.clock.us + after_us
        self.flag.set()

    def outcome(self):
        outcome, self._outcome = self._outcome, self.NOTHING
        if outcome != self.NOTHING:
            self.irq_us = self._end_us
            self.clock.us = max(self.clock.us, self._end_us)
        return outcome

    def has_header(self):
        return False

    def standby(self):
        pass

    def data(self):
        frame, self._frame = self._frame, None
        return frame


class Life:
    """A device on a scripted radio. session: fields of its stored session, None = it has none."""

    def __init__(self, session=(), fcnt_up=0, dev_nonce=0):
        self.clock = VirtualTime()
        storage.time = radio_io.time = end_device.time = self.clock
        radio_io.asyncio = end_device.asyncio = self.clock
        self.radio, self.log, self.recent = Radio(self.clock), FakeLog(), FakeRtc()
        self.store = Store()
        if session is not None:
            stored = Session(REGION, ADDR, NWK_KEY, APP_SKEY)
            for name, value in session:
                setattr(stored, name, value)
            self.store.write("session", stored.pack(fcnt_up, ()))
        self.store.write("nonces", struct.pack("<BIB", 1, dev_nonce, 0))
        self.device = self.build()
        self.downs, self.times = [], []
        self.device.on_down = lambda port, payload: self.downs.append((port, payload))
        self.device.on_time = lambda utc_s, ms: self.times.append((utc_s, ms))

    def build(self):
        return EndDevice(
            self.radio, identity(), REGION, self.store, rng=generator(1), log=self.log,
            recent=self.recent, join_within_s=0,
        )  # fmt: skip

    def run(self, work):
        """Run the device until the coroutine `work` is done; returns its result."""

        async def both():
            task = asyncio.create_task(self.device.run())
            await asyncio.sleep_ms(0)
            try:
                return await asyncio.wait_for(work, 10)
            finally:
                assert not task.done(), "the task of the device has ended"
                while not task.done():  # MicroPython may lose a cancellation inside `wait_for`
                    task.cancel()
                    await asyncio.sleep_ms(1)

        return asyncio.run(both())

    def send(self, *arguments):
        """Start the device and send one payload; returns the result, or the error's text."""
        return self.run(self.sent(*arguments))

    async def sent(self, *arguments):
        try:
            return await self.device.send(*arguments)
        except (ValueError, OSError) as error:
            return str(error)

    async def until(self, condition):
        while not condition():
            await asyncio.sleep_ms(1)

    async def idle(self, seconds):
        """Let the device be idle for this time of its clock."""
        end_us = self.clock.us + seconds * SECOND
        await self.until(lambda: self.clock.us >= end_us)

    def logged(self, text):
        return any([text in line for _level, line in self.log.lines])

    def requests(self):
        """How many Join-Requests were sent."""
        return len([frame for _us, frame in self.radio.sent if len(frame) == JOIN_REQUEST_BYTES])


def replies(*frames):
    """A network that answers the next frames with these downlinks, and then is silent."""
    queue = list(frames)
    return lambda frame: queue.pop(0) if queue else None


def f_port(frame):
    return frame[8 + (frame[5] & 15)]
