"""HLK-LD2450, a 24 GHz radar for a path, pavement or gate: looks across, sees three at once.

    report  AA FF 03 00 | 3 x target | 55 CC
    target  x i16 (mm) | y i16 (mm) | speed i16 (cm/s) | resolution u16 (mm)

Little endian, sign and magnitude: bit 15 set = positive. An empty slot is 8 zero bytes. A stale
slot keeps its place and has speed 0. Ten reports come a second, empty ones too. Positive x is to
the right, seen from the radar. The radial speed of a target abeam is too small, so speeds come
from the movement along x. Sources: HLK-LD2450 serial protocol V1.03 (2023-10), section 2. The
sign of x and the stale slots come from reports of open drivers.
"""

from micropython import const

from passage.planar_tracker import PlanarTracker
from radar.frames import REPORT, Frames
from radar.ld24xx import Ld24xx

_BYTES = const(30)
_TARGETS = const(3)
_NEAR_MM = const(500)  # a road user here hides all others
_STALE_MIN = const(10)  # reports in which a slot without speed does not move
_MULTI = const(0x0090)
_GET_MODE = const(0x0091)
_MODE_MULTI = b"\x02\x00"


class Reports(Frames):
    """Frames of the LD2450. `count` is 3, or 0 if all slots are empty."""

    FIRST = 0xAA

    def following(self):
        """Number of whole reports that follow in the buffer."""
        return self.rest() // _BYTES

    def _report(self, pos, have):
        """REPORT, 0 (wait for more) or -1 (not a frame)."""
        buf = self.buf
        if have < 4:
            return self._begins(pos, have, b"\xaa\xff\x03\x00")
        if buf[pos + 1] != 0xFF or buf[pos + 2] != 3 or buf[pos + 3] != 0:
            return -1
        if have < _BYTES:
            return 0
        if buf[pos + 28] != 0x55 or buf[pos + 29] != 0xCC:
            self.bad_footer += 1
            return -1
        self.at = pos + 4
        self.count = 0
        for i in range(pos + 4, pos + 28):
            if buf[i]:
                self.count = _TARGETS
                break
        self._pos = pos + _BYTES
        self.size = _BYTES
        return REPORT


class LD2450(Ld24xx):
    """The UART runs at 256000 baud.

    settings: ld2450_flip (1 = forward is from the radar's right to its left), ld2450_max_mm,
    class_ped_max_kmh, class_bike_max_kmh.
    """

    def __init__(self, uart, settings):
        tracker = PlanarTracker(settings["class_ped_max_kmh"], settings["class_bike_max_kmh"])
        super().__init__(uart, Reports(), tracker)
        self._flip = settings["ld2450_flip"]
        self._y_max = settings["ld2450_max_mm"]
        self._last = [0] * _TARGETS  # x and y of a slot without speed
        self._still = bytearray(_TARGETS)  # number of reports since then
        self._stale = 0

    def stats(self):
        stats = super().stats()
        stats["stale_slots"] = self._stale
        return stats

    def _settings(self):
        return ((_GET_MODE, _MULTI, _MODE_MULTI, b""),)

    def _report(self, now_ms):
        buf, at = self._frames.buf, self._frames.at
        is_near = False
        for slot in range(_TARGETS):
            x = buf[at] | buf[at + 1] << 8
            y = buf[at + 2] | buf[at + 3] << 8
            speed = buf[at + 4] | buf[at + 5] & 0x7F  # zero has either sign
            if (x or y) and not self._is_stale(slot, x << 15 ^ y, speed):
                x = x & 0x7FFF if x & 0x8000 else -x
                y = y & 0x7FFF if y & 0x8000 else -y
                is_near |= 0 <= y <= _NEAR_MM
                if 0 <= y <= self._y_max:
                    self._tracker.detect(-x if self._flip else x, y, now_ms)
            at += 8
        if not is_near:
            self._clear_ms = now_ms

    def _is_stale(self, slot, place, speed):
        """True if a slot had no speed and the same place for ten reports: its target is gone."""
        if speed or place != self._last[slot]:
            self._last[slot] = place
            self._still[slot] = 0
            return False
        if self._still[slot] < _STALE_MIN:
            self._still[slot] += 1
            self._stale += self._still[slot] == _STALE_MIN
            return False
        return True
