"""Handles the messages of nodes: checks them against the schemas, stores and confirms them.

A record is committed before it is acknowledged, so a crash never breaks the promise of an
acknowledgement. The acknowledgement is cumulative: up to the last record before the first gap. The
collector asks for a gap with `resend`. If the node answers that records are `gone` (overwritten,
damaged), they are stored as lost and skipped.

A message that cannot be handled is kept in `quarantine` with the reason, and is never acknowledged
to the node. Nothing that a message holds ends the collector: only a failing disk does.

The collector knows no broker: `on_message` gets a message and returns the messages to publish.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tallypost.backend import limits, messages, record_macs
from tallypost.backend.layout import Body, Key
from tallypost.backend.limits import Budget, Quarantine
from tallypost.backend.messages import InvalidMessage
from tallypost.backend.record_macs import MacKeys
from tallypost.backend.store import Conflict, Store

_TOTAL_WRAP = 1 << 30
# Errors of the disk or of the file. All others are those of the message.
_DISK_ERRORS = (sqlite3.OperationalError, sqlite3.InternalError, sqlite3.DatabaseError)

Publication = tuple[str, bytes, int, bool]  # topic, payload, QoS, retained
News = Callable[[str, str, Body], None]


class Receiver:
    """Handles messages one by one, and survives each. A subclass has `_handle`."""

    def __init__(self, store: Store, on_news: News) -> None:
        self.refused = Quarantine(store.transaction())
        self._store = store
        self._on_news = on_news
        self._news: list[tuple[str, str, Body]] = []
        self._records = Budget(limits.RECORDS_PER_S, limits.RECORDS_BURST)

    def close(self) -> None:
        """Write the counts of dropped messages, and close the file. Raises sqlite3.Error."""
        try:
            with self._store.transaction():
                self.refused.flush()
        finally:
            self._store.close()

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Handle a message. Returns the messages to publish. received_utc: unix seconds.

        Raises sqlite3.Error if the disk fails, OSError if the news cannot be written.
        """
        self._news.clear()
        answers: list[Publication] = []
        try:
            answers = self._handle(topic, payload, received_utc)
        except Exception as error:
            if type(error) in _DISK_ERRORS:
                raise
            self._news.clear()
            self._refuse(topic, payload, received_utc, _reason(error))
        for news in list(self._news):
            self._tell(news, topic, payload, received_utc)
        return answers

    def _handle(self, topic: str, payload: bytes, utc: float) -> list[Publication]:
        raise NotImplementedError

    def _sender(self, topic: str) -> str:
        """The node of a topic, "" if it has none."""
        raise NotImplementedError

    def _refuse(self, topic: str, payload: bytes, utc: float, reason: str) -> None:
        """Keep a message, or a record of it, in quarantine."""
        node = self._sender(topic)
        with self._store.transaction():
            known = node if node and self._store.is_known(node) else ""
            dropped = self.refused.dropped(known)
            if self.refused.keep(known, topic, payload, utc, reason):
                body = {"topic": topic, "reason": reason, "dropped": dropped}
                self._news.append(("quarantine", node, body))

    def _tell(self, news: tuple[str, str, Body], topic: str, payload: bytes, utc: float) -> None:
        """Hand over a piece of news. One that cannot be shown is stored already."""
        try:
            self._on_news(*news)
        except (OSError, sqlite3.Error):
            raise
        except Exception as error:
            self._refuse(topic, payload, utc, f"cannot be shown: {_reason(error)}")

    def _check_budget(self, node: str, utc: float) -> None:
        """Raises InvalidMessage for a node that has stored too many records."""
        if not self._records.spend(node, utc, 0):
            raise InvalidMessage(f"more than {limits.RECORDS_BURST:.0f} new records")

    def _is_new(self, kind: str, key: Key, body: Body, utc: float) -> None:
        """Note a new record. If the node claimed that it is gone, the claim does not hold."""
        self._records.spend(key[0], utc)
        self._news.append((kind, key[0], body))
        last = int(body["seq"])
        ranges = self._store.withdraw_gone(key, int(body.get("first", last)), last)
        self._note_withdrawn(key, ranges)

    def _note_withdrawn(self, key: Key, ranges: list[tuple[int, int]]) -> None:
        for first, last in ranges:
            reason = f"the node claimed that {first} to {last} are gone, and has records there"
            self._correct(key, first, reason)

    def _advance(self, key: Key) -> int:
        """Move the confirmed number. Says so if the node cannot have had the one before."""
        was = self._store.confirmed(key)
        confirmed = self._store.advance(key)
        if confirmed < was:
            self._correct(key, was, f"confirmed {was} and now {confirmed}: there are no more")
        return confirmed

    def _correct(self, key: Key, seq: int, reason: str) -> None:
        self._store.note_doubt(key, seq, reason)
        self._news.append(("corrected", key[0], {"log": key[1], "seq": seq, "reason": reason}))


class Collector(Receiver):
    """path: SQLite file, made if it is missing. root: of the topics.

    on_news(kind, node, body) is called after the commit for each new record (`interval`,
    `event`), for a `status` and other reports, and for `gone`, `doubt`, `corrected` and
    `quarantine` with the details.
    """

    def __init__(
        self, path: Path, root: str = "tallypost/v1", on_news: News = lambda *_: None,
        macs: MacKeys | None = None,
    ) -> None:  # fmt: skip
        self.store = Store(path)
        self._macs = macs or MacKeys()
        super().__init__(self.store, on_news)
        self._root = root
        self._messages = Budget(limits.MESSAGES_PER_S, limits.MESSAGES_BURST)

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Handle a message, as in `Receiver`. Those of a node that floods are only counted."""
        node = self._sender(topic)
        if self._messages.spend(node, received_utc):
            return super().on_message(topic, payload, received_utc)
        self.refused.count(node, received_utc)
        return []

    def _sender(self, topic: str) -> str:
        node = self._split(topic)[0]
        return node if messages.NODE.fullmatch(node) else ""

    def _split(self, topic: str) -> tuple[str, str]:
        node, _, suffix = topic.removeprefix(self._root + "/").partition("/")
        return node, suffix

    def _handle(self, topic: str, payload: bytes, utc: float) -> list[Publication]:
        node, suffix = self._split(topic)
        if suffix not in messages.SUFFIXES:
            return []
        if not messages.NODE.fullmatch(node):
            raise InvalidMessage(f"'{node:.40}' is not the name of a node")
        body = messages.parse(payload)
        messages.check(suffix, body)
        messages.check_sender(node, body)
        refused: list[tuple[Any, str]] = []
        with self.store.transaction():
            log = self._store_message(node, suffix, body, (payload, utc), refused)
        for record, reason in refused:
            self._refuse(topic, json.dumps(record).encode(), utc, reason)
        return self._answers((node, log), utc) if log else []

    def _store_message(
        self, node: str, suffix: str, body: Body, received: tuple[bytes, float],
        refused: list[tuple[Any, str]],
    ) -> str | None:  # fmt: skip
        """Store the records of a message. Returns their log, None if no answer is due.

        received: payload, unix seconds. refused: gets the records that cannot be stored, with the
        reason.
        """
        payload, utc = received
        if not self.store.admit(node):
            raise InvalidMessage(f"more than {limits.NODES_MAX} nodes")
        if suffix not in ("counts", "event"):
            return self._report(node, suffix, body, utc)
        key = node, str(body["log"])
        if not self.store.has_room(key):
            raise InvalidMessage("the node has too many logs")
        if suffix == "event":
            try:
                proven = self._proven(key, payload.decode(), utc)
            except InvalidMessage as error:
                refused.append((body, str(error)))
                return None
            self._event(key, body, proven, utc)
            return key[1]
        texts = self._macs.texts(node, payload, body["recs"])
        for record, text in zip(body["recs"], texts, strict=True):
            try:
                self._interval(key, record, text, utc)
            except (InvalidMessage, Conflict) as error:
                refused.append((record, str(error)))
        return key[1] if len(refused) < len(body["recs"]) else None

    def _report(self, node: str, suffix: str, body: Body, utc: float) -> str | None:
        """Store the last report of a kind. A node that comes online gets its confirmation."""
        self._news.append((suffix, node, body))
        if suffix != "status":
            self.store.note_report(node, suffix, body, utc)
            return None
        self.store.note_status(node, body, utc)
        log = body.get("log")
        return log if log and self.store.confirmed((node, log)) else None

    def _proven(self, key: Key, text: str, utc: float) -> str:
        """The text with a right MAC, "" without one. Raises InvalidMessage for a wrong one."""
        node = key[0]
        if node not in self._macs.keys:
            return ""
        state = self._macs.state(*key, text)
        self.store.note_signature(node, state, utc)
        if reason := self._macs.refusal(node, state):
            raise InvalidMessage(reason)
        return text if state == record_macs.SIGNED else ""

    def _interval(self, key: Key, record: Body, text: str, utc: float) -> None:
        messages.check_interval(record, utc)
        proven = self._proven(key, text, utc)
        self._check_budget(key[0], utc)
        is_dated = messages.is_dated(record, utc)
        if not self.store.insert(
            key, "interval", record, utc, is_dated=is_dated, text=proven
        ):  # fmt: skip
            return
        self._is_new("interval", key, record, utc)
        reasons = messages.doubts(record, utc)
        before = self.store.before(key, record["seq"])
        if before and not _totals_continue(before[1], record):
            reasons.append(f"the totals do not continue those of record {before[0]}")
        for reason in reasons:
            self.store.note_doubt(key, record["seq"], reason)
            self._news.append(("doubt", key[0], {"seq": record["seq"], "reason": reason}))

    def _event(self, key: Key, body: Body, proven: str, utc: float) -> None:
        if body["event"] == "gone":
            self._gone(key, body, utc)
            return
        messages.check_number(body["seq"], utc)
        self._check_budget(key[0], utc)
        if self.store.insert(key, "event", body, utc, text=proven):
            self._is_new("event", key, body, utc)

    def _gone(self, key: Key, body: Body, utc: float) -> None:
        if body["to"] < body["from"]:
            raise InvalidMessage(f"gone: {body['from']}..{body['to']} is no range")
        messages.check_number(body["to"], utc)
        if not self.store.note_gone(key, body["from"], body["to"]):
            raise InvalidMessage("gone: too many ranges of this log")
        self._news.append(("gone", key[0], body))

    def _answers(self, key: Key, utc: float) -> list[Publication]:
        """The acknowledgement, and a request for the first gap. The records are committed."""
        node, log = key
        with self.store.transaction():
            confirmed = self._advance(key)
            gap = self.store.gap(key, confirmed)
            ask = gap is not None and self.store.should_request(key, gap, utc)
        ack = json.dumps({"v": 1, "log": log, "seq": confirmed}).encode()
        answers: list[Publication] = [(f"{self._root}/{node}/ack", ack, 1, False)]
        if gap and ask:
            command = {"id": f"{log}-{gap[0]}", "cmd": "resend", "from": gap[0], "to": gap[1]}
            answers.append((f"{self._root}/{node}/cmd", json.dumps(command).encode(), 1, False))
        return answers


def _reason(error: Exception) -> str:
    """Why a message is refused. Other errors than those foreseen have their name with them."""
    if isinstance(error, ValueError) and type(error) is not ValueError:
        return str(error)
    return f"{type(error).__name__}: {str(error):.200}"


def _totals_continue(before: Body, record: Body) -> bool:
    """Whether the cumulative totals are those of the interval before plus the counts since."""
    was, now, counted = _slots(before["total"]), _slots(record["total"]), _slots(record["counts"])
    return all((n - w - c) % _TOTAL_WRAP == 0 for n, w, c in zip(now, was, counted, strict=True))


def _slots(tally: dict[str, dict[str, int]]) -> list[int]:
    directions = ("forward", "backward")
    return [n for direction in directions for _, n in sorted(tally[direction].items())]
