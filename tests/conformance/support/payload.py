"""Frames made by the firmware's encoder, their expected contents, and their three decoders."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DECODER = ROOT / "lib" / "wire" / "lorawan" / "decoder.js"
VECTORS = ROOT / "lib" / "wire" / "lorawan" / "vectors.json"
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
WHY = ("boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config")
DETECTORS = ("unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured")
SOURCES = ("none", "rtc", "ntp", "lorawan", "anchor")
EPOCH = 1_735_689_600

Body = dict[str, Any]


def on_node(tasks: list[Body]) -> list[Body]:
    """The answers of `payload_device.py`, run by MicroPython."""
    micropython = Path(sys.executable).parent / "micropython"
    script = Path(__file__).with_name("payload_device.py")
    env = {**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:.frozen"}
    asked = "".join(json.dumps(task) + "\n" for task in tasks)
    done = subprocess.run(
        [str(micropython), str(script)], input=asked, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_javascript(calls: list[tuple[str, Body]]) -> list[Body] | None:
    """Results of `decoder.js` for (function, input). None without Node.js."""
    if not shutil.which("node"):
        return None
    script = str(Path(__file__).with_name("payload_node.js"))
    asked = "".join(json.dumps(call) + "\n" for call in calls)
    done = subprocess.run(
        ["node", script, str(DECODER)], input=asked, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def vectors() -> list[Body]:
    found: list[Body] = json.loads(VECTORS.read_text())
    return found


# --- what a frame must say


def said(task: Body, records: int, is_long: bool) -> Body:
    """The JSON form of a frame, from the fields it was made of, without `totals`."""
    recs = [_said(fields) for fields in task["recs"][:records]]
    log = f"{task['log'] & 0xFFFF:04x}"
    return {"type": "counts", "v": 1, "log": log, "recs": recs, "long": is_long}


def totals(task: Body) -> Body:
    cls, newest = task["turn"], task["recs"][0]["totals"]
    return {"class": CLASSES[cls], "forward": newest[cls], "backward": newest[5 + cls]}


def _said(fields: Body) -> Body:
    counts = {
        direction: dict(zip(CLASSES, fields["counts"][5 * i : 5 * i + 5], strict=True))
        for i, direction in enumerate(DIRECTIONS)
    }
    limit: list[str] = []
    speed = {direction: _speed(fields, i, limit) for i, direction in enumerate(DIRECTIONS)}
    for cls in CLASSES:
        limit += [
            f"counts.{direction}.{cls}"
            for direction in DIRECTIONS
            if counts[direction][cls] == 65535
        ]
    return {
        "seq": fields["seq"], "first": fields["seq"] - fields["span"] + 1,
        "start": _time(fields["start"]), "len": fields["length"], "cov": fields["coverage"],
        "why": [name for i, name in enumerate(WHY) if fields["why"] >> i & 1],
        "det": DETECTORS[fields["detector"]], "time": SOURCES[fields["time_source"]],
        "counts": counts, "speed": speed, "limit": limit,
    }  # fmt: skip


def _speed(fields: Body, i: int, limit: list[str]) -> Body | None:
    bins = dict(fields["hist"][i])
    n = sum(bins.values())
    if not n:
        return None
    mean = min(_rounded(Fraction(fields["speed_sum"][i], 5 * n)), 255)
    v85 = _v85(bins, n)
    limit += [f"mean.{DIRECTIONS[i]}"] * (mean == 255) + [f"v85.{DIRECTIONS[i]}"] * (v85 is None)
    return {"mean": mean / 2, "v85": 124 if v85 is None else v85}


def _v85(bins: dict[int, int], n: int) -> int | None:
    """The 85th percentile, a bin's passages spread evenly over it. None in the open bin."""
    wanted, below = Fraction(85 * n, 100), 0
    for bin_ in sorted(bins):
        if below + bins[bin_] >= wanted:
            if bin_ == 31:
                return None
            return _rounded(4 * (bin_ + (wanted - below) / bins[bin_]))
        below += bins[bin_]
    raise AssertionError("no 85th percentile")


def _rounded(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


def _time(utc: int) -> str | None:
    if not EPOCH <= utc:
        return None
    days, rest = divmod(utc - EPOCH, 86400)
    from datetime import date, timedelta

    day = date(2025, 1, 1) + timedelta(days)
    return f"{day.isoformat()}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"


# --- frames at random


def at_random(rng: random.Random, records: int) -> list[Body]:
    """Frames with so many records in all."""
    tasks: list[Body] = []
    while records > 0:
        count = min(rng.choice((1, 1, 2, 2, 3, 8)), records)
        records -= count
        task = {
            "kind": "frame", "log": rng.getrandbits(31), "turn": rng.randrange(5),
            "room": rng.choice((48, 51, 51, 115, 222, 242)), "recs": _chain(rng, count),
        }  # fmt: skip
        tasks.append(task)
    return tasks


def _chain(rng: random.Random, count: int) -> list[Body]:
    """Records from the newest to the oldest, usually without gaps."""
    seq = rng.choice((1, 1 << 14, 1 << 17, 1 << 20, 1 << 32)) + rng.randrange(-2000, 2000)
    seq = max(70 * count, min(seq, (1 << 32) - 1))
    end = EPOCH + 900 * rng.randrange(1000, 1_300_000) + rng.choice((0, 0, 0, rng.randrange(900)))
    found = []
    for _ in range(count):
        span = rng.choice((1, 1, 1, 2, 4, 60, 64))
        fields = _fields(rng, seq, span, end)
        found.append(fields)
        seq -= span + rng.choice((0, 0, 0, 1, 3))
        end = (fields["start"] or end) - rng.choice((0, 0, 0, 1, 4321))
    return found


def _fields(rng: random.Random, seq: int, span: int, end: int) -> Body:
    length = rng.choice((60, 300, 900, 900, 900, 1800, 3600, rng.randrange(65536)))
    good = rng.random() < 0.6
    hist = [_hist(rng) for _ in DIRECTIONS]
    return {
        "seq": seq, "span": span, "start": 0 if rng.random() < 0.05 else end - length,
        "length": length, "coverage": length if good else rng.randrange(length + 1),
        "why": 0 if good else rng.randrange(256), "detector": 1 if good else rng.randrange(7),
        "time_source": rng.randrange(5), "counts": [_count(rng) for _ in range(10)],
        "totals": [rng.getrandbits(rng.randrange(31)) for _ in range(10)], "hist": hist,
        "speed_sum": [sum(n * rng.randrange(40 * b, 40 * b + 40) for b, n in h) for h in hist],
    }  # fmt: skip


def _count(rng: random.Random) -> int:
    if rng.random() < 0.02:
        return rng.choice((32767, 32768, 65534, 65535))
    return rng.randrange(1 << rng.choice((0, 1, 3, 5, 7, 9, 12)))


def _hist(rng: random.Random) -> list[list[int]]:
    if rng.random() < 0.2:
        return []
    bins = sorted(rng.sample(range(32), rng.randrange(1, 12)))
    return [[bin_, rng.randrange(1, 1 << rng.choice((1, 4, 9)))] for bin_ in bins]
