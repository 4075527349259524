"""A node on a LoRaWAN network: the MAC and a radio driver, run as a task.

The MAC says when a window is to open; this opens it there to some hundred microseconds, as long
as the event loop comes round within the lead that the MAC gives (`Radio.lead_us`). How late it
is, and how long the chip and the heap take to be ready, is measured each time, and the lead
follows. For the last of it, some milliseconds, nothing else runs.

    join (random delay, back-off) -> empty frame that asks for the time -> the link's frames
    32 frames without a downlink: LinkCheckReq in every eighth; 352: the session is taken for
    lost, join again

The link calls `send()`, and is called at `on_down` and `on_time`. A network that does not answer
DeviceTimeReq is asked by AppTimeReq (`packages.py`), which its application server may know.
"""

import asyncio
import time

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from lorawan.device.storage import Airtime, Micros
from lorawan.mac import (
    DOWNLINK, JOIN_FAILED, JOINED, LINK_CHECK_ANS, OVER, SENT, TIME, TOO_LONG, Mac, NotReady,
)  # fmt: skip
from lorawan.device.radio_io import OnAir, wait
from lorawan.device.device_frames import Posts
from lorawan.radio import TX, Radio
from lorawan.uplink import payload_rate
from micropython import const

_SECOND = const(1_000_000)
_LONGEST_SLEEP_MS = const(60_000)  # Micros has to be asked now and then
_PATIENCE_US = const(120 * _SECOND)  # for airtime; then the frame is given back
_RESTART_S = const(60)
_LEAD_US = const(20_000)
_MOST_LEAD_US = const(150_000)
_CHECK_FROM = const(32)  # frames without a downlink
_CHECK_EACH = const(8)
_REJOIN_AFTER = const(352)  # the ADR back-off has ended at 288 (TS001-1.0.4, table 9)
_ASK_TIME_US = const(300 * _SECOND)  # until there is an answer
# DeviceTimeReq without an answer; then AppTimeReq as well: at once when the network was heard
# meanwhile, else (it may be away) now and then.
_ASK_OTHERWISE = const(3)
_SELDOM = const(12)
_TIME_HOLDS_US = 6 * 3600 * _SECOND  # 0.4 s of a 20 ppm crystal
_OWN_FRAME_US = const(5 * _SECOND)  # for the application to come first
_GPS_TO_UNIX = 315_964_800 - 18  # 1980-01-06, leap seconds since


class Station:
    """driver: as `radio.sx126x.SX126x`. identity: `lorawan.frames.Identity`. rng(bits) -> int.

    store: as `Mac` has it. recent: memory that outlives a reset, `read()` and `write(bytes)`.
    log: info, warn. radio: `lorawan.radio.Radio`. join_within_s: of the random delay of the
    first Join-Request. Raises ValueError; OSError if the store cannot be read.

    on_down(port, payload): data for the application. on_time(utc_s, ms): it was `utc_s`, whole
    unix seconds, at `ticks_ms` `ms`. on_reset(shut): the network wants a restart, and with `shut`
    no certification after it.
    """

    def __init__(self, driver, identity, region, store, **rest):
        rng, self._log = rest["rng"], rest["log"]
        self._recent = rest.get("recent")
        self._within_us = rest.get("join_within_s", 30) * _SECOND
        self._driver = driver
        self._clock = Micros()
        self._air = OnAir(driver, self._clock)
        self._identity = identity
        self._radio = rest.get("radio") or Radio()
        self.mac = Mac(region, store, rng, self._clock.now(), self._radio)
        self._airtime = Airtime()
        self._changed = asyncio.Event()  # the MAC has said something
        self._kick = asyncio.ThreadSafeFlag()  # there is something new for the MAC
        self._turn = asyncio.Lock()
        self._handlers = {
            JOINED: self._joined, JOIN_FAILED: self._join_failed, SENT: self._sent,
            TOO_LONG: self._too_long, DOWNLINK: self._down, TIME: self._time, OVER: self._over,
            LINK_CHECK_ANS: self._link_check,
        }  # fmt: skip
        self.on_down = self.on_time = self.on_reset = None
        self._result = None  # of the frame on its way: True, False, or an exception
        self._own = False  # a frame of the station itself is on its way
        self._posts = Posts(self.mac)  # what is to be in it
        self._asked = 0  # for the time, without an answer
        self._asked_at = 0  # FCntDown at the first of these
        self._answered = 0  # FCntDown up to which the network has had its answer
        self._ask_us = 0  # when to ask for the time again
        self._dead = None
        self._margin = None  # dB of the last LinkCheckAns

    # --- the port

    def room(self):
        """Bytes of payload that one frame may carry now; 0 when not joined."""
        return self.mac.max_payload() if self._is_up() else 0

    def data_rate(self):
        """DR of the next frame with a payload of the application, or None."""
        return payload_rate(self.mac.session) if self.mac.session else None

    def modulation(self):
        """(spreading factor, bandwidth in Hz) of the next frame with a payload, or None."""
        session = self.mac.session
        return session.region.modulation(payload_rate(session)) if session else None

    def _is_up(self):
        return self.mac.session is not None and not self.mac.joining()

    async def send(self, port, payload, confirmed=False):
        """Send; True: on the air, and acknowledged if that was asked for.

        False: not joined, no airtime for long, not acknowledged. Raises ValueError (port, length)
        and OSError (the radio is dead).
        """
        if port is None:
            raise ValueError("port None, 1..223")
        async with self._turn:
            while self._own and not self._dead:
                await self._change()
            if self._dead:
                raise self._dead
            if not self._is_up():
                return False
            self._want()
            try:
                self.mac.send(port, payload, self._clock.now(), confirmed)
            except NotReady:
                return False
            self._posts.go_on(self._clock.now())
            self._result = None
            self._kick.set()
            return await self._wait_result()

    async def _wait_result(self):
        while self._result is None:
            await self._change()
            now = self._clock.now()
            if self._dead:
                self._result = self._dead
            elif self._result is None and self._waits_too_long(now):
                self.mac.stop(now)
                self._result = False
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def _waits_too_long(self, now):
        return (self.mac.wake_us or now) - now > _PATIENCE_US

    async def _change(self):
        self._changed.clear()
        await self._changed.wait()

    def state(self):
        """For health reports; nothing secret. errors: counts by name."""
        session, now = self.mac.session, self._clock.now()
        air, errors = self._air, dict(self._air.errors)
        health = self.mac.health()
        for reason, count in health.pop("refused").items():
            errors["refused_" + reason] = count
        errors["lost"], errors["package"] = health.pop("radio"), self._posts.refused()
        errors.update(health)
        return {
            "joined": self._is_up(), "dr": self.data_rate(), "rssi": air.rssi,
            "f_cnt_up": session.fcnt_up if session else None, "snr": air.snr,
            "margin": self._margin, "airtime_s": self._airtime.seconds(now),
            "late_us": air.late_us, "errors": errors,
        }  # fmt: skip

    # --- the task

    async def run(self):
        """Join and serve; returns never."""
        mac, recent = self.mac, self._recent
        if mac.restore(self._clock.now(), recent.read() if recent else None):
            self._log.info("lorawan: session restored, FCntUp %d", mac.session.fcnt_up)
            self._answered = mac.session.fcnt_down
        else:
            mac.join(self._identity, self._clock.now(), self._within_us)
        while True:
            try:
                self._driver.start()
                self._dead = None
                while True:
                    await self._step()
            except OSError as error:
                self._air.errors["radio"] += 1
                self._dead = error
                self._log.warn("lorawan: %s", error)
                self._changed.set()
            await asyncio.sleep(_RESTART_S)

    async def _step(self):
        """One request of the MAC, or one wait for it."""
        now = self._clock.now()
        request = self.mac.poll(now)
        if request is None:
            self._tell()
            self._supervise(now)
            await self._rest()
        elif request.kind == TX:
            if self._recent and self.mac.session:
                self._recent.write(self.mac.snapshot())
            toa_us, end_us = await self._air.transmit(request)
            self._airtime.add(toa_us, now)
            self._posts.on_air(end_us)
            self.mac.tx_done(end_us)
        else:
            frame, now = await self._air.listen(request)
            if frame is None:
                self.mac.rx_timeout(now)
            else:
                self.mac.rx_done(now, frame, self._air.rssi, self._air.snr)

    async def _rest(self):
        """Until the MAC wants to be called, or `send()` has something."""
        self._radio.lead_us = min(_LEAD_US + self._air.lead_us(), _MOST_LEAD_US)
        now, post_us = self._clock.now(), self._posts.due_us()
        if post_us is not None and (self._own or self._turn.locked()):
            post_us = max(post_us, now + _SECOND)  # it has to wait
        due = [at for at in (self.mac.wake_us, post_us) if at is not None]
        ms = _LONGEST_SLEEP_MS
        if due:
            ms = min(ms, max(0, min(due) - now) // 1000 + 1)
        await wait(self._kick, ms)

    # --- what the MAC says

    def _tell(self):
        event = self.mac.event()
        while event:
            self._handlers[event[0]](*event[1:])
            event = self.mac.event()
        self._changed.set()

    def _joined(self, addr):
        self._log.info("lorawan: joined")
        self._answered = self._ask_us = 0
        self._posts.own_us = self._clock.now() + _OWN_FRAME_US

    def _join_failed(self, requests):
        self._log.info("lorawan: no answer to Join-Request %d", requests)

    def _sent(self, acknowledged, transmissions):
        self._gone(acknowledged is not False)

    def _too_long(self, room):
        self._gone(ValueError("payload: no more than %d bytes now" % room))

    def _gone(self, result):
        """The frame on its way has come to its end."""
        if self._own:
            self._own = False
            self._posts.go_on(self._clock.now())
        else:
            self._result = result

    def _down(self, port, payload, rssi, snr):
        now = self._clock.now()
        is_taken, gps_s = self._posts.take(port, payload, now)
        if gps_s is not None:
            self._time(gps_s, 0, now)
        if self.on_down and not is_taken:
            self.on_down(port, payload)

    def _link_check(self, margin, gateways):
        self._margin = margin

    def _time(self, gps_s, fraction, at_us):
        ago_ms = (self._clock.now() - at_us + fraction * 15625 // 4) // 1000
        self._ask_us = self._clock.now() + _TIME_HOLDS_US
        self._asked = 0
        if self.on_time:
            self.on_time(gps_s + _GPS_TO_UNIX, time.ticks_add(time.ticks_ms(), -ago_ms))

    def _over(self, reason):
        self._log.warn("lorawan: %s is used up", reason)
        self._result, self._own = False, False
        if reason == "counter":
            self.mac.join(self._identity, self._clock.now())

    # --- the link's health

    def _want(self):
        """What the next frame should ask the network for."""
        silent, now = self.mac.session.silent_count, self._clock.now()
        if silent >= _CHECK_FROM and silent % _CHECK_EACH == 0:
            self.mac.want(LINK_CHECK)
        if now >= self._ask_us:
            self.mac.want(DEVICE_TIME)
            self._ask_us = now + _ASK_TIME_US
            self._ask_otherwise(now)

    def _ask_otherwise(self, now):
        """The network may leave the time to its application server."""
        heard = self.mac.session.fcnt_down
        if not self._asked:
            self._asked_at = heard
        self._asked += 1
        if self._asked > _ASK_OTHERWISE:
            if heard != self._asked_at or self._asked % _SELDOM == 0:
                self._posts.ask_time(now)

    def _supervise(self, now):
        """Answer the network when the application has nothing to say; join when it is gone."""
        if not self._is_up():
            return
        session, busy = self.mac.session, self._turn.locked() or self._own
        self._posts.poll(now)
        if session.silent_count >= _REJOIN_AFTER and not busy:
            self._log.warn("lorawan: %d frames without an answer", session.silent_count)
            self.mac.join(self._identity, now, self._within_us)
            return
        if session.fcnt_down != self._answered:
            self._answered = session.fcnt_down
            if self.mac.wants_uplink():
                self._posts.own_us = now + _OWN_FRAME_US
        own_us = self._posts.own_us
        if own_us is not None and now >= own_us and not busy:
            self._want()
            self._own = self._posts.send(now)
        elif self._own and self._waits_too_long(now):
            self.mac.stop(now)
            self._own = False

    def certify(self, version):
        """Listen to the certification package, TS009, from now on. version: four bytes."""
        self._posts.certify(version, self._rejoin, self._reset)

    def _rejoin(self):
        self.mac.join(self._identity, self._clock.now())

    def _reset(self, shut):
        if self.on_reset:
            self.on_reset(shut)
