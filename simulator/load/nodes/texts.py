"""The JSON of a node, as `lib/wire/jsonform.py` and MicroPython's `json` write it.

Keys stand in the order in which a node writes them, so that the bytes are the same. Units are
those of the schemas: seconds, km/h, unix seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
CLOSE = "]}"
Hist = Sequence[tuple[int, int]]  # bin of 4 km/h, passages


def will(node: str) -> str:
    return f'{{"node": "{node}", "state": "offline", "v": 1}}'


def status(node: str, log: str, version: str) -> str:
    return (
        '{"state": "online", "board": "esp32_generic", "reset": "power_on", "boot": 1,'
        f' "log": "{log}", "detector": "ld2451", "storage": "flash", "v": 1, "node": "{node}",'
        f' "version": "{version}"}}'
    )


def config(node: str, digest: str, values: dict[str, Any]) -> str:
    """digest: of the configuration, 8 hexadecimal digits."""
    return f'{{"hash": "{digest}", "node": "{node}", "config": {json.dumps(values)}, "v": 1}}'


def open_counts(node: str, log: str) -> str:
    return f'{{"v":1,"node":"{node}","log":"{log}","bin_kmh":4,"recs":['


def head(seq: int, start: int, length: int, cov: int, why: Sequence[str] = ()) -> str:
    """start: unix seconds, 0 = not known."""
    when = f'"{rfc3339(start)}"' if start else "null"
    reasons = ",".join(f'"{reason}"' for reason in why)
    return f'{{"seq":{seq},"start":{when},"len":{length},"cov":{cov},"why":[{reasons}],'


def tally(name: str, values: Sequence[int]) -> str:
    """Ten numbers, by direction and class, `counts` or `total`."""
    return f'"{name}":{{{_classes(0, values)},{_classes(1, values)}}},'


def _classes(direction: int, values: Sequence[int]) -> str:
    cells = ",".join(f'"{name}":{values[5 * direction + i]}' for i, name in enumerate(CLASSES))
    return f'"{DIRECTIONS[direction]}":{{{cells}}}'


def speeds(both: Sequence[tuple[float | None, float | None, int, Hist]]) -> str:
    """By direction: mean, mean without the correction for the angle, number, histogram."""
    return f'"speed":{{{_speed(0, *both[0])},{_speed(1, *both[1])}}},'


def _speed(direction: int, mean: float | None, raw: float | None, n: int, hist: Hist) -> str:
    bins = ",".join(f"[{bin_},{count}]" for bin_, count in hist)
    means = f'"mean":{_fixed(mean, 1)},"raw":{_fixed(raw, 1)}'
    return f'"{DIRECTIONS[direction]}":{{{means},"n":{n},"hist":[{bins}]}}'


def spacing(both: Sequence[tuple[float | None, float | None, float | None, int]]) -> str:
    """By direction: headway and gap in s, occupancy in percent, number."""
    parts = (
        f'"{name}":{{"headway":{_fixed(headway, 2)},"gap":{_fixed(gap, 2)},'
        f'"occ":{_fixed(occ, 2)},"n":{n}}}'
        for name, (headway, gap, occ, n) in zip(DIRECTIONS, both, strict=True)
    )
    return f'"spacing":{{{",".join(parts)}}},'


def tail(uptime: int, age: int | None, det: str, cfg: str, boot: int = 1) -> str:
    """The end of a record of a node that knows the time by NTP. age: since then, s."""
    known = "null" if age is None else str(age)
    return (
        f'"boot":{boot},"uptime":{uptime},"time":{{"src":"ntp","age":{known}}},"det":"{det}",'
        f'"reset":"power_on","cfg":"{cfg}","mv":null,"temp":null}}'
    )


def _fixed(value: float | None, digits: int) -> str:
    return "null" if value is None else f"{value:.{digits}f}"


def rfc3339(unix: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))
