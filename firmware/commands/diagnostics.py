"""Diagnostics of every part of the node for `tallypost check`. The host judges them.

Numbers: `state` of the detector as in wire/record.py, `reason` of the Wi-Fi is the driver's code.
They hold no secret and no single road user.
"""

from config.settings import read_blob
from core.version import VERSION

_NO_TEMPERATURE = -128
_SSID_BYTES_MAX = 32
_MAC_KEY_BYTES = 32


def identity(app, _body):
    """The identity of the node, provisioned or not."""
    found = {
        "node": app.node, "board": app.board.NAME, "version": VERSION, "boot": app.boot,
        "mac": ":".join("%02x" % byte for byte in app.board.mac()),
    }  # fmt: skip
    if app.node:
        found["config"] = "%08x" % app.config.hash
        found["log"] = "%08x" % app.ring.log_id
    return found


def check(app, _body):
    """The present state of every part. Edges and frames are counted from the start.

    heap: bytes free in MicroPython's heap, and at the lowest. idf: bytes free in the system's
    heap, its largest block, and bytes free at the lowest.
    """
    free, memory, rec = app.memory.look(), app.memory, app.counter.rec
    return {
        "node": app.node, "uptime": app.uptime_s(), "reset": app.hello()["reset"],
        "faults": app.faults, "trial": bool(app.trial),
        "detector": _detector(app), "wifi": _wifi(app), "mqtt": _mqtt(app),
        "lora": app.lora.stats() if app.lora else None,
        "clock": {"source": app.clock.source, "age": app.clock.age_s(), "utc": app.clock.utc()},
        "ring": _ring(app), "heap": [free, memory.free_min], "heap_size": memory.size,
        "idf": memory.system_heap(),
        "interval": {"start": rec.start, "len": rec.length, "cov": rec.coverage, "why": rec.why},
        "supply_mv": rec.supply_mv or None,
        "temp_c": None if rec.temp_c == _NO_TEMPERATURE else rec.temp_c,
    }  # fmt: skip


def _detector(app):
    detector = app.detector
    found = {
        "kind": app.config["detector"], "state": detector.state, "stats": detector.stats(),
        "passages": app.counter.passages,
    }  # fmt: skip
    if hasattr(detector, "probe"):
        found["heard_ms"] = detector.probe()
    if hasattr(detector, "beams"):
        found["beams"] = detector.beams()
    return found


def _wifi(app):
    if not app.link:
        return None
    wifi, wlan = app.wifi, app.board.wlan()
    found = {
        "ssid": (read_blob(app.nvs, "wifi_ssid", _SSID_BYTES_MAX) or b"").decode(),
        "up": wifi.is_up(), "reason": wifi.reason,
    }  # fmt: skip
    if found["up"]:
        found["ip"] = wlan.ifconfig()[0]
        try:
            found["rssi"] = wlan.status("rssi")
        except OSError:  # it was lost this moment
            found["rssi"] = None
    return found


def _mqtt(app):
    link, config = app.link, app.config
    if not link:
        return None
    return {
        "host": config["mqtt_host"], "port": config["mqtt_port"], "tls": config["mqtt_tls"],
        "root": config["mqtt_root"], "up": link.is_up(), "error": link.error,
        "connects": link.connects, "confirms": app.uplink.confirms,
        "signs": bool(read_blob(app.nvs, "mac_key", _MAC_KEY_BYTES)),
    }  # fmt: skip


def _ring(app):
    ring = app.ring
    found = ring.stats()
    found["storage"] = app.storage
    found["oldest"], found["newest"] = ring.first_seq, ring.next_seq - 1
    found["sent"], found["confirmed"] = ring.cursor(0 if app.link else 1)
    return found
