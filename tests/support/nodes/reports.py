"""Messages of a node, made by hand for tests of the backend."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TOPIC = "tallypost/v1/n1"
LOG = "0badcafe"
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
Body = dict[str, Any]

_MAKE = """
import sys
from wire.record import Interval
from wire.jsonform import CLOSE, open_counts, write_interval
rec = Interval()
rec.reset(1780272000, 60)
for i in range(30):
    rec.add(i % 2, i % 5, 37 * i - 50)
rec.seq, rec.length, rec.coverage, rec.why, rec.detector = 7, 900, 880, 0b01000101, 1
rec.boot, rec.time_source, rec.sync_age, rec.supply_mv, rec.temp_c = 3, 2, 12, 3300, -7
open_counts(sys.stdout, "n1", 0x0badcafe)
write_interval(sys.stdout, rec)
rec.reset(0, 0)
rec.seq, rec.supply_mv, rec.temp_c, rec.sync_age, rec.time_source = 8, 0, -128, 0xFFFF, 0
sys.stdout.write(",")
write_interval(sys.stdout, rec)
sys.stdout.write(CLOSE)
"""


def on_node(script: str, *paths: str) -> str:
    """Run a script in the node's interpreter. Return its output."""
    search = ":".join([*(str(ROOT / path) for path in ("lib", *paths)), ".frozen"])
    command = [Path(sys.executable).parent / "micropython", "-X", "heapsize=2m", "-c", script]
    result = subprocess.run(
        command, env={"MICROPYPATH": search}, capture_output=True, text=True, check=True
    )
    return result.stdout


def real_counts() -> Body:
    """A message that the firmware's own code has written."""
    body: Body = json.loads(on_node(_MAKE))
    return body


def tally(forward: int = 0, backward: int = 0) -> Body:
    return {
        "forward": dict.fromkeys(CLASSES, 0) | {"car": forward},
        "backward": dict.fromkeys(CLASSES, 0) | {"car": backward},
    }


def interval(seq: int, cars: int = 1, total: int | None = None, **other: Any) -> Body:
    """An interval with `cars` forward. By default every interval had as many."""
    speed = {"mean": None, "n": 0, "hist": []}
    minutes = 15 * (seq - 1)
    return {
        "seq": seq, "start": f"2026-06-01T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00Z",
        "len": 900, "cov": 900, "why": [],
        "counts": tally(cars), "total": tally(seq * cars if total is None else total),
        "speed": {"forward": speed, "backward": speed}, "boot": 1, "uptime": 900 * seq,
        "time": {"src": "ntp", "age": 5}, "det": "ok", "reset": "power_on",
        "cfg": "00000000", "mv": None, "temp": None,
    } | other  # fmt: skip


def counts(*records: Body, log: str = LOG, **other: Any) -> bytes:
    body = {"v": 1, "node": "n1", "log": log, "bin_kmh": 4, "recs": list(records)}
    return json.dumps(body | other).encode()


def event(name: str = "config", log: str = LOG, **other: Any) -> bytes:
    return json.dumps({"v": 1, "node": "n1", "log": log, "event": name} | other).encode()


def gone(first: int, last: int, log: str = LOG) -> bytes:
    return event("gone", log, **{"from": first, "to": last})
