"""Spans of local time: quarters of an hour, hours, days, weeks and months of a time zone.

A day may have 23 or 25 hours. An hour that comes twice in the night has the same name twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

STEPS = ("15min", "hour", "day", "week", "month")
_SECONDS = {"15min": 900, "hour": 3600}
Span = tuple[int, int]  # unix seconds, the second not included


def midnight(day: date, zone: ZoneInfo) -> int:
    """Unix seconds of the start of a local day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def day_of(utc: float, zone: ZoneInfo) -> date:
    """The local day of a time in unix seconds."""
    return datetime.fromtimestamp(utc, zone).date()


def day_span(day: date, zone: ZoneInfo) -> Span:
    """A local day."""
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


def local(utc: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(utc, zone)


def spans(step: str, first: date, last: date, zone: ZoneInfo) -> Iterator[Span]:
    """The spans of a step from the one that holds `first` to the one that holds `last`."""
    if step in _SECONDS:
        width, end = _SECONDS[step], midnight(last + timedelta(days=1), zone)
        for start in range(midnight(first, zone), end, width):
            yield start, start + width
        return
    day = _floor(step, first)
    while day <= last:
        following = _next(step, day)
        yield midnight(day, zone), midnight(following, zone)
        day = following


def _floor(step: str, day: date) -> date:
    if step == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day


def _next(step: str, day: date) -> date:
    if step == "month":
        return (day + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if step == "week" else 1)
