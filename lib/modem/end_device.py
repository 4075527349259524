"""A LoRaWAN end device that is an AT modem: joins, sends, recovers the modem.

The modem holds keys, counters and duty cycle. This class queries it and waits as long as the modem
says. When the modem restarts, falls silent or sends nonsense, `session.py` sets it up again. There
is one transaction at a time.

Joining backs off from 15 s, doubling up to 4.3 h. With 1.5 s a Join-Request that stays within 36 s
of the first hour, 36 s of the next ten and 8.7 s of a day (TS001-1.0.4, 7), independent of the
modem's own back-off. The data rate goes down by one with every attempt, and round.

Left out: class B and C, sleep modes of the modems, ABP, regions other than EU868.
"""

import asyncio
import time

from micropython import const

from modem import codes
from modem.airtime import DailyAirtime, airtime_us, max_payload, modulation
from modem.provision import digits
from modem.session import IDLE_MS, ModemSession

_SEND_MS = const(15_000)
_ACK_MS = const(60_000)  # with the modem's own repetitions
_TIME_MS = const(2000)
_BUSY_MS = const(5000)  # if the modem does not say how long
_AIRTIME_WAIT_MAX_MS = const(120_000)
_SILENCES = const(3)  # timeouts in a row before a reset
_TIME_VALID_S = const(12 * 3600)


class EndDevice(ModemSession):
    """uart: set to the modem's rate, receive buffer of 1024 bytes or more, `any()`, a stream.

    name: "rui3", "e5" or "rn2483". settings: see `Provision`. rng(bits): random bits. reset: None,
    or a function that pulls the modem's reset line. log: `info`, `warn`. on_down(port, payload),
    on_time(utc_s, ticks_ms): called from `run` and `send`.
    """

    def __init__(self, uart, name, settings, rng, log, *, reset=None):
        super().__init__(uart, name, settings, rng, log)
        self._pull_reset = reset
        self._lock = asyncio.Lock()
        self._airtime = DailyAirtime()
        self.on_down = None
        self.on_time = None
        self._time_ms = None  # when network time was last got

    # --- the port of the link

    async def run(self):
        """Keep the modem joined; never returns."""
        while True:
            pause_ms = IDLE_MS
            if not self._joined:
                async with self._lock:
                    pause_ms = await self._connect()
            await asyncio.sleep_ms(pause_ms)
            async with self._lock:
                self._client.pump()
                self._airtime.advance()

    def max_payload(self):
        """Bytes of payload that one uplink may carry now, 0 when not joined."""
        if not self._joined:
            return 0
        given = self._facts["max_payload"]
        return max_payload(self._facts["dr"] or 0) if given is None else given

    def data_rate(self):
        return self._facts["dr"] if self._joined else None

    def modulation(self):
        """(spreading factor, bandwidth in Hz) of the next uplink, None when not joined."""
        return modulation(self._facts["dr"] or 0) if self._joined else None

    async def send(self, port, payload, confirmed=False):
        """True: on the air, and acknowledged if confirmed. Errors: see the README."""
        if not 1 <= port <= 223:
            raise ValueError("port out of 1..223")
        async with self._lock:
            if self._dead:
                raise OSError("the modem does not answer")
            if not self._joined:
                return False
            if not 1 <= len(payload) <= self.max_payload():
                raise ValueError("payload out of 1..%d bytes" % self.max_payload())
            return await self._send(port, payload, confirmed)

    def state(self):
        facts = self._facts
        errors = dict(self._errors)
        errors["timeouts"] = self._client.timeouts
        errors["noise"] = self._client.noise + self._client.dropped()
        return {
            "joined": self._joined,
            "dr": self.data_rate(),
            "f_cnt_up": facts["f_cnt_up"],
            "rssi": facts["rssi"],
            "snr": facts["snr"],
            "airtime_s": self._airtime.seconds(),
            "errors": errors,
        }

    # --- sending

    async def _send(self, port, payload, confirmed):
        asks_time = await self._request_time()
        left_ms = _AIRTIME_WAIT_MAX_MS
        while True:
            code = await self._uplink(port, payload, confirmed)
            if code != codes.BUSY:
                break
            self._count("busy")
            wait_ms = self._client.wait_ms or _BUSY_MS
            left_ms -= wait_ms
            if left_ms < 0:
                return False
            await asyncio.sleep_ms(wait_ms)
        seen = self._client.seen
        await self._after_bad(code)
        if code == codes.TOO_LONG:
            await self._refresh_facts()
            raise ValueError("payload out of 1..%d bytes" % self.max_payload())
        if not seen & self._dialect.SEND_FINAL:
            self._count("lost")
            return False
        self._count_uplink(len(payload))
        if asks_time:
            await self._read_time(seen)
        await self._refresh_facts()
        good = seen & (self._dialect.ACKED_BY if confirmed else self._dialect.SENT_BY)
        if not good:
            self._count("not_acked")
        return bool(good)

    def _count_uplink(self, size):
        self._silent = 0
        self._airtime.add(airtime_us(self._facts["dr"] or 0, size))
        if self._facts["f_cnt_up"] is not None:
            self._facts["f_cnt_up"] += 1  # a modem that can be asked corrects it

    async def _uplink(self, port, payload, confirmed):
        """Send one uplink. Returns the code that ended it; `seen` of the client has the rest."""
        dialect, client = self._dialect, self._client
        if client.is_unsettled:
            await client.settle()
        prepare = dialect.prepare(port, confirmed)
        if prepare and prepare != self._prepared:
            self._prepared = None
            code = await client.ask(prepare, dialect.SET_END)
            if code != dialect.SET_END:
                return code
            self._prepared = prepare
        code = await client.ask(dialect.send(port, digits(payload), confirmed), dialect.SEND_FIRST)
        if code != dialect.SEND_FIRST:
            return code
        client.forget()
        return await client.until(dialect.SEND_FINAL, _ACK_MS if confirmed else _SEND_MS)

    async def _after_bad(self, code):
        """Handle a refusal or a silence."""
        if code == 0:
            self._silent += 1
            if self._silent >= _SILENCES:
                self._is_provisioned = False
                self._session_lost("the modem does not answer")
        elif code == codes.NOT_JOINED:
            self._needs_join = True
            self._is_provisioned = False  # it may have restarted silently, without its keys
            self._count("sessions_lost")
            self._session_lost("the modem has no session")
        elif code == codes.PAUSED:
            await self._resume()
        elif code & (codes.REFUSED | codes.TOO_LONG):
            self._count("refused" if code == codes.REFUSED else "too_long")

    # --- network time

    async def _request_time(self):
        """Let the next uplink ask for network time, if the modem can and it is due."""
        dialect, time_ms = self._dialect, self._time_ms
        if not dialect.TIME_REQUEST or not self.on_time:
            return False
        now_ms = time.ticks_ms()
        if time_ms is not None and time.ticks_diff(now_ms, time_ms) < _TIME_VALID_S * 1000:
            return False
        if self._client.is_unsettled:
            await self._client.settle()
        return await self._client.ask(dialect.TIME_REQUEST, dialect.SET_END) == dialect.SET_END

    async def _read_time(self, seen):
        dialect, client = self._dialect, self._client
        if dialect.TIME_FINAL and not seen & dialect.TIME_FINAL:
            seen = await client.until(dialect.TIME_FINAL, _TIME_MS)
        line = await self._query(dialect.TIME_QUERY) if seen & dialect.TIME_BY else b""
        utc = dialect.parse_time(line) if line else None
        if utc is None:
            self._count("no_time")
            return
        now_ms = time.ticks_ms()
        self._time_ms = now_ms
        self.on_time(utc[0], time.ticks_add(now_ms, -utc[1]))

    def on_event(self, code, line):
        """A line that came unasked."""
        if code == codes.RESTART:
            self._count("restarts")
            self._is_provisioned = False
            self._session_lost("the modem has restarted")
        elif code == codes.DOWN or code == codes.SIGNAL:
            signal = self._dialect.parse_signal(line)
            if signal and None not in signal:
                self._facts["rssi"], self._facts["snr"] = signal
            down = self._dialect.parse_downlink(line) if code == codes.DOWN else None
            if code == codes.DOWN and down is None:
                self._count("bad_downlinks")
            elif down and self.on_down and 1 <= down[0] <= 223:
                self.on_down(down[0], down[1])
