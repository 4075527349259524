"""Base of the drivers for the HLK-LD24xx family: reports, silence, stalls.

About ten reports come a second, and `frames.py` finds them. Settings and questions are in
`ld24xx_commands.py`. Silence is a fault only if the radar does not answer. Sources: HLK-LD2451
serial protocol V1.03 (2024-07), section 1.3, and HLK-LD2450 serial protocol V1.03 (2023-10),
section 2.
"""

import asyncio
import time

from micropython import const

from radar.frames import REPORT

UNKNOWN, OK, QUIET, SILENT, BLOCKED, MISALIGNED, MISCONFIGURED = 0, 1, 2, 3, 4, 5, 6

_REPORT_MS = const(100)
_GATHER_MS = const(290)  # reports are read three at a time: a third of the work
_SELDOM_MS = const(450)  # a report after so long a pause may be the first of a pair
_QUIET_MS = const(2_000)
_SILENT_MS = const(60_000)
_PROBE_MS = const(5_000)  # `probe` asks a radar that was silent for so long
_REPEAT_MS = const(60_000)  # between questions to a radar that did not answer
_BLOCKED_MS = const(60_000)  # no road user stays right in front of it for so long


class Ld24xx:
    """uart: 8N1, receive buffer for the longest stall, `any()`, a stream for asyncio.

    frames: the radar's `Frames`. tracker: has `queue`, `ghosts`, `full`, `misaligned()` and
    `expire(ms)`. A subclass has `_settings()`, as `Dialogue.configure` takes them, and
    `_report(ms)`. `_report` keeps `_clear_ms`, the last moment with nothing right in front.

    The radar is blocked if something moves right in front of it for a minute. It is misaligned if
    its tracks never come to the line. An object in front of it that does not move cannot be told
    from an empty street.
    """

    def __init__(self, uart, frames, tracker):
        self._uart = uart
        self._stream = asyncio.StreamReader(uart)
        self._frames = frames
        self._tracker = tracker
        self._queue = tracker.queue
        self.pop = self._queue.pop
        self.state = UNKNOWN
        self._heard_ms = time.ticks_ms()
        self._busy_ms = self._asked_ms = self._clear_ms = self._heard_ms
        self._suspect = False
        self._stalled = False  # the reports that are read came in a stall
        self._answer_timeouts = 0
        self._silences = 0
        self.watch = None  # function(frames), called with every report that has targets

    # --- for the firmware

    async def start(self):
        """Configure the radar. A dead or stubborn one shows in `state`, never as an exception."""
        self._frames.drop()
        dialogue = self._dialogue()
        found = await dialogue.configure(self._settings())
        self._answer_timeouts += dialogue.timeouts
        self._heard_ms = time.ticks_ms()
        self.state = found

    async def wait(self):
        """Track targets until a road user has passed, or ask a silent radar for an answer."""
        if self._suspect:
            await self._probe()
            return
        frames, uart = self._frames, self._uart
        while not len(self._queue):
            space = frames.space()
            n = uart.readinto(space) if uart.any() else await self._stream.readinto(space)
            if n:
                frames.added(n)
                now_ms = time.ticks_ms()
                since_ms = time.ticks_diff(now_ms, self._heard_ms)
                self._read(now_ms)
                if since_ms < _SELDOM_MS:
                    await asyncio.sleep_ms(_GATHER_MS)

    def tick(self, now_ms):
        """Call once a second: ends lost tracks, notices silence. True if `wait` must run anew."""
        # Bytes that were not read yet may continue a track that seems to be lost.
        self._tracker.expire(self._heard_ms if self._uart.any() else now_ms)
        is_still = time.ticks_diff(now_ms, self._busy_ms) > _QUIET_MS
        if is_still:
            self._clear_ms = now_ms
        if OK <= self.state <= QUIET or BLOCKED <= self.state <= MISALIGNED:
            self.state = self._sight(now_ms, QUIET if is_still else OK)
        if time.ticks_diff(now_ms, self._heard_ms) > _SILENT_MS:
            if time.ticks_diff(now_ms, self._asked_ms) > _REPEAT_MS:
                self._suspect = True
        return self._suspect

    def _sight(self, now_ms, state):
        """`state`, or BLOCKED or MISALIGNED if the radar cannot see the road users."""
        if time.ticks_diff(now_ms, self._clear_ms) > _BLOCKED_MS:
            return BLOCKED
        return MISALIGNED if self._tracker.misaligned() else state

    def probe(self):
        """Milliseconds since the last byte of the radar. A silent one is asked for an answer."""
        heard_ms = time.ticks_diff(time.ticks_ms(), self._heard_ms)
        if heard_ms > _PROBE_MS:
            self._suspect = True
        return heard_ms

    def stats(self):
        frames, tracker = self._frames, self._tracker
        return {
            "frames_ok": frames.frames_ok,
            "resync_bytes": frames.resync_bytes,
            "bad_len": frames.bad_len,
            "bad_footer": frames.bad_footer,
            "answer_timeouts": self._answer_timeouts,
            "silences": self._silences,
            "ghosts": tracker.ghosts,
            "tracks_full": tracker.full,
            "refused": self._queue.refused,
        }

    # --- reports

    def _read(self, now_ms):
        frames = self._frames
        while True:
            kind = frames.next()
            if kind == 0:
                break
            came_ms = now_ms
            if kind == REPORT:
                if frames.rest():
                    came_ms = self._came_ms(now_ms)
                if frames.count:
                    self._targets(came_ms)
            self._heard_ms = came_ms
        self._stalled = self._uart.any() > 0

    def _came_ms(self, now_ms):
        """Ticks at which the report found last came.

        During a stall reports wait in the UART, ten a second. Their number is estimated from
        their size. If the stall was longer than they explain, the first one makes up the rest,
        and the others follow evenly.
        """
        frames = self._frames
        left = 1 + frames.following() + self._uart.any() // frames.size
        since_ms = time.ticks_diff(now_ms, self._heard_ms)
        step_ms = min(_REPORT_MS, since_ms // left)
        if not self._stalled:
            self._stalled = True
            step_ms = max(step_ms, since_ms - (left - 1) * _REPORT_MS)
        return time.ticks_add(self._heard_ms, max(1, step_ms))

    def _targets(self, now_ms):
        """Process a report with targets."""
        if self.state < OK or self.state == QUIET or self.state == SILENT:
            self.state = OK
        self._busy_ms = now_ms
        self._report(now_ms)
        if self.watch:
            self.watch(self._frames)

    # --- commands

    def _dialogue(self):
        from radar.ld24xx_commands import Dialogue  # RAM: 1.7 KB, needed for a moment

        return Dialogue(self._uart, self._stream, self._frames, self._targets)

    async def _probe(self):
        """Ask a silent radar for an answer."""
        self._suspect = False
        self._asked_ms = time.ticks_ms()
        try:
            dialogue = self._dialogue()
        except MemoryError:  # it is asked again in a minute
            return
        alive = await dialogue.is_alive()
        self._answer_timeouts += dialogue.timeouts
        if not alive:
            if self.state != SILENT:
                self._silences += 1
            self.state = SILENT
        elif self.state == SILENT:
            await self.start()  # it may have lost its settings with the power
        else:
            await dialogue.end()
            self._heard_ms = time.ticks_ms()
