"""Stores the records that a batch has of one log, in the order in which they came.

Records that continue a log are new for sure, and are written together. Every other one (sent
again, out of order, said to be gone) is looked up.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from operator import add, itemgetter
from typing import TYPE_CHECKING

from tallypost.backend import messages, record_macs
from tallypost.backend.messages import InvalidMessage
from tallypost.backend.receiver import Message
from tallypost.backend.stores.database import Body, Conflict, Key
from tallypost.backend.stores.logs import LogState
from tallypost.backend.stores.records import REPEAT, Row, compact

if TYPE_CHECKING:
    from tallypost.backend.collector import Collector

Slots = tuple[int, ...]

_TOTAL_WRAP = 1 << 30
_CLASSES = itemgetter("pedestrian", "bicycle", "car", "heavy", "unknown")


@dataclass(slots=True)
class Parsed:
    """A message that fits its schema. texts: the records of `counts` as JSON without blanks. None:
    each record is still to be checked."""

    message: Message
    node: str
    suffix: str
    body: Body
    texts: list[str] | None = None


class LogWriter:
    """state: of the log, locked. utc: when the batch was received, unix seconds."""

    def __init__(self, collector: Collector, key: Key, state: LogState, utc: float) -> None:
        self._collector = collector
        self._store = collector.store
        self._key = key
        self._state = state
        self._utc = utc
        self._rows: list[Row] = []
        self._last = 0  # number of the last of them
        self._states: Counter[tuple[str, str]] = Counter()  # of signatures
        self._was_confirmed = self._reached = state.confirmed

    def write(self, items: list[Parsed]) -> bool:
        """Store the records of these messages. False if all are refused: no answer is due."""
        stored = 0
        for item in items:
            try:
                stored += self._counts(item) if item.suffix == "counts" else self._event(item)
            except (InvalidMessage, Conflict) as error:
                self._collector.refuse(item.message, str(error))
        self._flush()
        self._store.note_signatures(self._states, self._utc)
        return stored > 0

    @property
    def reached(self) -> int:
        """Behind `state.confirmed`, the records up to this number are held. 0: not known."""
        is_ahead = self._reached > self._was_confirmed == self._state.confirmed
        return self._reached if is_ahead else 0

    # --- intervals

    def _counts(self, item: Parsed) -> int:
        """Store the records of a message. Returns how many are held now."""
        body, stored = item.body, 0
        signed = self._collector.macs.texts(self._key[0], item.message.payload, body["recs"])
        for i, record in enumerate(body["recs"]):
            try:
                if item.texts is None:
                    messages.check("interval", record)
                messages.check_values(record, item.message.utc)
                proven = self._proven(signed[i], item.message.utc)
                row = Row(record, proven or (item.texts[i] if item.texts else compact(record)),
                          record["start"], body["bin_kmh"])  # fmt: skip
                self._interval(row, proven, item.message.utc)
                stored += 1
            except (InvalidMessage, Conflict) as error:
                self._refuse_record(item, record, signed[i], str(error))
        return stored

    def _refuse_record(self, item: Parsed, record: Body, text: str, reason: str) -> None:
        """Keep a record alone, as a message that can be handled again."""
        head = {key: value for key, value in item.body.items() if key != "recs"}
        body = text.encode() if text else json.dumps(record, separators=(",", ":")).encode()
        payload = compact(head)[:-1].encode() + b',"recs":[' + body + b"]}"
        self._collector.refuse(item.message._replace(payload=payload), reason)

    def _proven(self, text: str, utc: float) -> str:
        """The text with a right MAC, "" without one. Raises InvalidMessage for a wrong one."""
        node, macs = self._key[0], self._collector.macs
        if node not in macs.keys:
            return ""
        state = macs.state(*self._key, text)
        self._states[node, state] += 1
        if reason := macs.refusal(node, state):
            raise InvalidMessage(reason)
        return text if state == record_macs.SIGNED else ""

    def _interval(self, row: Row, proven: str, utc: float) -> None:
        self._collector.check_budget(self._key[0], utc, len(self._rows))
        is_dated = messages.is_dated(row.body, utc)
        if not is_dated:
            row.start = None
        if self._rows and (row.start or "~") <= (self._rows[-1].start or ""):
            self._flush()  # it may be the same interval again
        if self._continues(row.body["seq"]):
            self._rows.append(row)
            self._last = row.body["seq"]
            return
        self._flush()
        was_new = self._store.insert(
            self._key, "interval", row.body, self._utc, is_dated=is_dated, text=proven,
            bin_kmh=row.bin_kmh,
        )  # fmt: skip
        if was_new:
            self._note_new(row)

    def _note_new(self, row: Row) -> None:
        """Note an interval that was stored alone."""
        seq = row.body["seq"]
        twin = self._store.twins(self._key, [row]).get(seq)
        if twin:
            self._store.mark_repeat(self._key, seq)
        self._announce(row, twin)
        self._collector.note_new(self._key, self._state, row.body)
        self._doubt(row, self._before(seq))

    def _continues(self, seq: int) -> bool:
        """Whether a record lies behind all that are held, and nobody said that it is gone."""
        if seq <= self._last or seq <= self._state.held or seq <= self._state.confirmed:
            return False
        return not any(low <= seq <= high for low, high in self._state.gone)

    def _flush(self) -> None:
        """Write the records that continue the log, together."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        first, last = rows[0].body["seq"], rows[-1].body["seq"]
        twins = self._store.twins(self._key, rows)
        for row in rows:
            if row.body["seq"] in twins:
                row.kind = REPEAT
        before = self._state.last_interval
        if not before or before[0] != first - 1:
            before = self._before(first)
        self._store.insert_new(self._key, rows, self._utc)
        self._collector.count_new(self._key[0], len(rows))
        if first == self._reached + 1 and last - first + 1 == len(rows):
            self._reached = last
        self._state.held = last
        for row in rows:
            seq = row.body["seq"]
            is_next = before is not None and (seq == first or before[0] == seq - 1)
            self._announce(row, twins.get(seq))
            totals = self._doubt(row, before if is_next else None)
            before = self._state.last_interval = seq, totals

    def _announce(self, row: Row, twin: tuple[str, int] | None) -> None:
        if twin:
            log, seq = twin
            reason = f"the same interval as record {seq} of log {log}, not counted again"
            self._note_doubt(row.body["seq"], reason)
        else:
            self._collector.tell("interval", self._key[0], row.body)

    def _before(self, seq: int) -> tuple[int, Slots] | None:
        """Number and totals of the interval before, if all records between the two are held."""
        found = self._store.before(self._key, seq)
        return (found[0], _slots(found[1]["total"])) if found else None

    def _doubt(self, row: Row, before: tuple[int, Slots] | None) -> Slots:
        """Note the reasons to doubt an interval. Returns its totals."""
        record = row.body
        is_dated = row.start is not None or record["start"] is None
        reasons = messages.doubts(record, is_dated=is_dated)
        totals = _slots(record["total"])
        if before and not _totals_continue(before[1], totals, _slots(record["counts"])):
            reasons.append(f"the totals do not continue those of record {before[0]}")
        for reason in reasons:
            self._note_doubt(record["seq"], reason)
        return totals

    def _note_doubt(self, seq: int, reason: str) -> None:
        self._store.note_doubt(self._key, seq, reason)
        self._collector.tell("doubt", self._key[0], {"seq": seq, "reason": reason})

    # --- events

    def _event(self, item: Parsed) -> int:
        self._flush()
        body, utc = item.body, item.message.utc
        proven = self._proven(item.message.payload.decode(), utc)
        if body["event"] == "gone":
            self._gone(body, utc)
            return 1
        messages.check_number(body["seq"], utc)
        self._collector.check_budget(self._key[0], utc)
        if self._store.insert(self._key, "event", body, self._utc, text=proven):
            self._collector.tell("event", self._key[0], body)
            self._collector.note_new(self._key, self._state, body)
        return 1

    def _gone(self, body: Body, utc: float) -> None:
        if body["to"] < body["from"]:
            raise InvalidMessage(f"gone: {body['from']}..{body['to']} is no range")
        messages.check_number(body["to"], utc)
        if not self._store.note_gone(self._key, self._state, body["from"], body["to"]):
            raise InvalidMessage("gone: too many ranges of this log")
        self._collector.tell("gone", self._key[0], body)


def _totals_continue(was: Slots, now: Slots, counted: Slots) -> bool:
    """Whether the cumulative totals are those of the interval before plus the counts since."""
    if tuple(map(add, was, counted)) == now:
        return True
    return all((n - w - c) % _TOTAL_WRAP == 0 for n, w, c in zip(now, was, counted, strict=True))


def _slots(tally: dict[str, dict[str, int]]) -> Slots:
    """The numbers of all directions and classes, always in the same order."""
    return (*_CLASSES(tally["forward"]), *_CLASSES(tally["backward"]))
