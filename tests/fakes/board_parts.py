"""Stand-ins for the parts that a board hands in, and for the board itself."""

import io
import random
import struct
from binascii import crc32

from nor import Nor


class FakeUart(io.IOBase):
    """A UART with `answer(bytes) -> bytes` at its other end. `inject()` puts bytes on the line."""

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
    """A namespace of NVS: a value is lost unless `commit()` follows."""

    def __init__(self, **blobs):
        self.kept = dict(blobs)
        self._set = {}
        self.commits = 0

    def get_i32(self, key):
        if key not in self.kept:
            raise OSError("ESP_ERR_NVS")
        return self.kept[key]

    def set_i32(self, key, value):
        self._set[key] = value

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
        """Set the clock; return the time before, as `on_step` gets it."""
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


class FakeProgress:
    """Keeps the first reports of a task: "made" and "idle"."""

    def __init__(self):
        self.reports = []

    def made(self):
        self._note("made")

    def idle(self):
        self._note("idle")

    def _note(self, report):
        if len(self.reports) < 500:
            self.reports.append(report)


class FakeWatchdog:
    def __init__(self):
        self.feeds = 0

    def feed(self):
        self.feeds += 1


class FakeWlan:
    """A Wi-Fi that is always there, or never."""

    def __init__(self, joined=False):
        self.joined = joined

    def active(self, _on):
        pass

    def connect(self, _ssid, _key):
        pass

    def disconnect(self):
        pass

    def isconnected(self):
        return self.joined

    def ifconfig(self):
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1")

    def status(self, _what=None):
        return -61


def sealed(**blobs):
    """The NVS of a provisioned node: `blobs`, bytes, beside the node id n1, and the seal."""
    blobs["id"], crc = b"n1", 0
    for key in ("id", "wifi_ssid", "lora_dev_eui", "lora_join_eui", "lora_app_key"):
        if key in blobs:
            crc = crc32(key.encode() + struct.pack("<BH", 0, len(blobs[key])), crc)
            crc = crc32(blobs[key], crc)
    return FakeNvs(seal=struct.pack("<I", crc), **blobs)


class FakeBoard:
    """A board with light barriers. Its reset ends the program, as on the chip: SystemExit.

    nvs: its namespace `tallypost`. device: None, or the LoRaWAN device that it has.
    """

    NAME = "esp32_generic"

    def __init__(self, nvs, device=None):
        self._nvs = nvs
        self._rtc = FakeRtc()
        self._wlan = FakeWlan()
        self.flash = None  # made when the ring is opened
        self.pins = [FakePin(), FakePin()]
        self.port = FakeUart()
        self.dog = FakeWatchdog()
        self.lit = []
        self.resets = 0
        self.shown = []
        self.system = (28_000, 19_000, 24_000)  # ESP-IDF's heap: free, largest block, lowest
        if device:
            self.lorawan = lambda keys, log, region: device

    def nvs(self, _namespace):
        return self._nvs

    def random(self, bits):
        return random.getrandbits(bits)

    def ring_partition(self):
        self.flash = self.flash or Nor(24)
        return self.flash

    def rtc_memory(self):
        return self._rtc

    def wlan(self):
        return self._wlan

    def console(self):
        return self.port

    def beam_pins(self):
        return self.pins

    def beam_counters(self):
        return None

    def watchdog(self, _timeout_ms):
        return self.dog

    def reset_cause(self):
        return 1

    def mac(self):
        return b"\x24\x6f\x28\x00\x00\x0a"

    def system_heap(self):
        return self.system

    def led(self, on):
        self.lit.append(on)

    def set_utc(self, _utc):
        pass

    def print_exception(self, error):
        self.shown.append(error)

    def reset(self):
        self.resets += 1
        raise SystemExit
