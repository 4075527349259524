"""A LoRaWAN station that is an AT modem: joins, sends, keeps the modem at work.

The modem holds keys, counters and duty cycle; this class asks it, waits when it says so, and puts
it in order again (`session.py`) when it restarts, falls silent or talks nonsense. One transaction
at a time. Joining backs off from 15 s, doubling up to 4.3 h: with 1.5 s a Join-Request that stays
within 36 s of the first hour, 36 s of the next ten and 8.7 s of a day (TS001-1.0.4, 7), whatever
the modem does of its own; the data rate goes down by one with every attempt, and round.

Left out: class B and C, sleep modes of the modems, ABP, regions other than EU868.
"""

import asyncio
import time

from micropython import const

from modem import codes
from modem.air import Day, airtime_us, modulation, room
from modem.provision import digits
from modem.session import IDLE_MS, Session

_SEND_MS = const(15_000)
_ACK_MS = const(60_000)  # with the repetitions that the modem makes of its own
_TIME_MS = const(2000)
_BUSY_MS = const(5000)  # the modem did not say how long
_PATIENCE_MS = const(120_000)  # a lack of airtime that is waited for
_SILENCES = const(3)  # timeouts in a row before a reset
_CLOCK_S = const(12 * 3600)


class Station(Session):
    """uart: set to the modem's rate, receive buffer of 1024 bytes or more, `any()`, a stream.

    name: "rui3", "e5" or "rn2483". settings: see `Provision`. rng(bits): random bits. reset: None,
    or a function that pulls the modem's reset line. log: `info`, `warn`.
    on_down(port, payload), on_time(utc_s, ticks_ms): called from `run` and `send`.
    """

    def __init__(self, uart, name, settings, rng, log, *, reset=None):
        super().__init__(uart, name, settings, rng, log)
        self._pull = reset
        self._lock = asyncio.Lock()
        self._day = Day()
        self.on_down = None
        self.on_time = None
        self._asked_ms = None  # when network time was last got

    # --- the port of the link

    async def run(self):
        """Keep the modem joined; never returns."""
        while True:
            pause_ms = IDLE_MS
            if not self._joined:
                async with self._lock:
                    pause_ms = await self._raise()
            await asyncio.sleep_ms(pause_ms)
            async with self._lock:
                self._engine.pump()
                self._day.turn()

    def room(self):
        """Bytes of payload that one uplink may carry now; 0 when not joined."""
        if not self._joined:
            return 0
        given = self._facts["room"]
        return room(self._facts["dr"] or 0) if given is None else given

    def data_rate(self):
        return self._facts["dr"] if self._joined else None

    def modulation(self):
        """(spreading factor, bandwidth in Hz) of the next uplink; None when not joined."""
        return modulation(self._facts["dr"] or 0) if self._joined else None

    async def send(self, port, payload, confirmed=False):
        """True: on the air, acknowledged if confirmed. ValueError, OSError as in the README."""
        if not 1 <= port <= 223:
            raise ValueError("port out of 1..223")
        async with self._lock:
            if self._dead:
                raise OSError("the modem does not answer")
            if not self._joined:
                return False
            if not 1 <= len(payload) <= self.room():
                raise ValueError("payload out of 1..%d bytes" % self.room())
            return await self._send(port, payload, confirmed)

    def state(self):
        facts = self._facts
        errors = dict(self._errors)
        errors["timeouts"] = self._engine.timeouts
        errors["noise"] = self._engine.noise + self._engine.dropped()
        return {
            "joined": self._joined,
            "dr": self.data_rate(),
            "f_cnt_up": facts["f_cnt_up"],
            "rssi": facts["rssi"],
            "snr": facts["snr"],
            "airtime_s": self._day.seconds(),
            "errors": errors,
        }

    # --- sending

    async def _send(self, port, payload, confirmed):
        timed = await self._want_time()
        left_ms = _PATIENCE_MS
        while True:
            code = await self._uplink(port, payload, confirmed)
            if code != codes.BUSY:
                break
            self._count("busy")
            wait_ms = self._engine.wait_ms or _BUSY_MS
            left_ms -= wait_ms
            if left_ms < 0:
                return False
            await asyncio.sleep_ms(wait_ms)
        seen = self._engine.seen
        await self._after_bad(code)
        if code == codes.TOO_LONG:
            await self._look()
            raise ValueError("payload out of 1..%d bytes" % self.room())
        if not seen & self._talk.SEND_FINAL:
            self._count("lost")
            return False
        self._on_air(len(payload))
        if timed:
            await self._clock(seen)
        await self._look()
        good = seen & (self._talk.ACKED_BY if confirmed else self._talk.SENT_BY)
        if not good:
            self._count("not_acked")
        return bool(good)

    def _on_air(self, size):
        self._silent = 0
        self._day.add(airtime_us(self._facts["dr"] or 0, size))
        if self._facts["f_cnt_up"] is not None:
            self._facts["f_cnt_up"] += 1  # modems that can be asked correct it

    async def _uplink(self, port, payload, confirmed):
        """The code that ended it; `seen` of the engine tells the rest."""
        talk, engine = self._talk, self._engine
        if engine.muddled:
            await engine.settle()
        prepare = talk.prepare(port, confirmed)
        if prepare and prepare != self._prepared:
            self._prepared = None
            code = await engine.ask(prepare, talk.SET_END)
            if code != talk.SET_END:
                return code
            self._prepared = prepare
        code = await engine.ask(talk.send(port, digits(payload), confirmed), talk.SEND_FIRST)
        if code != talk.SEND_FIRST:
            return code
        engine.forget()
        return await engine.until(talk.SEND_FINAL, _ACK_MS if confirmed else _SEND_MS)

    async def _after_bad(self, code):
        """What a refusal or a silence means for the session."""
        if code == 0:
            self._silent += 1
            if self._silent >= _SILENCES:
                self._known = False
                self._lost("the modem does not answer")
        elif code == codes.NOT_JOINED:
            self._anew = True
            self._known = False  # it may have restarted without a word, and know no key
            self._count("sessions_lost")
            self._lost("the modem has no session")
        elif code == codes.PAUSED:
            await self._remedy()
        elif code & (codes.REFUSED | codes.TOO_LONG):
            self._count("refused" if code == codes.REFUSED else "too_long")

    # --- network time

    async def _want_time(self):
        """Let the next uplink ask for network time, if the modem can and it is due."""
        talk, asked_ms = self._talk, self._asked_ms
        if not talk.TIME_REQUEST or not self.on_time:
            return False
        now_ms = time.ticks_ms()
        if asked_ms is not None and time.ticks_diff(now_ms, asked_ms) < _CLOCK_S * 1000:
            return False
        if self._engine.muddled:
            await self._engine.settle()
        return await self._engine.ask(talk.TIME_REQUEST, talk.SET_END) == talk.SET_END

    async def _clock(self, seen):
        talk, engine = self._talk, self._engine
        if talk.TIME_FINAL and not seen & talk.TIME_FINAL:
            seen = await engine.until(talk.TIME_FINAL, _TIME_MS)
        line = await self._query(talk.TIME_QUERY) if seen & talk.TIME_BY else b""
        utc = talk.utc(line) if line else None
        if utc is None:
            self._count("no_time")
            return
        now_ms = time.ticks_ms()
        self._asked_ms = now_ms
        self.on_time(utc[0], time.ticks_add(now_ms, -utc[1]))

    def _take(self, code, line):
        """A line that came unasked."""
        if code == codes.RESTART:
            self._count("restarts")
            self._known = False
            self._lost("the modem has restarted")
        elif code == codes.DOWN or code == codes.SIGNAL:
            signal = self._talk.signal(line)
            if signal and None not in signal:
                self._facts["rssi"], self._facts["snr"] = signal
            down = self._talk.down(line) if code == codes.DOWN else None
            if code == codes.DOWN and down is None:
                self._count("bad_downlinks")
            elif down and self.on_down and 1 <= down[0] <= 223:
                self.on_down(down[0], down[1])
