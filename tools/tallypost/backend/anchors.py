"""Starts of intervals that were sent before their node knew the time.

A node that learns the time sends an anchor: boot, uptime in seconds, UTC in unix seconds. By it
the intervals of the same boot that have no start get one. The records themselves stay as they
came.
"""

from __future__ import annotations

import json
import sqlite3

from tallypost.backend import messages
from tallypost.backend.layout import Body, Key, rfc3339

_UNTRUSTED = "clock"  # a reason of an interval during which the clock was set to another time


def find(db: sqlite3.Connection, key: Key, interval: Body) -> Body | None:
    """The anchor of an interval's boot, if the node learned the time after it."""
    row = db.execute(
        "SELECT body FROM records WHERE node = ? AND log = ? AND seq > ? AND kind = 'event'"
        " AND json_extract(body, '$.event') = 'anchor' AND json_extract(body, '$.boot') = ?"
        " ORDER BY seq LIMIT 1",
        (*key, interval["seq"], interval["boot"]),
    ).fetchone()
    return json.loads(row[0]) if row else None


def start_by(anchor: Body, interval: Body, now: float) -> str | None:
    """The start of an interval by the anchor of its boot. None if it has none, or one that cannot
    be true at `now`, in unix seconds."""
    utc, uptime = anchor.get("utc"), anchor.get("uptime")
    if utc is None or uptime is None or _UNTRUSTED in interval["why"]:
        return None
    start = rfc3339(max(0, utc - (uptime - interval["uptime"])))
    return start if messages.is_dated({"start": start}, now) else None


def date_intervals(db: sqlite3.Connection, key: Key, anchor: Body, now: float) -> None:
    """Give the intervals of the anchor's boot that came before it and have no start one."""
    rows = db.execute(
        "SELECT body FROM records WHERE node = ? AND log = ? AND seq < ? AND kind = 'interval'"
        " AND json_extract(body, '$.start') IS NULL AND json_extract(body, '$.boot') = ?",
        (*key, anchor["seq"], anchor.get("boot")),
    ).fetchall()
    for interval in (json.loads(row[0]) for row in rows):
        db.execute(
            "UPDATE records SET start = ? WHERE node = ? AND log = ? AND seq = ?",
            (start_by(anchor, interval, now), *key, interval["seq"]),
        )
