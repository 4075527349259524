"""Packages of the LoRa Alliance, by which an application server talks to the device.

Clock synchronisation, TS003-2.0.0, port 202, package 1; for a network without DeviceTimeAns:

    00 PackageVersionReq -> 00 01 02
    01 AppTimeReq (up): device time u32 (GPS seconds), 10 = answer wanted | token 0..15
       AppTimeAns (down): correction i32 (s), token
    02 DeviceAppTimePeriodicityReq: n, every 128 * 2^n s -> 02 00, device time u32
    03 ForceDeviceResyncReq: number of requests, 0..7

Certification, TS009-1.0.0, port 224, package 6; only for a device that is switched to it:

    00 PackageVersionReq -> 00 06 01    06 TxPeriodicityChangeReq index
    01 DutResetReq                      07 TxFramesCtrlReq 0 = as before, 1 = unconfirmed, 2
    02 DutJoinReq                       08 EchoPayloadReq -> 08, every byte plus one
    03 SwitchClassReq 0 = A             09 RxAppCntReq -> 09, u16
    04 AdrBitChangeReq 0, 1             0a RxAppCntResetReq
    05 RegionalDutyCycleCtrlReq 0, 1    20 LinkCheckReq     21 DeviceTimeReq
    7e DutFPort224DisableReq            7f DutVersionsReq -> 7f, three times four bytes

Left out: messages of classes B and C, of fragments and relays, and TxCwReq (7d). An unknown
message, or one of a wrong length, is dropped and counted. Numbers are little endian. The module is
loaded at its first use.
"""

import struct

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from micropython import const

_SECOND = const(1_000_000)
_U32 = const(0xFFFFFFFF)
_RESYNC_S = const(40)  # between the requests of one ForceDeviceResyncReq
_WANTS_ANSWER = const(0x10)
_PERIODS_S = (0, 5, 10, 20, 30, 40, 50, 60, 120, 240, 480)
_RELEASES = b"\1\0\4\0\2\1\0\4"  # LoRaWAN 1.0.4, RP002-1.0.4
_LENGTHS = {
    0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 2, 6: 2, 9: 1, 10: 1, 0x20: 1, 0x21: 1, 0x7E: 1, 0x7F: 1,
}  # fmt: skip


class Clock:
    """TS003. refused: number of messages, or parts of them, that were dropped.

    due_us: when to ask again; None = on request only.
    """

    def __init__(self):
        self.refused = 0
        self.due_us = None
        self._token = 0
        self._ahead_s = 0  # GPS seconds at the zero of the device's clock
        self._built_us = self._sent_us = None  # of the request without an answer
        self._period_s = 0
        self._remaining = 0  # requests of a resync

    def device_s(self, now_us):
        return (now_us // _SECOND + self._ahead_s) & _U32

    def next_message(self, now_us):
        """An AppTimeReq, to be handed over for transmission now."""
        self._built_us, self._sent_us = now_us, None
        return struct.pack("<BIB", 1, self.device_s(now_us), _WANTS_ANSWER | self._token)

    def tx_done(self, end_us):
        """A frame has ended. The first one after `next_message()` is the request."""
        if self._built_us is not None and self._sent_us is None:
            self._sent_us = end_us

    def handle(self, data, now_us):
        """Process a message. Returns (answer, may be empty; GPS seconds of now or None)."""
        answer, gps_s, at = b"", None, 0
        while at < len(data):
            number, size = data[at], (1, 6, 2, 2)[data[at]] if data[at] < 4 else 0
            body = data[at + 1 : at + size]
            if not size or len(body) != size - 1:
                self.refused += 1
                break
            at += size
            if number == 0:
                answer += b"\0\1\2"
            elif number == 1:
                gps_s = self._apply_correction(body, now_us) or gps_s
            elif number == 2:
                self._period_s = 128 << (body[0] & 15)
                self.due_us = now_us + self._period_s * _SECOND
                answer += struct.pack("<BBI", 2, 0, self.device_s(now_us))
            elif body[0] & 7:
                self._remaining = body[0] & 7
                self.due_us = now_us
        return answer, gps_s

    def _apply_correction(self, body, now_us):
        correction, token = struct.unpack("<iB", body)
        if self._sent_us is None or token & 15 != self._token:
            self.refused += 1
            return None
        # The correction includes the time that the request waited for its transmission.
        waited_s = (self._sent_us - self._built_us + _SECOND // 2) // _SECOND
        self._ahead_s += correction - waited_s
        self._built_us = self._sent_us = None
        self._token = (self._token + 1) & 15
        self._remaining = 0
        return self.device_s(now_us)

    def poll(self, now_us):
        """True if a request is due. Then the next one is scheduled."""
        if self.due_us is None or now_us < self.due_us:
            return False
        self._remaining = max(0, self._remaining - 1)
        wait_s = _RESYNC_S if self._remaining else self._period_s
        self.due_us = now_us + wait_s * _SECOND if wait_s else None
        return True


class Certification:
    """TS009. mac: `lorawan.mac.Mac`. version: of the firmware, 4 bytes.

    rejoin(): join again. reset(shut): restart. shut: accept no certification messages after it.
    """

    def __init__(self, mac, version, rejoin, reset):
        self._mac = mac
        self._version = version
        self._rejoin = rejoin
        self._reset = reset
        self.refused = 0
        self.confirmed = False  # of the frames of this package
        self.due_us = None
        self._period_s = 0

    def handle(self, data, now_us):
        """Process a message. Returns the answer; b"" = send an empty frame, None = send none."""
        number = data[0] if data else 0xFF
        if number == 8:
            size_max = self._mac.max_payload()
            return b"\x08" + bytes([(byte + 1) & 0xFF for byte in data[1:size_max]])
        if number == 7 and len(data) > 1:
            if data[1] in (1, 2):
                self.confirmed = data[1] == 2
            return None
        if len(data) != _LENGTHS.get(number):
            self.refused += 1
            return None
        if number in (3, 4, 5, 6):
            self._set(number, data[1], now_us)
            return None
        return self._simple(number)

    def _set(self, number, value, now_us):
        mac = self._mac
        if number == 4 and value < 2:
            mac.set_adr(bool(value))
        elif number == 5 and value < 2:
            mac.set_duty_cycle(bool(value))
        elif number == 6 and value < len(_PERIODS_S):
            self._period_s = _PERIODS_S[value]
            self.due_us = now_us + self._period_s * _SECOND if self._period_s else None
        elif number != 3 or value:
            self.refused += 1

    def _simple(self, number):
        mac = self._mac
        if number == 0:
            return b"\0\6\1"
        if number == 9:
            return b"\x09" + struct.pack("<H", mac.rx_app_count & 0xFFFF)
        if number == 0x7F:
            return b"\x7f" + self._version + _RELEASES
        if number in (0x20, 0x21):
            mac.queue_request(LINK_CHECK if number == 0x20 else DEVICE_TIME)
            return b""
        if number == 10:
            mac.rx_app_count = 0
        elif number == 2:
            self._rejoin()
        elif number == 1:
            self._reset(False)
        else:
            mac.certification = False
            self._reset(True)
        return None

    def poll(self, now_us):
        """True if a frame of TxPeriodicityChangeReq is due. Then the next one is scheduled."""
        if self.due_us is None or now_us < self.due_us:
            return False
        self.due_us = now_us + self._period_s * _SECOND
        return True

    def next_message(self, _now_us):
        """The payload of that frame: RxAppCntAns."""
        return self._simple(9)
