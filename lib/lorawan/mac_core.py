"""The inside of the MAC: which frame goes next, what its windows bring. See `lorawan.mac`."""

import sys

from micropython import const

from lorawan import session as sessions
from lorawan.mac_answers import LINK_CHECK
from lorawan.rx_windows import Exchange
from lorawan.frames import MAX_FRAME, Downlink
from lorawan.joining import REQUEST_BYTES, Joining
from lorawan.persistence import RESERVE, Keeper
from lorawan.regions.limits import Air
from lorawan.radio import Radio
from lorawan.uplink import back_off, compose, payload_rate, room, settle_rate

JOINED, JOIN_FAILED, SENT, TOO_LONG, DOWNLINK = "joined", "join_failed", "sent", "long", "down"
LINK_CHECK_ANS, TIME, OVER = "link_check", "time", "over"
_LAST_PORT = const(223)
_CERTIFICATION_PORT = const(224)

_SECOND = const(1_000_000)
_MAX_EVENTS = const(8)
_STORE_RETRY_US = const(60_000_000)
_U32 = const(0xFFFFFFFF)


class Engine:
    """Arguments as those of `lorawan.mac.Mac`, which is this with a face to the application."""

    def __init__(self, region, store, rng, now_us, radio=None):
        radio = radio or Radio()
        if radio.window_error_us(16) > region.most_error_us():
            raise ValueError("error_us: no window is long enough for it")
        self._region = region
        self._rng = rng
        self._join = Joining(region, store, now_us)
        self._keeper = Keeper(region, store)
        self._air = Air(region, store, rng, now_us)
        self._exchange = Exchange(region, radio, self._received, self._over)
        self._buf = bytearray(MAX_FRAME)
        self._events = []
        self.session = None
        self.certification = False  # port 224 is open
        self.wake_us = None  # when `poll()` is to be called; None = after the next event
        self.pending = False  # the network has more to send (FPending)
        self.heard_frames = 0  # acknowledgements and frames with a port of the application
        self.battery = 255
        self.unknown = 0  # frames whose commands ended in one that is not known
        self.refused = {}  # received frames that were dropped, by reason
        self.store_faults = 0
        self.lost_events = 0
        self._joining = False  # the exchange that is going on is a Join-Request
        self._uplink = None
        self._frame = None
        self._acked = False
        self._wanted = b""
        self._not_before = 0
        self._quiet_until = 0  # DutyCycleReq
        self._rate = self._toa_us = 0  # of the transmission

    def poll(self, now_us):
        """What the radio is to do now: a `lorawan.radio.Request`, or None."""
        if self._exchange.idle():
            return self._begin(now_us)
        request = self._exchange.poll(now_us)
        self._schedule(now_us)
        return request

    def tx_done(self, end_us):
        """The transmission ended at `end_us`."""
        self._exchange.tx_done(end_us)
        self._schedule(end_us)

    def rx_timeout(self, now_us):
        """No preamble was found in the window."""
        self._exchange.rx_timeout(now_us)
        self._schedule(now_us)

    def rx_done(self, now_us, data, rssi, snr):
        """A frame came in. data: bytes; rssi: dBm; snr: dB, a whole number."""
        try:
            self._exchange.rx_done(now_us, data, rssi, snr)
        except ValueError as error:
            self._refuse(error.args[0])
        self._schedule(now_us)

    def _schedule(self, now_us):
        if not self._exchange.idle():
            self.wake_us = self._exchange.wake_us
        elif self._join.identity or self._uplink:
            self.wake_us = max(self._not_before, self._quiet_until, now_us)
        else:
            self.wake_us = None

    # --- sending

    def _begin(self, now_us):
        """Begin a transmission if one is due and permitted."""
        self._schedule(now_us)
        if self.wake_us is None or now_us < self.wake_us:
            return None
        try:
            request = self._request(now_us) if self._join.identity else self._data(now_us)
        except OSError:  # nothing is sent that could not be stored first
            self.store_faults += 1
            self._not_before = self.wake_us = now_us + _STORE_RETRY_US
            return None
        if request:
            self.wake_us = self._exchange.wake_us
        return request

    def _request(self, now_us):
        """A Join-Request."""
        join = self._join
        if join.exhausted():
            join.stop()
            self.wake_us = None
            self._tell((OVER, "DevNonce"))
            return None
        rate = join.rate()
        start = join.free_at(now_us)
        if start > now_us:
            self.wake_us = start
            return None
        index = self._choose(now_us, rate, REQUEST_BYTES, join.channels)
        if index < 0:
            return None
        freq, down_hz = join.channels.freq[index], join.channels.down[index]
        join.write(self._buf, now_us)
        self._joining = True
        channel = (freq, rate, self._region.eirp_dbm(0))
        return self._transmit(now_us, REQUEST_BYTES, channel, join.windows(down_hz, rate))

    def _data(self, now_us):
        if self._frame is None and not self._compose():
            return None
        session, frame = self.session, self._frame
        index = self._choose(now_us, frame.rate, frame.size, session.channels)
        if index < 0:
            return None
        frame.left -= 1
        frame.made += 1
        channels, delay_s = session.channels, session.rx1_delay_s
        region = session.region
        rx1_rate = region.rx1_rate(frame.rate, session.rx1_offset)
        rx1 = (delay_s, channels.down[index], rx1_rate)
        rx2 = (delay_s + 1, session.rx2_hz, session.rx2_rate)
        self._joining = False
        channel = (channels.freq[index], frame.rate, region.eirp_dbm(session.power))
        return self._transmit(now_us, frame.size, channel, (rx1, rx2))

    def _compose(self):
        """Build the next frame; False if there is none after all."""
        session = self.session
        if session.fcnt_up > _U32 - RESERVE:
            self._uplink = self.session = self.wake_us = None
            self._tell((OVER, "counter"))
            return False
        self._keeper.reserve(session)
        settle_rate(session)
        made = compose(self._buf, session, self._uplink, self._wanted)
        if made is None:
            self._uplink = self.wake_us = None
            self._tell((TOO_LONG, room(session)))
            return False
        self._frame, self._wanted = made
        self.pending = False
        return True

    def _choose(self, now_us, rate, size, channels):
        self._rate, self._toa_us = rate, self._region.uplink_us(rate, size)
        index = self._air.choose(now_us, rate, self._toa_us, channels)
        if index < 0:
            self.wake_us = self._air.free_us
        return index

    def _transmit(self, now_us, size, channel, windows):
        self._air.book(channel[0], self._toa_us, now_us)
        return self._exchange.start(now_us, memoryview(self._buf)[:size], channel, windows)

    def _over(self, now_us, heard):
        """The transmission and its windows are over."""
        exchange, frame = self._exchange, self._frame
        end = max(now_us, exchange.rx2_us())
        duty = 0 if self._joining or not self.session else self.session.max_duty
        self._quiet_until = exchange.end_us + self._toa_us * ((1 << duty) - 1)
        if self._joining:
            if self._join.identity:
                self._tell((JOIN_FAILED, self._join.requests))
                self._not_before = end + self._join.pause_us(self._toa_us, self._rng)
        elif frame:
            self._after(frame, heard, now_us)

    def _after(self, frame, heard, now_us):
        waits = frame.whole and self._uplink.confirmed
        if not heard and (frame.left or waits):  # RETRANSMIT_TIMEOUT, 1 to 3 s (4.3.1.3)
            pause = _SECOND + self._rng(16) * 30
            self._not_before = max(now_us, self._exchange.rx2_us() + pause)
        if frame.left and not heard:
            return
        self._frame = None
        if not heard:
            back_off(self.session)
        if frame.whole:
            self._uplink = None
            self._tell((SENT, (heard and self._acked) if waits else None, frame.made))

    # --- received

    def _received(self, data, rssi, snr):
        """A frame from the radio; ValueError if it is not for us."""
        if self._joining:
            self._accept(self._join.answer(data))
        else:
            self._take(Downlink(data, self.session), rssi, snr)

    def _accept(self, join):
        session = sessions.Session(self._region, join.addr, join.nwk_key, join.app_key)
        session.accept(join)
        session.rate = self._rate
        session.rate = payload_rate(session)
        try:
            self._join.done(join)
            self._keeper.save(session, RESERVE)
        except OSError:  # the session is good; only a reset would lose it
            self.store_faults += 1
            self._keeper.reserved = 0
        self.session = session
        self._tell((JOINED, join.addr))

    def _take(self, down, rssi, snr):
        session = self.session
        session.heard(down.fcnt)
        session.ack = down.confirmed
        self.pending = down.pending
        self._acked = down.ack
        self.heard_frames += 1 if down.ack or down.port else 0
        if self._uplink:
            self._uplink.put_off = False
        if down.commands:
            self._obey(down.commands, snr)
        try:
            self._keeper.save(session)
        except OSError:
            self.store_faults += 1
        if down.port and self.is_port(down.port):
            self._tell((DOWNLINK, down.port, down.payload, rssi, snr))
        elif down.port:
            self._refuse("port")

    def _obey(self, data, snr):
        """Carry out MAC commands."""
        from lorawan.commands import Commands  # RAM: they are seldom

        try:
            if not Commands(self._on_answer, self.battery).process(self.session, data, snr):
                self.unknown += 1
        finally:
            if sys.modules.pop("lorawan.commands", None):
                delattr(sys.modules["lorawan"], "commands")

    def is_port(self, port):
        """Whether the application may use a port."""
        return 1 <= port <= _LAST_PORT or (port == _CERTIFICATION_PORT and self.certification)

    def _refuse(self, reason):
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _on_answer(self, number, body):
        if number == LINK_CHECK:
            self._tell((LINK_CHECK_ANS, body[0], body[1]))
        else:
            seconds = int.from_bytes(body[:4], "little")
            self._tell((TIME, seconds, body[4], self._exchange.end_us))

    def _tell(self, event):
        if len(self._events) >= _MAX_EVENTS:
            self._events.pop(0)
            self.lost_events += 1
        self._events.append(event)
