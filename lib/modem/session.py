"""A modem with or without a session: present, provisioned, joined; how each is reached again."""

from micropython import const

from modem import codes
from modem.engine import Engine
from modem.provision import Provision, dialect

IDLE_MS = const(500)
_JOIN_MS = const(30_000)  # Join-Request at DR0, 6 s to the second window, its downlink
_RESET_MS = const(4000)
_BACKOFF_MS = const(15_000)
_BACKOFF_STEPS = const(10)
_DEAD_STEPS = const(5)  # a modem that does not answer is asked again within 8 minutes
_PROBES = const(3)
_RETRIES = const(1)


class Session:
    """What `station.Station`, whose arguments these are, does to have a session.

    `_take(code, line)`, of the subclass, gets the lines that come unasked.
    """

    def __init__(self, uart, name, settings, rng, log):
        self._talk = dialect(name)
        self._who = Provision(self._talk, settings)
        self._engine = Engine(uart, self._talk, self._take)
        self._rng = rng
        self._log = log
        self._pull = None  # function that pulls the modem's reset line
        self._joined = False
        self._known = False  # provisioned since it started
        self._anew = False  # the modem's session is of no use
        self._dead = False
        self._silent = 0
        self._failed = 0  # attempts to join in a row
        self._prepared = None
        self._facts = {"dr": None, "rssi": None, "snr": None, "f_cnt_up": None, "room": None}
        self._errors = {}

    async def _raise(self):
        """Try to get a session; milliseconds until the next attempt."""
        if not await self._present():
            self._dead = True
            self._silent += 1
            if self._silent % 2:
                await self._reset()
            return _BACKOFF_MS << min(self._silent, _DEAD_STEPS)
        self._dead = False
        self._silent = 0
        if not self._known and not self._anew and await self._kept():
            self._log.info("lora: the modem has kept its session")
            await self._begin()
            return IDLE_MS
        if not self._known and not await self._provision():
            return self._back_off()
        if await self._join():
            self._failed = 0
            self._log.info("lora: joined")
            await self._begin(0)
            return IDLE_MS
        return max(self._back_off(), self._engine.wait_ms)

    def _back_off(self):
        ms = _BACKOFF_MS << min(self._failed, _BACKOFF_STEPS)
        self._failed += 1
        return ms + (ms * self._rng(8) >> 10)

    async def _present(self):
        """Let late answers pass and ask for life."""
        for _ in range(_PROBES):
            await self._engine.settle()
            if await self._query(self._talk.EUI_QUERY):
                return True
            if self._engine.seen & codes.PAUSED:
                await self._remedy()
        return False

    async def _kept(self):
        """Whether the modem still has a session of this device: a restart of ours costs none."""
        talk = self._talk
        line = await self._query(talk.EUI_QUERY)
        if not line or talk.eui(line).upper() != self._who.who[0]:
            self._anew = True
            return False
        if not talk.JOINED_QUERY:
            return False
        line = await self._query(talk.JOINED_QUERY)
        return bool(line) and talk.joined(line)

    async def _provision(self):
        who, talk = self._who, self._talk
        for what, command in talk.setup(who.who, who.region, who.adr, _RETRIES):
            needless = talk.needless(command)
            if needless:
                line = await self._query(needless[0])
                if line and line.endswith(needless[1]):
                    continue
            code = await self._engine.ask(command, talk.SET_END, _RESET_MS)
            if code == codes.RESTART:
                return False  # the next attempt finds it restarted
            if code != talk.SET_END:
                self._count("refused")
                self._log.warn("lora: the modem does not take its %s", what)
                return False
        self._known = True
        return True

    async def _join(self):
        talk, engine = self._talk, self._engine
        top = self._who.data_rate
        await engine.ask(talk.rate((top - self._failed) % (top + 1)), talk.SET_END)
        code = await engine.ask(talk.join(self._anew), talk.JOIN_FIRST)
        if code == talk.JOIN_FIRST or code == codes.STARTED:
            engine.forget()
            await engine.until(talk.JOIN_FINAL, _JOIN_MS)
        if engine.seen & codes.JOINED:
            return True
        self._count("join_failures")
        await self._after_bad(code)
        return False

    async def _begin(self, f_cnt_up=None):
        """A session begins, or goes on."""
        self._joined = self._known = True
        self._anew = False
        self._prepared = None
        self._facts["f_cnt_up"] = f_cnt_up
        if not self._who.adr:
            await self._engine.ask(self._talk.rate(self._who.data_rate), self._talk.SET_END)
        await self._look()

    def _lost(self, why):
        if self._joined:
            self._log.warn("lora: %s", why)
        self._joined = False
        self._prepared = None

    async def _reset(self):
        self._known = False
        self._count("resets")
        if self._pull:
            self._pull()
            await self._engine.until(codes.RESTART, _RESET_MS)
        else:
            await self._engine.ask(self._talk.RESET, codes.RESTART, _RESET_MS)

    async def _remedy(self):
        for command in self._talk.REMEDY:
            await self._engine.ask(command, codes.VALUE | codes.OK)

    # --- what the modem knows

    async def _query(self, command):
        """The line with the answer, b"" without one."""
        code = await self._engine.ask(command, self._talk.QUERY_END)
        return self._engine.value if code == self._talk.QUERY_END else b""

    async def _look(self):
        """Ask for data rate, counter and signal."""
        facts = self._facts
        for name, command in self._talk.AFTER:
            line = await self._query(command)
            value = self._talk.value(name, line) if line else None
            if value is None or value <= -128 or (name == "rssi" and value >= 0):
                continue  # before anything was received modems print 0 or -128
            if name == "dr" and not 0 <= value <= 6:
                continue
            if name == "room" and not 0 < value <= 242:
                continue
            facts[name] = value

    def _count(self, name):
        self._errors[name] = self._errors.get(name, 0) + 1
