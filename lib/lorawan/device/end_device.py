"""A LoRaWAN end device: the MAC and a radio driver, run as one task.

    join (random delay, back-off) -> empty frame that asks for the time -> the link's frames
    352 uplinks without a downlink: the session counts as lost, join again

The MAC says when a receive window is to open. The task opens it there to some hundred
microseconds, as long as the event loop comes round within the lead that the MAC gives
(`Radio.lead_us`). The task measures each time how late the loop is and how long the chip and the
heap take to be ready. The lead follows these figures. For the last milliseconds before a window
the task waits without a yield, and nothing else runs.

The link calls `send()`, and is called at `on_down` and `on_time`.
"""

import asyncio
import time

from micropython import const

from lorawan.device.device_frames import DeviceFrames
from lorawan.device.radio_io import RadioIo, wait_flag
from lorawan.device.storage import DailyAirtime, Micros
from lorawan.mac import Mac, NotReady
from lorawan.mac_core import (
    DOWNLINK, JOIN_FAILED, JOINED, LINK_CHECK_ANS, OVER, SENT, TIME, TOO_LONG,
)  # fmt: skip
from lorawan.radio import TX, Radio
from lorawan.uplink import payload_rate

_SECOND = const(1_000_000)
_SLEEP_MAX_MS = const(60_000)  # `Micros` has to be read now and then
_AIRTIME_WAIT_MAX_US = const(120 * _SECOND)  # then the frame is given back
_RESTART_S = const(60)
_LEAD_US = const(20_000)
_LEAD_MAX_US = const(150_000)
_REJOIN_AFTER = const(352)  # the ADR back-off has ended at 288 (TS001-1.0.4, table 9)
_GPS_TO_UNIX = 315_964_800 - 18  # 1980-01-06, leap seconds since


class EndDevice:
    """driver: such as `radio.sx126x.SX126x`. identity: `lorawan.frames.Identity`.

    store: as for `Mac`. rng(bits) -> int. log: info, warn. recent: memory that outlives a reset,
    `read()` and `write(bytes)`. radio: `lorawan.radio.Radio`. join_within_s: longest random delay
    of the first Join-Request. Raises ValueError; OSError if the store cannot be read.

    on_down(port, payload): data for the application. on_time(utc_s, ms): it was `utc_s`, whole
    unix seconds, at `ticks_ms` `ms`. on_reset(shut): the network orders a restart; shut: accept
    no certification messages after it.
    """

    def __init__(self, driver, identity, region, store, **rest):
        rng, self._log = rest["rng"], rest["log"]
        self._recent = rest.get("recent")
        self._join_within_us = rest.get("join_within_s", 30) * _SECOND
        self._driver = driver
        self._clock = Micros()
        self._radio_io = RadioIo(driver, self._clock)
        self._identity = identity
        self._radio = rest.get("radio") or Radio()
        self.mac = Mac(region, store, rng, self._clock.now(), self._radio)
        self._frames = DeviceFrames(self.mac)
        self._airtime = DailyAirtime()
        self._changed = asyncio.Event()  # events of the MAC were handled, or the radio is dead
        self._wake = asyncio.ThreadSafeFlag()  # `send()` has given the MAC a frame
        self._send_lock = asyncio.Lock()
        self._handlers = {
            JOINED: self._joined, JOIN_FAILED: self._join_failed, SENT: self._sent,
            TOO_LONG: self._too_long, DOWNLINK: self._downlink, TIME: self._time,
            OVER: self._over, LINK_CHECK_ANS: self._link_check,
        }  # fmt: skip
        self.on_down = self.on_time = self.on_reset = None
        self._result = None  # of the application's frame: True, False, or an exception
        self._sends_own = False  # the frame on its way is one of `_frames`
        self._answered = 0  # FCntDown up to which the network has had its answer
        self._dead = None
        self._margin = None  # dB of the last LinkCheckAns

    # --- the port of the link

    def max_payload(self):
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
        """Send; True: the frame was on the air, and acknowledged if that was asked for.

        False: not joined, no airtime for two minutes, or not acknowledged. Raises ValueError
        (port, length) and OSError (the radio is dead).
        """
        if port is None:
            raise ValueError("port None, 1..223")
        async with self._send_lock:
            while self._sends_own and not self._dead:
                await self._wait_change()
            if self._dead:
                raise self._dead
            if not self._is_up():
                return False
            now_us = self._clock.now()
            self._frames.add_requests(now_us)
            try:
                self.mac.send(port, payload, now_us, confirmed)
            except NotReady:
                return False
            self._frames.frame_done(now_us)
            self._result = None
            self._wake.set()
            return await self._wait_result()

    async def _wait_result(self):
        while self._result is None:
            await self._wait_change()
            now_us = self._clock.now()
            if self._dead:
                self._result = self._dead
            elif self._result is None and self._waits_too_long(now_us):
                self.mac.stop(now_us)
                self._result = False
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def _waits_too_long(self, now_us):
        return (self.mac.wake_us or now_us) - now_us > _AIRTIME_WAIT_MAX_US

    async def _wait_change(self):
        self._changed.clear()
        await self._changed.wait()

    def state(self):
        """For health reports, without secrets. errors: counts by name."""
        session, now_us = self.mac.session, self._clock.now()
        radio_io, errors = self._radio_io, dict(self._radio_io.errors)
        health = self.mac.health()
        for reason, count in health.pop("refused").items():
            errors["refused_" + reason] = count
        errors["lost"], errors["package"] = health.pop("radio"), self._frames.refused()
        errors.update(health)
        return {
            "joined": self._is_up(), "dr": self.data_rate(), "rssi": radio_io.rssi,
            "f_cnt_up": session.fcnt_up if session else None, "snr": radio_io.snr,
            "margin": self._margin, "airtime_s": self._airtime.seconds(now_us),
            "late_us": radio_io.late_us, "errors": errors,
        }  # fmt: skip

    def certify(self, version):
        """Accept messages of the certification package, TS009, from now on. version: 4 bytes."""
        self._frames.certify(version, self._rejoin, self._reset)

    # --- the task

    async def run(self):
        """Join and serve; never returns."""
        mac, recent = self.mac, self._recent
        if mac.restore(self._clock.now(), recent.read() if recent else None):
            self._log.info("lorawan: session restored, FCntUp %d", mac.session.fcnt_up)
            self._answered = mac.session.fcnt_down
        else:
            mac.join(self._identity, self._clock.now(), self._join_within_us)
        while True:
            try:
                self._driver.start()
                self._dead = None
                while True:
                    await self._step()
            except OSError as error:
                self._radio_io.errors["radio"] += 1
                self._dead = error
                self._log.warn("lorawan: %s", error)
                self._changed.set()
            await asyncio.sleep(_RESTART_S)

    async def _step(self):
        """Carry out one request of the MAC, or wait for one."""
        now_us = self._clock.now()
        request = self.mac.poll(now_us)
        if request is None:
            self._handle_events()
            self._supervise(now_us)
            await self._sleep()
        elif request.kind == TX:
            if self._recent and self.mac.session:
                self._recent.write(self.mac.snapshot())
            toa_us, end_us = await self._radio_io.transmit(request)
            self._airtime.add(toa_us, now_us)
            self._frames.tx_done(end_us)
            self.mac.tx_done(end_us)
        else:
            frame, now_us = await self._radio_io.listen(request)
            if frame is None:
                self.mac.rx_timeout(now_us)
            else:
                self.mac.rx_done(now_us, frame, self._radio_io.rssi, self._radio_io.snr)

    def _supervise(self, now_us):
        """Send the device's own frames; join again when the network is gone."""
        if not self._is_up():
            return
        session, frames = self.mac.session, self._frames
        busy = self._send_lock.locked() or self._sends_own
        frames.poll(now_us)
        if session.adr_ack_count >= _REJOIN_AFTER and not busy:
            self._log.warn("lorawan: %d frames without an answer", session.adr_ack_count)
            self.mac.join(self._identity, now_us, self._join_within_us)
            return
        if session.fcnt_down != self._answered:
            self._answered = session.fcnt_down
            if self.mac.wants_uplink():
                frames.schedule(now_us)
        if frames.send_us is not None and now_us >= frames.send_us and not busy:
            self._sends_own = frames.send(now_us)
        elif self._sends_own and self._waits_too_long(now_us):
            self.mac.stop(now_us)
            self._sends_own = False

    async def _sleep(self):
        """Wait until the MAC or a frame of the device is due, or `send()` was called."""
        self._radio.lead_us = min(_LEAD_US + self._radio_io.lead_us(), _LEAD_MAX_US)
        now_us, frame_us = self._clock.now(), self._frames.due_us()
        if frame_us is not None and (self._sends_own or self._send_lock.locked()):
            frame_us = max(frame_us, now_us + _SECOND)  # another frame is on its way
        due = [at for at in (self.mac.wake_us, frame_us) if at is not None]
        ms = _SLEEP_MAX_MS
        if due:
            ms = min(ms, max(0, min(due) - now_us) // 1000 + 1)
        await wait_flag(self._wake, ms)

    # --- events of the MAC

    def _handle_events(self):
        event = self.mac.event()
        while event:
            self._handlers[event[0]](*event[1:])
            event = self.mac.event()
        self._changed.set()

    def _joined(self, addr):
        self._log.info("lorawan: joined")
        self._answered = 0
        self._frames.joined(self._clock.now())

    def _join_failed(self, requests):
        self._log.info("lorawan: no answer to Join-Request %d", requests)

    def _sent(self, acknowledged, transmissions):
        self._finish_frame(acknowledged is not False)

    def _too_long(self, size_max):
        self._finish_frame(ValueError("payload: no more than %d bytes now" % size_max))

    def _finish_frame(self, result):
        if self._sends_own:
            self._sends_own = False
            self._frames.frame_done(self._clock.now())
        else:
            self._result = result

    def _downlink(self, port, payload, rssi, snr):
        now_us = self._clock.now()
        is_handled, gps_s = self._frames.handle(port, payload, now_us)
        if gps_s is not None:
            self._time(gps_s, 0, now_us)
        if self.on_down and not is_handled:
            self.on_down(port, payload)

    def _link_check(self, margin, gateways):
        self._margin = margin

    def _time(self, gps_s, fraction, at_us):
        now_us = self._clock.now()
        self._frames.time_received(now_us)
        if self.on_time:
            ago_ms = (now_us - at_us + fraction * 15625 // 4) // 1000
            self.on_time(gps_s + _GPS_TO_UNIX, time.ticks_add(time.ticks_ms(), -ago_ms))

    def _over(self, reason):
        self._log.warn("lorawan: %s is used up", reason)
        self._result, self._sends_own = False, False
        if reason == "counter":
            self._rejoin()

    def _rejoin(self):
        self.mac.join(self._identity, self._clock.now())

    def _reset(self, shut):
        if self.on_reset:
            self.on_reset(shut)
