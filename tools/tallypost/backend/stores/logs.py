"""The logs of nodes: up to where they are complete, their gaps, and what is gone for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tallypost.backend.limits import CLAIMS_MAX, LOGS_MAX
from tallypost.backend.stores.database import Database, Key

RESEND_RETRY_S = 300.0  # a request without progress is repeated after this time
RESEND_MAX = 20_000  # records in one request; a node refuses more
GAP_OPEN_S = 5.0  # of several collectors, one may be about to store the records of a gap
NUMBER_MAX = 2**32 - 1
_CHAIN_ROWS = 1000  # read at once
_STATES_MAX = 20_000  # 1 KB each
_STATE = "confirmed, newest, held, asked, asked_from, asked_to"

Span = tuple[int, int]  # first and last number


@dataclass
class LogState:
    """A log, locked by the transaction that loaded it.

    confirmed: every record up to it is held or gone. newest: as the node reported it. held: the
    highest number of a record. asked, asked_from, asked_to: the last request, when (unix seconds)
    and for what. spans: records that are gone or in short form, behind `confirmed`.
    """

    confirmed: int = 0
    newest: int = 0
    held: int = 0
    asked: float = 0.0
    asked_from: int = 0
    asked_to: int = 0
    gone: tuple[Span, ...] = ()
    short: tuple[Span, ...] = ()
    last_interval: tuple[int, tuple[int, ...]] | None = (
        None  # number and totals of one stored here
    )

    @property
    def end(self) -> int:
        """The highest number that is known: of a record, or as the node reported it."""
        return max(self.newest, self.held)

    def reset(self, seq: int) -> None:
        """Take a confirmation back, and forget the last request."""
        self.confirmed = min(self.confirmed, seq)
        self.asked, self.asked_from, self.asked_to = 0.0, 0, 0


class Logs:
    """The part of a store about logs."""

    _db: Database
    _states: dict[Key, LogState]  # as this process left them, and nobody has written since

    def is_loaded(self, key: Key) -> bool:
        """Whether the log is known, without a look into the database."""
        return key in self._states

    def load_log(self, key: Key) -> LogState:
        """The state of a log, made if it is missing, and locked until the commit."""
        if key in self._states:
            return self._states[key]
        if len(self._states) >= _STATES_MAX:
            self._states.clear()
        row = self._log_row(key)
        if row is None:
            self.add_log(key)
            row = self._log_row(key)
        state = LogState(*row)
        self._load_spans(key, state)
        self._states[key] = state
        return state

    def _log_row(self, key: Key) -> Any:
        return self._db.execute(
            f"SELECT {_STATE} FROM logs WHERE node = ? AND log = ?{self._db.for_update}", key
        ).fetchone()

    def _load_spans(self, key: Key, state: LogState) -> None:
        rows = self._db.execute(
            "SELECT 1, first, last FROM gone WHERE node = ? AND log = ? AND last > ?"
            " UNION ALL SELECT 2, first, last FROM short WHERE node = ? AND log = ? AND last > ?"
            " ORDER BY 2",
            (*key, state.confirmed, *key, state.confirmed),
        ).fetchall()
        state.gone = tuple((first, last) for kind, first, last in rows if kind == 1)
        state.short = tuple((first, last) for kind, first, last in rows if kind == 2)

    def add_log(self, key: Key) -> None:
        self._db.execute(
            "INSERT INTO logs (node, log) VALUES (?, ?) ON CONFLICT (node, log) DO NOTHING", key
        )

    def forget_empty(self, key: Key) -> None:
        """Forget a log of which nothing was ever stored."""
        self._states.pop(key, None)
        self._db.execute(
            "DELETE FROM logs WHERE node = ? AND log = ? AND confirmed = 0 AND newest = 0"
            " AND held = 0 AND asked = 0 AND NOT EXISTS (SELECT 1 FROM gone WHERE"
            " gone.node = logs.node AND gone.log = logs.log)",
            key,
        )

    def save_log(self, key: Key, state: LogState) -> None:
        self._db.execute(
            "UPDATE logs SET confirmed = ?, newest = ?, held = ?, asked = ?, asked_from = ?,"
            " asked_to = ? WHERE node = ? AND log = ?",
            (
                state.confirmed, state.newest, state.held, state.asked, state.asked_from,
                state.asked_to, *key,
            ),
        )  # fmt: skip

    def has_room(self, key: Key) -> bool:
        """Whether the log is known, or the node may begin another one."""
        row = self._db.execute(
            "SELECT count(*), count(CASE WHEN log = ? THEN 1 END) FROM logs WHERE node = ?",
            (key[1], key[0]),
        ).fetchone()
        return bool(row[1]) or row[0] < LOGS_MAX

    def confirmed(self, key: Key) -> int:
        """The number up to which every record is held or gone. 0: none."""
        row = self._db.execute(
            "SELECT confirmed FROM logs WHERE node = ? AND log = ?", key
        ).fetchone()
        return int(row[0]) if row else 0

    def newest(self, key: Key) -> int:
        """The highest number that is known of a log: of a record, or as the node reported it."""
        row = self._db.execute(
            "SELECT newest, held FROM logs WHERE node = ? AND log = ?", key
        ).fetchone()
        return max(row) if row else 0

    # --- complete ranges and gaps

    def advance(self, key: Key, state: LogState, reached: int = 0) -> None:
        """Move `confirmed` over the records that have arrived.

        reached: a number up to which the records behind `confirmed` are known to be held.
        """
        if state.confirmed > state.end:  # by claims that no record supports
            self.withdraw_gone(key, state, state.end + 1, NUMBER_MAX)
            state.confirmed = min(state.confirmed, state.end)
            self._load_spans(key, state)
        last = max(state.confirmed, reached)
        spans = [span for span in state.gone + state.short if span[1] <= state.end]
        while True:
            at = self._held_to(key, state, _past(spans, last))
            if at == last:
                break
            last = at
        state.confirmed = last

    def _held_to(self, key: Key, state: LogState, last: int) -> int:
        """The last number of the records that follow `last` without a gap."""
        while last < state.held:
            rows = self._db.execute(
                "SELECT seq FROM records WHERE node = ? AND log = ? AND seq > ? ORDER BY seq"
                f" LIMIT {_CHAIN_ROWS}",
                (*key, last),
            ).fetchall()
            for (seq,) in rows:
                if seq != last + 1:
                    return last
                last = seq
            if not rows:
                break
        return last

    def gap(self, key: Key, confirmed: int) -> Span | None:
        """The first range of missing records, if later ones are held."""
        row = self._db.execute(
            "SELECT min(n) FROM (SELECT min(seq) AS n FROM records WHERE node = ? AND log = ?"
            " AND seq > ? UNION ALL SELECT min(first) FROM short WHERE node = ? AND log = ?"
            " AND first > ?) AS held",
            (*key, confirmed, *key, confirmed),
        ).fetchone()
        if not row[0]:
            return None
        return confirmed + 1, min(row[0] - 1, confirmed + RESEND_MAX)

    def request(self, key: Key, state: LogState, utc: float) -> Span | None:
        """The gap to ask for now: once, and again if no record of it came for RESEND_RETRY_S."""
        if state.confirmed >= state.held:
            return None
        gap = self.gap(key, state.confirmed)
        if gap is None:
            return None
        if self._db.is_shared and not self._has_been_open(state, gap, utc):
            return None
        progress = gap[0] > state.asked_from
        answering = gap[0] <= state.asked_to and (
            progress or 0 <= utc - state.asked < RESEND_RETRY_S
        )
        if progress or not answering:
            state.asked = utc
        state.asked_from = gap[0]
        if not answering:
            state.asked_to = gap[1]
        return None if answering else gap

    def _has_been_open(self, state: LogState, gap: Span, utc: float) -> bool:
        """Whether a gap is older than GAP_OPEN_S. A new one is noted as asked for with no end."""
        if gap[0] <= state.asked_to:
            return True
        if state.asked_from != gap[0]:
            state.asked, state.asked_from, state.asked_to = utc, gap[0], 0
        return not 0 <= utc - state.asked < GAP_OPEN_S

    # --- records that are gone

    def note_gone(self, key: Key, state: LogState, first: int, last: int) -> bool:
        """Note the claim of a node that these records no longer exist and will never come.

        The claim counts once a later record is known. False if the node has too many claims.
        """
        n = self._db.execute(
            "SELECT count(*) FROM gone WHERE node = ? AND log = ? AND first != ?", (*key, first)
        ).fetchone()[0]
        if n >= CLAIMS_MAX:
            return False
        self._db.execute(
            "INSERT INTO gone VALUES (?, ?, ?, ?)"
            " ON CONFLICT (node, log, first) DO UPDATE SET last = excluded.last",
            (*key, first, last),
        )
        self._load_spans(key, state)
        return True

    def withdraw_gone(self, key: Key, state: LogState, first: int, last: int) -> list[Span]:
        """Drop the claims that a record with these numbers refutes. Returns their ranges.

        `confirmed` goes back to the record before them, so that the rest is asked for again.
        """
        where = "node = ? AND log = ? AND first <= ? AND last >= ?"
        values = (*key, last, first)
        ranges = self._db.execute(f"SELECT first, last FROM gone WHERE {where}", values).fetchall()
        if ranges:
            self._db.execute(f"DELETE FROM gone WHERE {where}", values)
            state.reset(min(low for low, _ in ranges) - 1)
            self._load_spans(key, state)
        return ranges

    def note_newest(self, key: Key, state: LogState, seq: int) -> list[Span]:
        """Note the newest number that a node reports of its log. Returns the claims beyond it."""
        state.newest = seq
        return self.withdraw_gone(key, state, seq + 1, NUMBER_MAX)


def _past(spans: list[Span], last: int) -> int:
    """The last number of the spans that follow `last` without a gap. spans: by first number."""
    for first, end in sorted(spans):
        if first > last + 1:
            break
        last = max(last, end)
    return last
