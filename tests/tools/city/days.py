"""Quarters of an hour of a node in a database, for tests of figures, pages and exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tallypost.backend.stores.store import Store

BERLIN = ZoneInfo("Europe/Berlin")
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
Row = tuple[float, int, Mapping[str, int]]  # start, observed seconds, forward counts


def utc(text: str) -> int:
    """Unix seconds of a local time in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp())


def _text(start: float) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def interval(seq: int, row: Row, kmh: int = 30) -> dict[str, Any]:
    """A record: the counts forward, one bicycle backward, all of them at about one speed."""
    start, observed, counts = row
    forward = dict.fromkeys(CLASSES, 0) | dict(counts)
    backward = dict.fromkeys(CLASSES, 0) | ({"bicycle": 1} if observed else {})
    speeds = {}
    for name, classes in (("forward", forward), ("backward", backward)):
        n = sum(classes.values())
        hist = [[kmh // 4, n]] if n else []
        speeds[name] = {"mean": kmh + 1.0 if n else None, "n": n, "hist": hist}
    return {
        "seq": seq, "start": _text(start), "len": 900, "cov": observed, "why": [],
        "counts": {"forward": forward, "backward": backward}, "speed": speeds,
    }  # fmt: skip


def store(path: Path, node: str, rows: Iterable[Row], log: str = "aa", first: int = 1) -> None:
    """Write records of a node, numbered from `first`."""
    held = Store(path)
    with held.transaction():
        for seq, row in enumerate(rows, first):
            held.insert((node, log), "interval", interval(seq, row), row[0] + 900)
    held.close()


def day(start: str, n: int, cars: int = 4, bicycles: int = 1) -> list[Row]:
    """`n` fully observed quarters of an hour from a local time on."""
    first = utc(start)
    return [(first + 900 * i, 900, {"car": cars, "bicycle": bicycles}) for i in range(n)]
