"""Arrivals from a file: one road user a line, with what was seen at a real place.

    time,direction,class,speed,length
    12.5,forward,car,31.0,4.4
    00:01:07.2,backward,bicycle,17.5,1.8

Time: seconds since the start, or hours:minutes:seconds, in order. Speed in km/h, length in m.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

from simulator.world.streets.street import DIRECTIONS, USER_CLASSES, RoadUser

COLUMNS = ["time", "direction", "class", "speed", "length"]
SPEED_KMH, LENGTH_M = (0.5, 200.0), (0.1, 30.0)
SHOWN_MAX = 5  # bad rows that are named


class ArrivalsError(Exception):
    """A file of arrivals that cannot be used. The text names every bad row by its line."""


def read(path: Path, lanes: tuple[float, float]) -> list[RoadUser]:
    """lanes: sideways from the sensor, forward and backward. Raises ArrivalsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArrivalsError(f"{path}: {error}") from error
    rows = csv.reader(text.splitlines())
    if next(rows, None) != COLUMNS:
        raise ArrivalsError(f"{path}, line 1: wanted {','.join(COLUMNS)}")
    users: list[RoadUser] = []
    bad: list[str] = []
    for row in rows:
        try:
            user = _user(row, len(users), lanes)
            if users and user.t_us < users[-1].t_us:
                raise ValueError("its time is before that of the row above")
            users.append(user)
        except ValueError as error:
            bad.append(f"line {rows.line_num}: {error}")
    if bad:
        more = f" and {len(bad) - SHOWN_MAX} more" if len(bad) > SHOWN_MAX else ""
        raise ArrivalsError(f"{path}: {'; '.join(bad[:SHOWN_MAX])}{more}")
    return users


def _user(row: list[str], number: int, lanes: tuple[float, float]) -> RoadUser:
    """Raises ValueError with the reason."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} values, wanted {len(COLUMNS)}")
    time, direction, cls, speed, length = (value.strip() for value in row)
    if direction not in DIRECTIONS:
        raise ValueError(f"direction '{direction}', wanted {' or '.join(DIRECTIONS)}")
    if cls not in USER_CLASSES:
        raise ValueError(f"class '{cls}', wanted one of {', '.join(USER_CLASSES)}")
    rng = random.Random(number)
    return RoadUser(
        rng.getrandbits(32), _time_us(time), direction, cls,
        _number("speed", speed, SPEED_KMH), _number("length", length, LENGTH_M),
        lanes[DIRECTIONS.index(direction)],
    )  # fmt: skip


def _time_us(text: str) -> int:
    parts = text.split(":")
    if len(parts) not in (1, 3):
        raise ValueError(f"time '{text}', wanted seconds or hours:minutes:seconds")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"time '{text}', wanted seconds or hours:minutes:seconds") from None
    seconds = values[0] if len(values) == 1 else values[0] * 3600 + values[1] * 60 + values[2]
    if not 0 <= seconds <= 366 * 86_400:
        raise ValueError(f"time '{text}' is not within a year")
    return int(seconds * 1e6)


def _number(name: str, text: str, span: tuple[float, float]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} '{text}' is not a number") from None
    if not span[0] <= value <= span[1]:
        raise ValueError(f"{name} {text}, wanted {span[0]:g} .. {span[1]:g}")
    return value
