"""Starts of intervals that were sent before their node knew the time.

A node that learns the time sends an anchor: boot, uptime in seconds, UTC in unix seconds. By it
the intervals of the same boot that have no start get one. The records themselves stay as they
came.
"""

from __future__ import annotations

import json

from tallypost.backend import messages
from tallypost.backend.stores.database import Body, Database, Key, rfc3339

_UNTRUSTED = "clock"  # a reason of an interval during which the clock was set to another time
_EVENTS_MAX = 1000  # between an interval and the anchor of its boot


def find(db: Database, key: Key, interval: Body) -> Body | None:
    """The anchor of an interval's boot, if the node learned the time after it."""
    rows = db.execute(
        "SELECT body FROM records WHERE node = ? AND log = ? AND seq > ? AND kind = 'event'"
        f" ORDER BY seq LIMIT {_EVENTS_MAX}",
        (*key, interval["seq"]),
    ).fetchall()
    for (text,) in rows:
        event: Body = json.loads(text)
        if event["event"] == "anchor" and event.get("boot") == interval["boot"]:
            return event
    return None


def start_by(anchor: Body, interval: Body, now: float) -> str | None:
    """The start of an interval by the anchor of its boot. None if it has none, or one that cannot
    be true at `now`, in unix seconds."""
    utc, uptime = anchor.get("utc"), anchor.get("uptime")
    if utc is None or uptime is None or _UNTRUSTED in interval["why"]:
        return None
    start = rfc3339(max(0, utc - (uptime - interval["uptime"])))
    return start if messages.is_dated({"start": start}, now) else None


def dated_intervals(
    db: Database, key: Key, anchor: Body, now: float
) -> list[tuple[int, str, Body]]:
    """(number, start, body) of the intervals of an anchor's boot that came before it and have no
    start yet."""
    rows = db.execute(
        "SELECT seq, body FROM records WHERE node = ? AND log = ? AND seq < ?"
        " AND kind = 'interval' AND start IS NULL",
        (*key, anchor["seq"]),
    ).fetchall()
    found = []
    for seq, text in rows:
        interval: Body = json.loads(text)
        if interval["start"] is None and interval["boot"] == anchor.get("boot"):
            if start := start_by(anchor, interval, now):
                found.append((seq, start, interval))
    return found
