"""What a radar reports, for whoever turns it: the last report as a list of dicts.

`note` is a driver's `watch`: called with every report, it allocates nothing. `take` gives the
targets of the report noted last, and none when it has given them. A target: `m` metres, `deg`
degrees off the axis, `kmh`, `snr` or `mag` strength in the radar's own scale, `near` whether it
comes nearer; only what the radar knows.
"""

import math

_MOST = 82  # bytes of the longest list of targets, see ld2451.py


class _View:
    _SIZE = 0  # bytes of a target

    def __init__(self):
        self._raw = bytearray(_MOST)
        self._count = 0
        self.fresh = False

    def note(self, frames):
        """frames: a `Frames` after REPORT."""
        buf, at = frames.buf, frames.at
        raw, size = self._raw, self._SIZE
        self._count = count = min(frames.count, _MOST // size)
        for i in range(count * size):
            raw[i] = buf[at + i]
        self.fresh = True

    def take(self):
        if not self.fresh:
            return []
        self.fresh = False
        size = self._SIZE
        found = [self._target(i * size) for i in range(self._count)]
        return [target for target in found if target]


class Along(_View):
    """The HLK-LD2451. approach: the direction byte of what comes nearer."""

    _SIZE = 5

    def __init__(self, approach):
        super().__init__()
        self._approach = approach

    def _target(self, at):
        raw = self._raw
        return {
            "deg": raw[at] - 0x80, "m": raw[at + 1], "near": raw[at + 2] == self._approach,
            "kmh": raw[at + 3], "snr": raw[at + 4],
        }  # fmt: skip


class Across(_View):
    """The HLK-LD2450; it does not say how strong an echo is."""

    _SIZE = 8

    def _target(self, at):
        x, y, speed = (self._signed(at + i) for i in (0, 2, 4))
        if not x and not y:
            return None
        return {
            "m": round(math.sqrt(x * x + y * y) / 1000, 1),
            "deg": round(math.degrees(math.atan2(x, y))), "kmh": round(abs(speed) * 0.036, 1),
        }  # fmt: skip

    def _signed(self, at):
        raw = self._raw
        size = raw[at] | (raw[at + 1] & 0x7F) << 8
        return size if raw[at + 1] & 0x80 else -size


class Speeds(_View):
    """The OPS243-A: a speed and its magnitude."""

    def __init__(self):
        super().__init__()
        self._speed = self._magnitude = 0

    def note(self, lines):
        """lines: a `Lines` after REPORT with two values, in hundredths."""
        self._magnitude, self._speed = lines.first, lines.last
        self.fresh = True

    def take(self):
        if not self.fresh:
            return []
        self.fresh = False
        speed = self._speed
        return [{"kmh": abs(speed) / 100, "mag": self._magnitude // 100, "near": speed > 0}]


class Bare(_View):
    """A Doppler module with a comparator: a speed, and nothing else."""

    def __init__(self):
        super().__init__()
        self._speed = 0

    def note(self, speed):
        """speed: in 0.1 km/h."""
        self._speed = speed
        self.fresh = True

    def take(self):
        if not self.fresh:
            return []
        self.fresh = False
        return [{"kmh": self._speed / 10}]
