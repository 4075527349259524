"""Deletes old records, and keeps their sums by day.

Only records up to the confirmed number of their log are deleted: those behind a gap are still
needed to find it. `logs.pruned` has the highest number that was deleted, so that `tallypost audit`
does not take these for removed. The sum of a day that was deleted is never made anew.
"""

from __future__ import annotations

from tallypost.backend.stores.days import PRUNED_BEFORE
from tallypost.backend.stores.store import Store

_LOGS_AT_ONCE = 50
_OLD = (
    "node = ? AND log = ? AND seq <= ? AND ((start IS NOT NULL AND start < ?)"
    " OR (start IS NULL AND received < ?))"
)


def prune(store: Store, before: str) -> int:
    """Delete the records before a day, such as `2026-03-02`. Returns how many.

    An interval counts by its start, an event by the time when it was received.
    """
    while store.summarise(before):
        pass
    db, deleted = store.database, 0
    with store.transaction():
        db.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
            " SET value = excluded.value WHERE settings.value < excluded.value",
            (PRUNED_BEFORE, before),
        )
    keys = db.execute("SELECT node, log FROM logs ORDER BY node, log").fetchall()
    for i in range(0, len(keys), _LOGS_AT_ONCE):
        with store.transaction():
            for node, log in keys[i : i + _LOGS_AT_ONCE]:
                deleted += _prune_log(store, (node, log), before)
    return deleted


def _prune_log(store: Store, key: tuple[str, str], before: str) -> int:
    db = store.database
    state = store.load_log(key)
    values = (*key, state.confirmed, before, before)
    last = db.execute(f"SELECT max(seq) FROM records WHERE {_OLD}", values).fetchone()[0]
    if not last:
        return 0
    n = db.execute(f"DELETE FROM records WHERE {_OLD}", values).rowcount
    db.execute(
        "UPDATE logs SET pruned = ? WHERE node = ? AND log = ? AND pruned < ?",
        (last, *key, last),
    )
    db.execute("DELETE FROM doubts WHERE node = ? AND log = ? AND seq <= ?", (*key, last))
    return n
