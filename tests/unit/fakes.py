"""Stand-ins for what a board hands in."""

import io


class FakeUart(io.IOBase):
    """A UART whose other end is `answer(bytes) -> bytes`; `inject()` puts bytes on the line."""

    def __init__(self, answer=None):
        self._answer = answer
        self._rx = b""
        self.written = []

    def inject(self, data):
        self._rx += data

    def write(self, data):
        self.written.append(bytes(data))
        if self._answer:
            self._rx += self._answer(bytes(data))
        return len(data)

    def readinto(self, buf):
        n = min(len(buf), len(self._rx))
        buf[:n] = self._rx[:n]
        self._rx = self._rx[n:]
        return n

    def ioctl(self, op, flags):
        return (1 if self._rx else 0) & flags if op == 3 else 0


class FakePin:
    IRQ_FALLING = 1
    IRQ_RISING = 2

    def __init__(self, level=1):
        self.level = level
        self.handler = None

    def value(self):
        return self.level

    def irq(self, handler=None, trigger=0):
        self.handler = handler

    def set(self, level):
        self.level = level
        self.handler(self)


def radar_settings(**changes):
    settings = {
        "radar_line_m": 8, "radar_max_m": 60, "radar_min_kmh": 2, "radar_dir_approach": 1,
        "radar_mount_deg": 0, "class_ped_max_kmh": 8, "class_bike_max_kmh": 28,
    }  # fmt: skip
    settings.update(changes)
    return settings


def beam_settings(**changes):
    settings = {
        "beam_gap_mm": 300, "beam_blocked_level": 0, "beam_debounce_ms": 5, "beam_merge_ms": 120,
        "class_ped_max_kmh": 8,
    }  # fmt: skip
    settings.update(changes)
    return settings
