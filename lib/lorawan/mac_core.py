"""The inside of the MAC: the choice of the next frame, and the result of its receive windows.

`lorawan.mac` adds the calls of the application.
"""

import sys

from micropython import const

from lorawan.frames import FRAME_MAX, Downlink
from lorawan.joining import REQUEST_BYTES, Joining
from lorawan.mac_answers import LINK_CHECK
from lorawan.persistence import RESERVE, Persistence
from lorawan.regions.limits import DutyCycle
from lorawan.rx_windows import RxWindows
from lorawan.session import Session
from lorawan.uplink import back_off, compose, max_payload, payload_rate, settle_rate

JOINED, JOIN_FAILED, SENT, TOO_LONG, DOWNLINK = "joined", "join_failed", "sent", "long", "down"
LINK_CHECK_ANS, TIME, OVER = "link_check", "time", "over"
_APP_PORT_MAX = const(223)
_CERTIFICATION_PORT = const(224)

_SECOND = const(1_000_000)
_EVENTS_MAX = const(8)
_STORE_RETRY_US = const(60_000_000)
_U32 = const(0xFFFFFFFF)


class MacCore:
    """Arguments: as for `lorawan.mac.Mac`, the subclass for the application."""

    def __init__(self, region, store, rng, now_us, radio):
        if radio.window_error_us(16) > region.max_error_us():
            raise ValueError("error_us: no window is long enough for it")
        self._region = region
        self._rng = rng
        self._join = Joining(region, store, now_us)
        self._persistence = Persistence(region, store)
        self._duty_cycle = DutyCycle(region, store, rng, now_us)
        self._rx_windows = RxWindows(region, radio, self._received, self._windows_done)
        self._buf = bytearray(FRAME_MAX)
        self._events = []
        self.session = None
        self.certification = False  # port 224 is open
        self.wake_us = None  # when `poll()` is to be called; None = after the next event
        self.pending = False  # the network has more to send (FPending)
        self.rx_app_count = 0  # acknowledgements and frames with a port of the application
        self.battery = 255  # for DevStatusAns: 0 = mains, 1 to 254, 255 = not known
        self.unknown = 0  # frames with an unknown command
        self.refused = {}  # received frames that were dropped, by reason
        self.store_faults = 0
        self.lost_events = 0
        self._joining = False  # the frame on air is a Join-Request
        self._uplink = None
        self._frame = None
        self._acked = False
        self._requests = b""
        self._earliest_us = 0
        self._off_until_us = 0  # by DutyCycleReq
        self._rate = self._toa_us = 0  # of the transmission

    def poll(self, now_us):
        """The next request to the radio, a `lorawan.radio.Request`, or None."""
        if self._rx_windows.idle():
            return self._start(now_us)
        request = self._rx_windows.poll(now_us)
        self._schedule(now_us)
        return request

    def tx_done(self, end_us):
        """The transmission ended at `end_us`."""
        self._rx_windows.tx_done(end_us)
        self._schedule(end_us)

    def rx_timeout(self, now_us):
        """The radio found no preamble in the window."""
        self._rx_windows.rx_timeout(now_us)
        self._schedule(now_us)

    def rx_done(self, now_us, data, rssi, snr):
        """The radio received a frame. data: bytes. rssi: dBm. snr: dB, a whole number."""
        try:
            self._rx_windows.rx_done(now_us, data, rssi, snr)
        except ValueError as error:
            self._refuse(error.args[0])
        self._schedule(now_us)

    def _schedule(self, now_us):
        if not self._rx_windows.idle():
            self.wake_us = self._rx_windows.wake_us
        elif self._join.identity or self._uplink:
            self.wake_us = max(self._earliest_us, self._off_until_us, now_us)
        else:
            self.wake_us = None

    # --- sending

    def _start(self, now_us):
        """Begin a transmission if one is due and permitted."""
        self._schedule(now_us)
        if self.wake_us is None or now_us < self.wake_us:
            return None
        try:
            joining = self._join.identity
            request = self._join_request(now_us) if joining else self._data_frame(now_us)
        except OSError:  # without its counters in the store a frame is not sent
            self.store_faults += 1
            self._earliest_us = self.wake_us = now_us + _STORE_RETRY_US
            return None
        if request:
            self.wake_us = self._rx_windows.wake_us
        return request

    def _join_request(self, now_us):
        join = self._join
        if join.exhausted():
            join.stop()
            self.wake_us = None
            self._add_event((OVER, "DevNonce"))
            return None
        rate = join.rate()
        start = join.free_at(now_us)
        if start > now_us:
            self.wake_us = start
            return None
        index = self._choose_channel(now_us, rate, REQUEST_BYTES, join.channels)
        if index < 0:
            return None
        freq, down_hz = join.channels.freq[index], join.channels.down[index]
        join.build_request(self._buf, now_us)
        self._joining = True
        channel = (freq, rate, self._region.eirp_dbm(0))
        return self._transmit(now_us, REQUEST_BYTES, channel, join.windows(down_hz, rate))

    def _data_frame(self, now_us):
        if self._frame is None and not self._compose():
            return None
        session, frame = self.session, self._frame
        index = self._choose_channel(now_us, frame.rate, frame.size, session.channels)
        if index < 0:
            return None
        frame.remaining -= 1
        frame.transmissions += 1
        channels, delay_s = session.channels, session.rx1_delay_s
        region = session.region
        rx1_rate = region.rx1_rate(frame.rate, session.rx1_offset)
        rx1 = (delay_s, channels.down[index], rx1_rate)
        rx2 = (delay_s + 1, session.rx2_hz, session.rx2_rate)
        self._joining = False
        channel = (channels.freq[index], frame.rate, region.eirp_dbm(session.power))
        return self._transmit(now_us, frame.size, channel, (rx1, rx2))

    def _compose(self):
        """Build the next frame. Returns False if there is none after all."""
        session = self.session
        if session.fcnt_up > _U32 - RESERVE:
            self._uplink = self.session = self.wake_us = None
            self._add_event((OVER, "counter"))
            return False
        self._persistence.reserve(session)
        settle_rate(session)
        transmissions = compose(self._buf, session, self._uplink, self._requests)
        if transmissions is None:
            self._uplink = self.wake_us = None
            self._add_event((TOO_LONG, max_payload(session)))
            return False
        self._frame, self._requests = transmissions
        self.pending = False
        return True

    def _choose_channel(self, now_us, rate, size, channels):
        self._rate, self._toa_us = rate, self._region.uplink_us(rate, size)
        index = self._duty_cycle.choose(now_us, rate, self._toa_us, channels)
        if index < 0:
            self.wake_us = self._duty_cycle.free_us
        return index

    def _transmit(self, now_us, size, channel, windows):
        self._duty_cycle.add(channel[0], self._toa_us, now_us)
        return self._rx_windows.start(now_us, memoryview(self._buf)[:size], channel, windows)

    def _windows_done(self, now_us, heard):
        """The transmission and its windows are over."""
        rx_windows, frame = self._rx_windows, self._frame
        end = max(now_us, rx_windows.rx2_us())
        duty = 0 if self._joining or not self.session else self.session.max_duty
        self._off_until_us = rx_windows.end_us + self._toa_us * ((1 << duty) - 1)
        if self._joining:
            if self._join.identity:
                self._add_event((JOIN_FAILED, self._join.requests))
                self._earliest_us = end + self._join.pause_us(self._toa_us, self._rng)
        elif frame:
            self._finish_frame(frame, heard, now_us)

    def _finish_frame(self, frame, heard, now_us):
        waits = frame.has_payload and self._uplink.confirmed
        if not heard and (frame.remaining or waits):  # RETRANSMIT_TIMEOUT, 1 to 3 s (4.3.1.3)
            pause = _SECOND + self._rng(16) * 30
            self._earliest_us = max(now_us, self._rx_windows.rx2_us() + pause)
        if frame.remaining and not heard:
            return
        self._frame = None
        if not heard:
            back_off(self.session)
        if frame.has_payload:
            self._uplink = None
            acknowledged = (heard and self._acked) if waits else None
            self._add_event((SENT, acknowledged, frame.transmissions))

    # --- received

    def _received(self, data, rssi, snr):
        """A frame from the radio. Raises ValueError if it is not for this device."""
        if self._joining:
            self._accept_join(self._join.check_accept(data))
        else:
            self._accept_downlink(Downlink(data, self.session), rssi, snr)

    def _accept_join(self, join):
        session = Session(self._region, join.addr, join.nwk_key, join.app_key)
        session.apply_join(join)
        session.rate = self._rate
        session.rate = payload_rate(session)
        try:
            self._join.accepted(join)
            self._persistence.save(session, RESERVE)
        except OSError:  # the session is valid, only a reset would lose it
            self.store_faults += 1
            self._persistence.reserved = 0
        self.session = session
        self._add_event((JOINED, join.addr))

    def _accept_downlink(self, down, rssi, snr):
        session = self.session
        session.downlink_received(down.fcnt)
        session.ack = down.confirmed
        self.pending = down.pending
        self._acked = down.ack
        self.rx_app_count += 1 if down.ack or down.port else 0
        if self._uplink:
            self._uplink.is_deferred = False
        if down.commands:
            self._run_commands(down.commands, snr)
        try:
            self._persistence.save(session)
        except OSError:
            self.store_faults += 1
        if down.port and self.is_port(down.port):
            self._add_event((DOWNLINK, down.port, down.payload, rssi, snr))
        elif down.port:
            self._refuse("port")

    def _run_commands(self, data, snr):
        """Carry out MAC commands."""
        from lorawan.commands import Commands  # RAM: such frames are rare

        try:
            if not Commands(self._on_answer, self.battery).process(self.session, data, snr):
                self.unknown += 1
        finally:
            if sys.modules.pop("lorawan.commands", None):
                delattr(sys.modules["lorawan"], "commands")

    def is_port(self, port):
        """True if the application may use a port."""
        return 1 <= port <= _APP_PORT_MAX or (port == _CERTIFICATION_PORT and self.certification)

    def _refuse(self, reason):
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _on_answer(self, number, body):
        if number == LINK_CHECK:
            self._add_event((LINK_CHECK_ANS, body[0], body[1]))
        else:
            seconds = int.from_bytes(body[:4], "little")
            self._add_event((TIME, seconds, body[4], self._rx_windows.end_us))

    def _add_event(self, event):
        if len(self._events) >= _EVENTS_MAX:
            self._events.pop(0)
            self.lost_events += 1
        self._events.append(event)
