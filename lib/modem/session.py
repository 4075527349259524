"""The session of a modem: finding the modem, sending its settings, joining."""

from micropython import const

from modem import codes
from modem.at_client import AtClient
from modem.provision import Provision, load_dialect

IDLE_MS = const(500)
_JOIN_MS = const(30_000)  # Join-Request at DR0, 6 s to the second window, its downlink
_RESET_MS = const(4000)
_BACKOFF_MS = const(15_000)
_BACKOFF_STEPS_MAX = const(10)
_DEAD_STEPS_MAX = const(5)  # a silent modem is asked again within 8 minutes
_PROBES = const(3)
_RETRIES = const(1)


class ModemSession:
    """Base class of `end_device.EndDevice`, with the same arguments.

    The subclass has `on_event(code, line)` for the lines that come unasked.
    """

    def __init__(self, uart, name, settings, rng, log):
        self._dialect = load_dialect(name)
        self._settings = Provision(self._dialect, settings)
        self._client = AtClient(uart, self._dialect, self.on_event)
        self._rng = rng
        self._log = log
        self._pull_reset = None  # function that pulls the modem's reset line
        self._joined = False
        self._is_provisioned = False  # provisioned since it started
        self._needs_join = False  # the modem's session is unusable
        self._dead = False
        self._silent = 0
        self._failed = 0  # attempts to join in a row
        self._prepared = None
        names = ("dr", "rssi", "snr", "f_cnt_up", "max_payload")
        self._facts = {name: None for name in names}
        self._errors = {}

    async def _connect(self):
        """Try to get a session. Returns the milliseconds until the next attempt."""
        if not await self._probe():
            self._dead = True
            self._silent += 1
            if self._silent % 2:
                await self._reset()
            return _BACKOFF_MS << min(self._silent, _DEAD_STEPS_MAX)
        self._dead = False
        self._silent = 0
        if not self._is_provisioned and not self._needs_join and await self._has_session():
            self._log.info("lora: the modem has kept its session")
            await self._session_started()
            return IDLE_MS
        if not self._is_provisioned and not await self._send_settings():
            return self._back_off()
        if await self._join():
            self._failed = 0
            self._log.info("lora: joined")
            await self._session_started(0)
            return IDLE_MS
        return max(self._back_off(), self._client.wait_ms)

    def _back_off(self):
        ms = _BACKOFF_MS << min(self._failed, _BACKOFF_STEPS_MAX)
        self._failed += 1
        return ms + (ms * self._rng(8) >> 10)

    async def _probe(self):
        """Let late answers pass, then check that the modem answers."""
        for _ in range(_PROBES):
            await self._client.settle()
            if await self._query(self._dialect.EUI_QUERY):
                return True
            if self._client.seen & codes.PAUSED:
                await self._resume()
        return False

    async def _has_session(self):
        """True if the modem still has a session of this device, so that no join is needed."""
        dialect = self._dialect
        line = await self._query(dialect.EUI_QUERY)
        if not line or dialect.parse_eui(line).upper() != self._settings.keys[0]:
            self._needs_join = True
            return False
        if not dialect.JOINED_QUERY:
            return False
        line = await self._query(dialect.JOINED_QUERY)
        return bool(line) and dialect.is_joined(line)

    async def _send_settings(self):
        settings, dialect = self._settings, self._dialect
        setup = dialect.setup(settings.keys, settings.region, settings.adr, _RETRIES)
        for name, command in setup:
            query = dialect.skip_query(command)
            if query:
                line = await self._query(query[0])
                if line and line.endswith(query[1]):
                    continue
            code = await self._client.ask(command, dialect.SET_END, _RESET_MS)
            if code == codes.RESTART:
                return False  # the next attempt finds it restarted
            if code != dialect.SET_END:
                self._count("refused")
                self._log.warn("lora: the modem refuses its %s", name)
                return False
        self._is_provisioned = True
        return True

    async def _join(self):
        dialect, client = self._dialect, self._client
        top = self._settings.data_rate
        await client.ask(dialect.set_data_rate((top - self._failed) % (top + 1)), dialect.SET_END)
        code = await client.ask(dialect.join(self._needs_join), dialect.JOIN_FIRST)
        if code == dialect.JOIN_FIRST or code == codes.STARTED:
            client.forget()
            await client.until(dialect.JOIN_FINAL, _JOIN_MS)
        if client.seen & codes.JOINED:
            return True
        self._count("join_failures")
        await self._after_bad(code)
        return False

    async def _session_started(self, f_cnt_up=None):
        """A session begins, or goes on."""
        self._joined = self._is_provisioned = True
        self._needs_join = False
        self._prepared = None
        self._facts["f_cnt_up"] = f_cnt_up
        if not self._settings.adr:
            dialect = self._dialect
            await self._client.ask(
                dialect.set_data_rate(self._settings.data_rate), dialect.SET_END
            )
        await self._refresh_facts()

    def _session_lost(self, why):
        if self._joined:
            self._log.warn("lora: %s", why)
        self._joined = False
        self._prepared = None

    async def _reset(self):
        self._is_provisioned = False
        self._count("resets")
        if self._pull_reset:
            self._pull_reset()
            await self._client.until(codes.RESTART, _RESET_MS)
        else:
            await self._client.ask(self._dialect.RESET, codes.RESTART, _RESET_MS)

    async def _resume(self):
        for command in self._dialect.RESUME:
            await self._client.ask(command, codes.VALUE | codes.OK)

    # --- what the modem knows

    async def _query(self, command):
        """The line with the answer, b"" without one."""
        code = await self._client.ask(command, self._dialect.QUERY_END)
        return self._client.value if code == self._dialect.QUERY_END else b""

    async def _refresh_facts(self):
        """Ask for data rate, counter and signal."""
        facts = self._facts
        for name, command in self._dialect.FACT_QUERIES:
            line = await self._query(command)
            value = self._dialect.parse_value(name, line) if line else None
            if value is None or value <= -128 or (name == "rssi" and value >= 0):
                continue  # modems print 0 or -128 until they have received a frame
            if name == "dr" and not 0 <= value <= 6:
                continue
            if name == "max_payload" and not 0 < value <= 242:
                continue
            facts[name] = value

    def _count(self, name):
        self._errors[name] = self._errors.get(name, 0) + 1
