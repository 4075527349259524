"""The last report of a radar, as a list of dicts. A technician aims the radar with it.

`note` is meant as the `watch` of a driver. It is called with every report and allocates nothing.
`pop_targets` returns the targets of the last report once, then none until the next report. A
target has `m` metres, `deg` degrees off the axis, `kmh`, `snr` or `mag` strength in the radar's
own scale, and `near` (true = approaches). It has only the keys that the radar knows.
"""

import math

_LIST_BYTES_MAX = 82  # longest list of targets, see ld2451.py


class View:
    """Base of the views: each has its own `note` and `_targets`."""

    def __init__(self):
        self.fresh = False  # True if a report was noted and not popped

    def pop_targets(self):
        if not self.fresh:
            return []
        self.fresh = False
        return self._targets()


class ListView(View):
    """View of a radar with a list of targets. Has `_SIZE`, bytes of a target, and `_target`."""

    def __init__(self):
        super().__init__()
        self._raw = bytearray(_LIST_BYTES_MAX)
        self._count = 0

    def note(self, frames):
        """frames: a `Frames` after REPORT."""
        buf, at = frames.buf, frames.at
        raw, size = self._raw, self._SIZE
        self._count = count = min(frames.count, _LIST_BYTES_MAX // size)
        for i in range(count * size):
            raw[i] = buf[at + i]
        self.fresh = True

    def _targets(self):
        size = self._SIZE
        found = [self._target(i * size) for i in range(self._count)]
        return [target for target in found if target]


class LD2451View(ListView):
    """approach: the direction byte of an approaching target."""

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


class LD2450View(ListView):
    """The LD2450 does not report the strength of an echo."""

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


class OPS243View(View):
    """One target: a speed and its magnitude."""

    def __init__(self):
        super().__init__()
        self._speed = self._magnitude = 0

    def note(self, lines):
        """lines: a `Lines` after REPORT with two values, in hundredths."""
        self._magnitude, self._speed = lines.first, lines.last
        self.fresh = True

    def _targets(self):
        speed = self._speed
        return [{"kmh": abs(speed) / 100, "mag": self._magnitude // 100, "near": speed > 0}]


class DopplerView(View):
    """A Doppler module with a comparator gives a speed and nothing else."""

    def __init__(self):
        super().__init__()
        self._speed = 0

    def note(self, speed):
        """speed: in 0.1 km/h."""
        self._speed = speed
        self.fresh = True

    def _targets(self):
        return [{"kmh": self._speed / 10}]
