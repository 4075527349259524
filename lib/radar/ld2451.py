"""HLK-LD2451, a 24 GHz vehicle radar that looks along the road.

    report  F4 F3 F2 F1 | len u16 | count u8 | alarm u8 | count x target | F8 F7 F6 F5
    target  angle u8 (degrees + 0x80) | distance u8 (m) | direction u8 | speed u8 (km/h) | snr u8

A report of length 0 or 2 has no target. While its lobe is empty, the radar sends such reports or
nothing at all: that depends on its firmware. Source: HLK-LD2451 serial protocol V1.03 (2024-07),
sections 1.3 and 2. It contradicts itself on the direction byte, and in live recordings 1 means
"approaches". So the direction byte is a setting.
"""

from micropython import const

from passage.tracker import Tracker
from radar.frames import REPORT, Frames
from radar.ld24xx import Ld24xx

_SET_DETECTION = const(0x0002)
_SET_SENSITIVITY = const(0x0003)
_GET_DETECTION = const(0x0012)
_GET_SENSITIVITY = const(0x0013)
_HEAD = const(6)
_REPORT_MAX = const(82)  # 16 targets: the maker names no limit, drivers have seen 5
_SENSITIVITY = b"\x01\x04\x00\x00"  # one trigger, SNR level 4 (the maker's default)
_NEAR_M = const(2)  # no vehicle stays here for a minute: a branch, a flag, ice on the cover


class Reports(Frames):
    """Frames of the LD2451. After REPORT it also has `alarm`."""

    FIRST = 0xF4
    alarm = 0

    def following(self):
        """Number of whole reports that follow in the buffer, by their lengths alone."""
        buf, end, size, count = self.buf, self._end, self.size, 0
        pos = self._pos
        while pos + 10 <= end:
            size = buf[pos + 4] + 10 if buf[pos] == 0xF4 else size
            pos += size
            if pos <= end:
                count += 1
        return count

    def _report(self, pos, have):
        """REPORT, 0 (wait for more) or -1 (not a frame)."""
        buf = self.buf
        if have < _HEAD:
            return self._begins(pos, have, b"\xf4\xf3\xf2\xf1")
        if buf[pos + 1] != 0xF3 or buf[pos + 2] != 0xF2 or buf[pos + 3] != 0xF1:
            return -1
        length = buf[pos + 4] | buf[pos + 5] << 8
        if length > _REPORT_MAX:
            self.bad_len += 1
            return -1
        if have < length + 10:
            return 0
        foot = pos + _HEAD + length
        if buf[foot] != 0xF8 or buf[foot + 1] != 0xF7 or buf[foot + 2] != 0xF6:
            self.bad_footer += 1
            return -1
        count = buf[pos + 6] if length else 0
        if buf[foot + 3] != 0xF5 or (length and length != 2 + 5 * count):
            self.bad_len += 1
            return -1
        self.count = count
        self.alarm = buf[pos + 7] if length else 0
        self.at = pos + 8
        self._pos = foot + 4
        self.size = length + 10
        return REPORT


class LD2451(Ld24xx):
    """The UART runs at 115200 baud.

    settings: radar_line_m, radar_max_m, radar_min_kmh, radar_dir_approach, radar_mount_deg,
    class_ped_max_kmh, class_bike_max_kmh, class_car_echo.
    """

    def __init__(self, uart, settings):
        tracker = Tracker(
            settings["radar_line_m"], settings["radar_mount_deg"],
            settings["class_ped_max_kmh"], settings["class_bike_max_kmh"],
            car_echo=settings["class_car_echo"],
        )  # fmt: skip
        super().__init__(uart, Reports(), tracker)
        self.sight = tracker.sight
        self._approach = settings["radar_dir_approach"]
        self._detection = bytes(
            (settings["radar_max_m"], 2, settings["radar_min_kmh"], 0)  # 2 = both directions
        )

    def stats(self):
        stats = super().stats()
        stats["direction_contradicts"] = 1 if self._tracker.contradicts() else 0
        return stats

    def _settings(self):
        return (
            (_GET_DETECTION, _SET_DETECTION, self._detection, None),
            (_GET_SENSITIVITY, _SET_SENSITIVITY, _SENSITIVITY, None),
        )

    def _report(self, now_ms):
        frames, tracker = self._frames, self._tracker
        buf = frames.buf
        at = frames.at
        is_near = False
        for _ in range(frames.count):
            away = 0 if buf[at + 2] == self._approach else 1
            metres = buf[at + 1]
            is_near |= metres <= _NEAR_M
            tracker.detect(metres, away, buf[at + 3], buf[at] - 0x80, now_ms, snr=buf[at + 4])
            at += 5
        if not is_near:
            self._clear_ms = now_ms
