"""The facts of a healthy node (firmware/commands/diagnostics.py), for a test to change."""

from __future__ import annotations

import copy
from typing import Any

Body = dict[str, Any]

CONFIG: Body = {"site": "gate", "detector": "ld2451", "interval_min": 15, "mqtt_host": "broker"}
RADAR: Body = {
    "node": "gate-1", "uptime": 4000, "reset": "power_on", "faults": [],
    "detector": {
        "kind": "ld2451", "state": 2, "passages": 12, "heard_ms": 120,
        "stats": {"frames_ok": 9000, "resync_bytes": 3, "direction_contradicts": 0},
    },
    "wifi": {"ssid": "street", "up": True, "reason": 0, "ip": "192.0.2.7", "rssi": -61},
    "mqtt": {
        "host": "broker", "port": 1883, "tls": 1, "root": "tallypost/v1", "up": True, "error": "",
        "connects": 1, "confirms": True, "signs": True,
    },
    "lora": None, "clock": {"source": 2, "age": 900, "utc": 1_800_000_000},
    "ring": {
        "storage": "flash", "erases": 2, "programmed_bytes": 9000, "corrupt": 0, "dropped": 0,
        "opened": 3, "sectors": 244, "oldest": 1, "newest": 17, "sent": 17, "confirmed": 17,
    },
    "heap": [30_000, 12_000], "supply_mv": None, "temp_c": None,
    "interval": {"start": 1_800_000_000, "len": 400, "cov": 399, "why": 0},
}  # fmt: skip
_BEAMS: Body = {
    "kind": "beam", "state": 1, "passages": 12, "beams": [[False, 24], [False, 24]],
    "stats": {"edges": 48, "lost_edges": 0, "edge_overflow": 0},
}  # fmt: skip


def facts(**changes: Any) -> Body:
    """The radar node's; a change of `wifi__up` is that of `up` in `wifi`."""
    return _changed(RADAR, changes)


def beam_facts(**changes: Any) -> Body:
    return _changed({**RADAR, "detector": _BEAMS}, changes)


def _changed(base: Body, changes: Body) -> Body:
    made = copy.deepcopy(base)
    for path, value in changes.items():
        *parts, last = path.split("__")
        inner = made
        for part in parts:
            inner = inner[part]
        inner[last] = value
    return made
