"""OmniPreSense OPS243-A, a 24 GHz Doppler radar that gives speed and strength.

It reports five or six times a second, one line with magnitude and speed. With blank reporting on
it sends a zero while nothing moves, so silence is a fault. It does not store its settings. They
are sent at the start, and units and sampling rate are read back. Positive speeds approach.

The sensor knows no distance. A passage is a road user that passes the sensor
(lib/passage/speed_bursts.py), and two at once in one direction are one. The sensor is blocked if
something moves without a pause for five minutes. It cannot notice that it looks elsewhere.
Sources: OmniPreSense AN-010-AD (2025), and the data sheet for the baud rates.
"""

import asyncio
import json
import math
import time

from micropython import const

from passage.speed_bursts import SpeedBurstTracker
from radar.lines import REPORT, TEXT, Lines

UNKNOWN, OK, QUIET, SILENT, BLOCKED, MISCONFIGURED = 0, 1, 2, 3, 4, 6

BAUDS = (19_200, 57_600, 115_200)
# A command of two characters acts at once. One with a number needs a CR. Idle, JSON, time and
# units off, then km/h, 10 ksps, both directions, magnitude before speed, zeros while nothing
# moves, active.
_SETTINGS = (
    b"PI", b"Oj", b"Ot", b"Ou", b"UK", b"SX", b"R|", b"M>20\r", b"OM", b"OS", b"BZ", b"PA",
)  # fmt: skip
_WANTED = (("Units", b"U?", "km-per-hr"), ("SamplingRate", b"??", 10_000))
_REPORT_MS = const(160)
_GATHER_MS = const(290)
_ANSWER_MS = const(400)
_SETTLE_MS = const(60)  # between commands: the maker's tools wait 50 to 100
_TRIES = const(3)
_QUIET_MS = const(2_000)
_SILENT_MS = const(10_000)
_REPEAT_MS = const(60_000)  # between starts of a silent sensor
_BARE_MIN = const(3)  # one or two are lines that were cut
_BLOCKED_MS = const(300_000)  # the densest traffic has a gap in so long a time


class OPS243:
    """uart: `init(baudrate=)`, `any()`, a stream for asyncio.

    settings: radar_mount_deg, radar_min_kmh, class_ped_max_kmh, class_bike_max_kmh.
    """

    def __init__(self, uart, settings):
        self._uart = uart
        self._stream = asyncio.StreamReader(uart)
        self._lines = Lines()
        self._speed_min = max(1, settings["radar_min_kmh"]) * 10
        angle = math.radians(min(abs(settings["radar_mount_deg"]), 45))
        self._tracker = SpeedBurstTracker(
            settings["class_ped_max_kmh"], settings["class_bike_max_kmh"],
            int(1024 / math.cos(angle) + 0.5),
        )  # fmt: skip
        self._queue = self._tracker.queue
        self.pop = self._queue.pop
        self.state = UNKNOWN
        self._heard_ms = self._busy_ms = self._asked_ms = self._still_ms = time.ticks_ms()
        self._suspect = False
        self._bare = 0  # consecutive speeds without a magnitude
        self._answers = {}
        self._other_lines = 0
        self._answer_timeouts = 0
        self._silences = 0
        self.watch = None  # function(lines), called with every report of a speed

    # --- for the firmware

    async def start(self):
        """Find the baud rate and send the settings. A dead or stubborn one shows in `state`."""
        for _ in range(_TRIES):
            for baud in BAUDS:
                self._uart.init(baudrate=baud, rxbuf=8192, timeout=0, timeout_char=2)
                self._lines.drop()
                if await self._ask(b"??", "SamplingRate") is not None:
                    await self._configure()
                    return
        self.state = SILENT
        self._asked_ms = time.ticks_ms()

    async def wait(self):
        """Track the reports until a road user has passed."""
        if self._suspect:
            self._suspect = False
            await self.start()
            return
        lines, uart = self._lines, self._uart
        while not len(self._queue):
            space = lines.space()
            n = uart.readinto(space) if uart.any() else await self._stream.readinto(space)
            if n:
                lines.added(n)
                self._read(time.ticks_ms())
                await asyncio.sleep_ms(_GATHER_MS)

    def tick(self, now_ms):
        """Call once a second: ends lost bursts, notices silence. True if `wait` must run anew."""
        self._tracker.expire(self._heard_ms if self._uart.any() else now_ms)
        if self.state == OK and time.ticks_diff(now_ms, self._busy_ms) > _QUIET_MS:
            self.state = QUIET
        is_blocked = time.ticks_diff(now_ms, self._still_ms) > _BLOCKED_MS
        if self.state in (OK, BLOCKED):
            self.state = BLOCKED if is_blocked else OK
        if time.ticks_diff(now_ms, self._heard_ms) > _SILENT_MS:
            if self.state != SILENT:
                self._silences += 1
                self.state = SILENT
                self._asked_ms = time.ticks_add(now_ms, -_REPEAT_MS)
            if time.ticks_diff(now_ms, self._asked_ms) >= _REPEAT_MS:
                self._asked_ms = now_ms
                self._suspect = True
        return self._suspect

    def probe(self):
        """Milliseconds since the last report. The sensor reports several times a second."""
        return time.ticks_diff(time.ticks_ms(), self._heard_ms)

    def stats(self):
        lines = self._lines
        return {
            "frames_ok": lines.frames_ok,
            "resync_bytes": lines.resync_bytes,
            "bad_lines": lines.bad_lines,
            "other_lines": self._other_lines,
            "answer_timeouts": self._answer_timeouts,
            "silences": self._silences,
            "ghosts": self._tracker.ghosts,
            "refused": self._queue.refused,
        }

    # --- reports

    def _read(self, now_ms):
        lines = self._lines
        while True:
            left = lines.waiting() + self._uart.any() // 12
            kind = lines.next()
            if not kind:
                return
            since_ms = time.ticks_diff(now_ms, self._heard_ms)
            # After a stall several wait: the last one came now, the others evenly before it.
            came_ms = time.ticks_add(now_ms, -min((left - 1) * _REPORT_MS, since_ms - 1))
            if kind == REPORT:
                self._report(came_ms)
            else:
                self._other()
            self._heard_ms = came_ms

    def _report(self, now_ms):
        if self.state == SILENT:  # it has restarted, with its own settings
            self._suspect = True
        lines = self._lines
        speed = lines.last // 10 if lines.last >= 0 else -(-lines.last // 10)
        if lines.values != 2:  # a zero of blank reporting
            self._bare = self._bare + 1 if speed else 0
            if self._bare == _BARE_MIN:  # it has lost its settings
                self._bare = 0
                self._suspect = True
            if not speed:
                self._still_ms = now_ms
            return
        self._bare = 0
        if self.watch:
            self.watch(lines)
        if abs(speed) < self._speed_min:
            return
        if self.state == QUIET:
            self.state = OK
        self._busy_ms = now_ms
        self._tracker.detect(speed, max(1, lines.first // 100), now_ms)

    def _other(self):
        """Process an answer, or a JSON report of a sensor that has lost its settings."""
        try:
            found = json.loads(self._lines.text())
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._other_lines += 1
            return
        if "speed" in found:
            self._other_lines += 1
            self._suspect = True
        self._answers.update(found)

    # --- commands

    async def _configure(self):
        for command in _SETTINGS:
            self._uart.write(command)
            await asyncio.sleep_ms(_SETTLE_MS)
        ok = True
        for key, command, wanted in _WANTED:
            ok = await self._ask(command, key) == wanted and ok
        self._heard_ms = self._still_ms = time.ticks_ms()
        self.state = QUIET if ok else MISCONFIGURED

    async def _ask(self, command, key):
        """Send a command. Return the value of `key` in the answer, None if it comes too late."""
        self._answers.clear()
        self._uart.write(command)
        try:
            return await asyncio.wait_for_ms(self._answer(key), _ANSWER_MS)
        except asyncio.TimeoutError:
            self._answer_timeouts += 1
            return None

    async def _answer(self, key):
        lines = self._lines
        while True:
            kind = lines.next()
            if kind == TEXT:
                self._other()
                if key in self._answers:
                    value = self._answers[key]
                    self._answers.clear()
                    return value
            elif not kind:
                n = await self._stream.readinto(lines.space())
                lines.added(n or 0)
