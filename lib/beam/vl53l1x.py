"""VL53L1X, a laser sensor of distance up to 4 m with a field of 27 degrees, over I2C.

It measures two halves of its field in turn, 8 x 16 of its 16 x 16 photo diodes each, every 33 ms,
in the mode for long distances. `zones.py` makes passages of the distances. There is no class, and
no speed: a walker is between the halves for four measurements.

Registers are 16 bits wide and big endian. A measurement is ready when bit 0 of 0x0031 is set. One
write starts the next one: centre (0x007F) and size of the zone, five bytes that stay, clear
(0x0086 = 1), start (0x0087 = 0x40). Results: status in 0x0089 (low five bits, 9 = good), distance
in 0x0096. Model in 0x010F: EA CC. The values are those of ST's Ultra Lite Driver (STSW-IMG009), as
two independent ports of it have them (stm32duino VL53L1X, abraha2d pb4-firmware). They differ in
0x005F alone, which is written again below. Centres 167 and 231 are those of ST's people counter
(STSW-IMG010). No hardware has confirmed them here.

A sensor that does not answer is `silent`, and is set up anew every 10 s. So is one that measures
nothing for half a second, or gives a hundred equal distances: its data are stale.
"""

import asyncio
import time

from micropython import const

from beam.zones import FAR_MM, Zones

UNKNOWN, OK, QUIET, SILENT, BLOCKED = 0, 1, 2, 3, 4  # states of a detector
_ADDRESS = const(0x29)
_CONFIG = const(0x002D)
_READY = const(0x0031)
_ROI = const(0x007F)
_STATUS = const(0x0089)
_BOOTED = const(0x00E5)
_MODEL = const(0x010F)
_GOOD = const(9)
_DISTANCE_AT = const(13)  # of the block that begins with the status
_CYCLE_MS = const(35)
_POLL_MS = const(3)
_STALE_MS = const(500)
_EQUAL_MAX = const(100)
_RETRY_MS = const(10_000)
_PAUSE_MS = const(1000)
_BLOCKED_MS = const(60_000)
_QUIET_MS = const(60_000)
# 0x002D to 0x0087.
_DEFAULTS = (
    b"\x00\x00\x00\x01\x02\x00\x02\x08\x00\x08\x10\x01\x01\x00\x00\x00\x00\xff\x00\x0f\x00\x00\x00"
    b"\x00\x00\x20\x0b\x00\x00\x02\x0a\x21\x00\x00\x05\x00\x00\x00\x00\xc8\x00\x00\x38\xff\x01\x00"
    b"\x08\x00\x00\x01\xcc\x0f\x01\xf1\x0d\x01\x68\x00\x80\x08\xb8\x00\x00\x00\x00\x0f\x89\x00\x00"
    b"\x00\x00\x00\x00\x00\x01\x0f\x0d\x0e\x0e\x00\x00\x02\xc7\xff\x9b\x00\x00\x00\x01\x00\x00"
)
# 33 ms, long distances: 0x005E and 0x0061. 0x006C: the next one begins when it is asked for.
_BUDGET = ((0x005E, b"\x00\x60"), (0x0061, b"\x00\x6e"), (0x0008, b"\x09"), (0x000B, b"\x00"))
_START = (
    b"\xa7\xf7\x9b\x00\x00\x00\x01\x01\x40",  # zone A: centre 167, 16 rows of 8 columns
    b"\xe7\xf7\x9b\x00\x00\x00\x01\x01\x40",  # zone B: centre 231
)


class VL53L1X:
    """i2c: a bus with `writeto_mem` and `readfrom_mem_into`, 400 kHz."""

    watch = None

    def __init__(self, i2c, _settings):
        self._i2c = i2c
        self._zones = Zones()
        self.pop = self._zones.queue.pop
        self._block = bytearray(_DISTANCE_AT + 2)
        self._byte = bytearray(1)
        self._zone = 0
        self._works = False
        self._began_ms = self._tried_ms = self._moved_ms = time.ticks_ms()
        self._last = self._equal = 0
        self.state = UNKNOWN
        self.frames = self.errors = self.stale = self.silences = 0

    async def start(self):
        """Set the sensor up, and start the first measurement."""
        self._tried_ms = time.ticks_ms()
        try:
            self._configure()
        except OSError:
            self.errors += 1
            self._fail()

    def _configure(self):
        """Raises OSError if the sensor does not answer, or is another one."""
        model = bytearray(2)
        self._i2c.readfrom_mem_into(_ADDRESS, _MODEL, model, addrsize=16)
        self._i2c.readfrom_mem_into(_ADDRESS, _BOOTED, self._byte, addrsize=16)
        if model != b"\xea\xcc" or not self._byte[0] & 1:
            raise OSError("no VL53L1X")
        self._i2c.writeto_mem(_ADDRESS, _CONFIG, _DEFAULTS, addrsize=16)
        for register, value in _BUDGET:
            self._i2c.writeto_mem(_ADDRESS, register, value, addrsize=16)
        self._equal = 0
        self._works = True
        self.state = QUIET
        self._begin()

    def _begin(self):
        self._i2c.writeto_mem(_ADDRESS, _ROI, _START[self._zone], addrsize=16)
        self._began_ms = time.ticks_ms()

    async def wait(self):
        """Wait for the measurement, and take it."""
        if not self._works:
            await asyncio.sleep_ms(_PAUSE_MS)
            if time.ticks_diff(time.ticks_ms(), self._tried_ms) >= _RETRY_MS:
                await self.start()
            return
        await asyncio.sleep_ms(_CYCLE_MS)
        try:
            while self._works and not self._is_ready():
                await asyncio.sleep_ms(_POLL_MS)
            if self._works:
                self._take(time.ticks_ms())
        except OSError:
            self.errors += 1
            self._fail()

    def _is_ready(self):
        self._i2c.readfrom_mem_into(_ADDRESS, _READY, self._byte, addrsize=16)
        if self._byte[0] & 1:
            return True
        if time.ticks_diff(time.ticks_ms(), self._began_ms) > _STALE_MS:
            self.stale += 1
            self._fail()
        return False

    def _take(self, now_ms):
        block = self._block
        self._i2c.readfrom_mem_into(_ADDRESS, _STATUS, block, addrsize=16)
        zone, self._zone = self._zone, 1 - self._zone
        self._begin()
        self.frames += 1
        distance = block[_DISTANCE_AT] << 8 | block[_DISTANCE_AT + 1]
        if block[0] & 31 != _GOOD:
            distance = FAR_MM  # no echo: nothing is in reach
        elif self._is_frozen(distance):
            self.stale += 1
            self._fail()
            return
        self._zones.measure(zone, min(distance, FAR_MM), now_ms)
        if self._zones.since_ms >= 0:
            self._moved_ms = now_ms

    def _is_frozen(self, distance):
        self._equal = self._equal + 1 if distance == self._last else 0
        self._last = distance
        return self._equal >= _EQUAL_MAX

    def _fail(self):
        self._works = False
        self.silences += self.state != SILENT
        self.state = SILENT

    def tick(self, now_ms):
        """Call once a second: the state of a sensor that answers."""
        if not self._works:
            return False
        since_ms = self._zones.since_ms
        if since_ms >= 0 and time.ticks_diff(now_ms, since_ms) > _BLOCKED_MS:
            self.state = BLOCKED
        else:
            is_quiet = time.ticks_diff(now_ms, self._moved_ms) > _QUIET_MS
            self.state = QUIET if is_quiet else OK
        return False

    def beams(self):
        """As `DualBeam.beams`: (occupied, changes so far) of each zone."""
        return [(zone.occupied, zone.changes) for zone in self._zones.pair]

    def stats(self):
        return {
            "frames_ok": self.frames,
            "answer_timeouts": self.errors,
            "stale": self.stale,
            "silences": self.silences,
            "turned_back": self._zones.turned_back,
            "refused": self._zones.queue.refused,
        }
