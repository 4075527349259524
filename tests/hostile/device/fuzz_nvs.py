"""Blobs of NVS under a right seal: the identity and the configuration of a start."""

import json
import random
import struct
from binascii import crc32

from board_parts import FakeLog, FakeNvs
from config import identity, schema, trial
from inputs import chance, damaged, main, pick

_KEYS = (
    "id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass", "mqtt_ca",
    "lora_dev_eui", "lora_join_eui", "lora_app_key", "mqtt_ca2", "fleet_key", "fleet_key2",
    "mac_key",
)  # fmt: skip
_VALUES = (
    0, 1, -1, 5, 15, 2**31, 10**40, 0.5, 1e300, None, True, "", "x", "\u202e", "x" * 300, [], {},
    [[[]]], {"a": 1}, "mqtt", "lorawan", "ld2451", "ld2450", "a/#", "\x00",
)  # fmt: skip


def _seal(blobs):
    crc = 0
    for key in _KEYS:
        if key in blobs:
            value = blobs[key]
            crc = crc32(key.encode() + struct.pack("<BH", 0, len(value)), crc)
            crc = crc32(value, crc)
    return struct.pack("<I", crc)


def _blob():
    size = pick((0, 1, 4, 16, 32, 32, 300, 1500, 1501))
    return damaged(bytes([pick((0, 0x41, 0xFF, 0xC3, 0x2F))]) * size)[:2000]


class Starts:
    """Raises when a start would have failed. A bad configuration leads to the one before."""

    def __init__(self):
        self.last = b""
        self.figures = {"identities": 0, "usable": 0, "defaults": 0}
        self._names = [row[0] for row in schema.rows()]

    def _config(self):
        if chance(8):
            head, tail = pick(((b"[", b"]"), (b'{"site":', b"}"), (b"[", b"")))
            n = pick((5, 60, 180, 400, 700))
            return (b'{"site":' + head * n + b"1" + tail * n + b"}")[:1500]
        values = {}
        for _ in range(random.randrange(4)):
            name = pick(self._names) if not chance(6) else pick(("", "nothing"))
            values[name] = pick(_VALUES)
        data = json.dumps(values).encode()
        return damaged(data) if chance(3) else data

    def feed(self, _i):
        blobs = {"id": pick((b"n1", b"gate-3"))}
        for _ in range(random.randrange(3)):
            blobs[pick(_KEYS)] = _blob()
        blobs["seal"] = _seal(blobs) if not chance(5) else _blob()
        for key in ("config", "config_ok"):
            if not chance(4):
                blobs[key] = self._config()
        self.last = blobs
        nvs, log = FakeNvs(**blobs), FakeLog()
        node, reason = identity.read(nvs)
        assert bool(node) != bool(reason)
        self.figures["identities"] += bool(node)
        for key in _KEYS[:5]:  # a sealed identity is text that the links can use
            if node:
                blobs.get(key, b"").decode()
        settings, key = schema.load(nvs, log)
        self.figures["usable" if key else "defaults"] += 1
        assert settings["interval_min"] and settings.hash >= 0
        schema.stored(blobs.get("config"))
        trial.differs_in_link(schema, nvs, settings)


main(Starts)
