"""One transmission and the two receive windows after it (TS001-1.0.4, 3.3).

A window opens before its nominal time, counted from the end of the transmission. RX2 opens only if
RX1 has brought nothing for this device.
"""

from micropython import const

from lorawan.frames import FRAME_MAX
from lorawan.radio import RX, TX, Request
from lorawan.regions.region import airtime_us, symbol_us

_IDLE = const(0)
_SENDING = const(1)
_WAITING = const(2)
_LISTENING = const(3)
_SECOND = const(1_000_000)
_GUARD_US = const(2_000_000)  # of silence after the latest end; then the radio counts as lost
_SLACK_SYMBOLS = const(2)  # of the preamble that may pass unheard


class RxWindows:
    """radio: `lorawan.radio.Radio`. on_frame(data, rssi, snr) raises ValueError if it refuses a
    frame.

    on_end(now_us, heard): both windows are over. heard: a frame was accepted. missed: number of
    windows that were polled too late. unanswered: how often the radio did not answer.
    """

    def __init__(self, region, radio, on_frame, on_end):
        self._region = region
        self._radio = radio
        self._on_frame = on_frame
        self._on_end = on_end
        self._request = Request()
        self._state = _IDLE
        self._window = 0
        self._windows = None
        self._nominal_us = 0
        self.wake_us = None
        self.end_us = 0  # of the transmission
        self.missed = self.unanswered = 0

    def idle(self):
        return self._state == _IDLE

    def start(self, now_us, data, channel, windows):
        """Begin: returns the request for the radio.

        channel: frequency, data rate, radiated power in dBm. windows: of RX1 and RX2, (delay in s,
        frequency, data rate) each.
        """
        freq, rate, eirp_dbm = channel
        region, request = self._region, self._request
        request.set(TX, freq, region.modulation(rate))
        request.power_dbm = min(self._radio.dbm(eirp_dbm), region.table.POWER_MAX_DBM)
        request.data = data
        self._windows = windows
        self._state = _SENDING
        self.end_us = now_us + region.uplink_us(
            rate, len(data)
        )  # until `tx_done()` tells the real end
        self.wake_us = self.end_us + _GUARD_US
        return request

    def rx2_us(self):
        """Nominal time of RX2: RECEIVE_DELAY2 after the transmission."""
        return self.end_us + self._windows[1][0] * _SECOND

    def poll(self, now_us):
        """A request to listen, or None."""
        if self._state == _IDLE or now_us < self.wake_us:
            return None
        if self._state == _WAITING:
            return self._open(now_us)
        self.unanswered += 1
        if self._state == _SENDING:
            self._finish(now_us, False)
        else:
            self._next_window(now_us)
        return None

    def tx_done(self, end_us):
        if self._state == _SENDING:
            self.end_us = end_us
            self._schedule(0)

    def rx_timeout(self, now_us):
        if self._state == _LISTENING:
            self._next_window(now_us)

    def rx_done(self, now_us, data, rssi, snr):
        """A frame was received. Raises ValueError if it is refused."""
        if self._state != _LISTENING:
            return
        try:
            # 4.1: a frame that is longer than its data rate allows is dropped
            if len(data) - 5 > self._region.table.DOWN_PAYLOAD_MAX[self._windows[self._window][2]]:
                raise ValueError("length")
            self._on_frame(data, rssi, snr)
        except ValueError:
            self._next_window(now_us)
            raise
        self._finish(now_us, True)

    def _schedule(self, window):
        """Listen in this window next."""
        self._window = window
        delay_s, _freq, rate = self._windows[window]
        early, symbols = self._region.window(rate, self._radio.window_error_us(delay_s))
        self._nominal_us = self.end_us + delay_s * _SECOND
        self._request.open_us = self._nominal_us - early
        self._request.symbols = symbols
        self._state = _WAITING
        self.wake_us = self._request.open_us - self._radio.lead_us

    def _open(self, now_us):
        _delay, freq, rate = self._windows[self._window]
        sf, bw_hz = modulation = self._region.modulation(rate)
        tsym = symbol_us(sf, bw_hz)
        if now_us > self._nominal_us + _SLACK_SYMBOLS * tsym:
            self.missed += 1
            self._next_window(now_us)
            return None
        request = self._request.set(RX, freq, modulation)
        request.data = None
        self._state = _LISTENING
        airtime_max_us = airtime_us(sf, bw_hz, FRAME_MAX, False)
        self.wake_us = self._nominal_us + request.symbols * tsym + airtime_max_us + _GUARD_US
        return request

    def _next_window(self, now_us):
        if self._window == 0:
            self._schedule(1)
        else:
            self._finish(now_us, False)

    def _finish(self, now_us, heard):
        self._state = _IDLE
        self.wake_us = None
        self._on_end(now_us, heard)
