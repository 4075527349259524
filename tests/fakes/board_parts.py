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

    def any(self):
        return len(self._rx)

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
        return (1 if self._rx else 0) & flags if op == 3 else -22


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
        "class_car_echo": 0,
    }  # fmt: skip
    settings.update(changes)
    return settings


def beam_settings(**changes):
    settings = {
        "beam_gap_mm": 300, "beam_blocked_level": 0, "beam_debounce_ms": 5, "beam_merge_ms": 120,
        "class_ped_max_kmh": 8, "class_bike_min_mm": 1000, "class_car_min_mm": 3000,
        "class_heavy_min_mm": 7000,
    }  # fmt: skip
    settings.update(changes)
    return settings


class FakeNvs:
    """A namespace of NVS: what is set is lost unless `commit()` follows.."""

    def __init__(self, **blobs):
        self.kept = dict(blobs)
        self._set = {}
        self.commits = 0

    def get_blob(self, key, buf):
        blob = self._set.get(key, self.kept.get(key))
        if blob is None or len(blob) > len(buf):
            raise OSError("ESP_ERR_NVS")
        buf[: len(blob)] = blob
        return len(blob)

    def set_blob(self, key, value):
        self._set[key] = bytes(value)

    def commit(self):
        self.kept.update(self._set)
        self._set = {}
        self.commits += 1


class FakeLog:
    """Keeps every line as (level, text)."""

    def __init__(self):
        self.lines = []

    def _add(self, level, text, args):
        self.lines.append((level, text % args if args else text))

    def debug(self, text, *args):
        self._add("debug", text, args)

    def info(self, text, *args):
        self._add("info", text, args)

    def warn(self, text, *args):
        self._add("warn", text, args)

    def error(self, text, *args):
        self._add("error", text, args)

    def tail(self):
        return [text for _level, text in self.lines]


class FakeClock:
    """UTC and uptime that a test moves; `seconds()` is handed in as `uptime_s`."""

    def __init__(self, utc=0, source=2):
        self.source = source if utc else 0
        self._utc = utc
        self.uptime = 0

    def seconds(self):
        return self.uptime

    def utc(self):
        return self._utc if self.source else 0

    def age_s(self):
        return 0 if self.source else 0xFFFF

    def set(self, utc, source=2):
        """Set the clock; return what stood there before, as `on_step` gets it."""
        old, self._utc, self.source = self.utc(), utc, source
        return old

    def go(self, seconds):
        self.uptime += seconds
        self._utc += seconds


class FakeRtc:
    """Memory that outlives a reset."""

    def __init__(self):
        self.data = b""

    def read(self):
        return self.data

    def write(self, buf):
        self.data = bytes(buf)
