"""Handles the messages of nodes: checks them against the schemas, stores and confirms them.

A record is committed before it is acknowledged, so a crash never breaks the promise of an
acknowledgement. The acknowledgement is cumulative: up to the last record before the first gap. The
collector asks for a gap with `resend`. If the node answers that records are `gone` (overwritten,
damaged), they are stored as lost and skipped. A message that does not match its schema is kept in
`quarantine` with the reason, and is never acknowledged.

The collector knows no broker: `on_message` gets a message and returns the messages to publish.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tallypost.backend.store import Body, Conflict, Key, Store

PAYLOAD_MAX_BYTES = 64 * 1024
DEPTH_MAX = 32  # levels; an interval has 8, and json.dumps fails earlier than json.loads
_SCHEMAS = Path(__file__).resolve().parent / "schemas"
_TOTAL_WRAP = 1 << 30
_LOG = re.compile(r"^[0-9a-f]{8}\Z")

Publication = tuple[str, bytes, int, bool]  # topic, payload, QoS, retained
News = Callable[[str, str, Body], None]


class InvalidMessage(ValueError):
    """A message that cannot be stored. The text is the reason, and is stored in English."""


class Collector:
    """path: SQLite file, made if it is missing. root: of the topics.

    on_news(kind, node, body) is called after the commit for each new record (`interval`,
    `event`), for a `status`, and for `gone`, `doubt` and `quarantine` with the details.
    """

    def __init__(
        self, path: Path, root: str = "tallypost/v1", on_news: News = lambda *_: None
    ) -> None:
        self._root = root
        self._on_news = on_news
        self.store = Store(path)
        self._news: list[tuple[str, str, Body]] = []

    def close(self) -> None:
        self.store.close()

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Handle a message. Returns the messages to publish. received_utc: unix seconds.

        Raises sqlite3.Error if the disk fails.
        """
        self._news.clear()
        node, _, suffix = topic.removeprefix(self._root + "/").partition("/")
        try:
            with self.store.transaction():
                log = self._store_message(node, suffix, payload, received_utc)
        except (InvalidMessage, Conflict) as error:
            log = None
            with self.store.transaction():
                self.store.quarantine(topic, payload[:PAYLOAD_MAX_BYTES], received_utc, str(error))
            self._news[:] = [("quarantine", node, {"topic": topic, "reason": str(error)})]
        answers = self._answers((node, log), received_utc) if log else []
        for kind, who, body in self._news:
            self._on_news(kind, who, body)
        return answers

    def _store_message(self, node: str, suffix: str, payload: bytes, utc: float) -> str | None:
        """Store the records of a message. Returns their log, None if no answer is due."""
        if suffix not in ("counts", "event", "status"):
            return None
        body = _parse(payload)
        if suffix == "status":
            return self._status(node, body, utc)
        _check(suffix, body)
        if body["node"] != node:
            raise InvalidMessage(f"node: '{body['node']}' in the topic of '{node}'")
        key = node, str(body["log"])
        if suffix == "counts":
            for record in body["recs"]:
                self._interval(key, record, utc)
        elif body["event"] == "gone":
            self._gone(key, body)
        elif self.store.insert(key, "event", body, utc):
            self._news.append(("event", node, body))
        return key[1]

    def _status(self, node: str, body: Body, utc: float) -> str | None:
        """Store a status. A node that comes online gets its confirmation at once."""
        log = body.get("log")
        if log is not None and not (isinstance(log, str) and _LOG.match(log)):
            raise InvalidMessage(f"$.log: {log!r:.100} is no log")
        self.store.note_status(node, body, utc)
        self._news.append(("status", node, body))
        return log if log and self.store.confirmed((node, log)) else None

    def _interval(self, key: Key, record: Body, utc: float) -> None:
        if record["cov"] > record["len"]:
            raise InvalidMessage(f"seq {record['seq']}: cov {record['cov']} > len {record['len']}")
        if not self.store.insert(key, "interval", record, utc):
            return
        self._news.append(("interval", key[0], record))
        before = self.store.before(key, record["seq"])
        if before and not _totals_continue(before[1], record):
            reason = f"the totals do not continue those of record {before[0]}"
            self.store.note_doubt(key, record["seq"], reason)
            self._news.append(("doubt", key[0], {"seq": record["seq"], "reason": reason}))

    def _gone(self, key: Key, body: Body) -> None:
        if body["to"] < body["from"]:
            raise InvalidMessage(f"gone: {body['from']}..{body['to']} is no range")
        self.store.note_gone(key, body["from"], body["to"])
        self._news.append(("gone", key[0], body))

    def _answers(self, key: Key, utc: float) -> list[Publication]:
        """The acknowledgement, and a request for the first gap. The records are committed."""
        node, log = key
        with self.store.transaction():
            confirmed = self.store.advance(key)
            gap = self.store.gap(key, confirmed)
            ask = gap is not None and self.store.should_request(key, gap, utc)
        ack = json.dumps({"v": 1, "log": log, "seq": confirmed}).encode()
        answers: list[Publication] = [(f"{self._root}/{node}/ack", ack, 1, False)]
        if gap and ask:
            command = {"id": f"{log}-{gap[0]}", "cmd": "resend", "from": gap[0], "to": gap[1]}
            answers.append((f"{self._root}/{node}/cmd", json.dumps(command).encode(), 1, False))
        return answers


def _totals_continue(before: Body, record: Body) -> bool:
    """Whether the cumulative totals are those of the interval before plus the counts since."""
    was, now, counted = _slots(before["total"]), _slots(record["total"]), _slots(record["counts"])
    return all((n - w - c) % _TOTAL_WRAP == 0 for n, w, c in zip(now, was, counted, strict=True))


def _slots(tally: dict[str, dict[str, int]]) -> list[int]:
    directions = ("forward", "backward")
    return [n for direction in directions for _, n in sorted(tally[direction].items())]


@cache
def _schema(name: str) -> Draft202012Validator:
    text = (_SCHEMAS / f"{name}.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _check(name: str, body: Body) -> None:
    error = best_match(_schema(name).iter_errors(body))
    if error:
        raise InvalidMessage(f"{error.json_path}: {error.message[:200]}")


def _parse(payload: bytes) -> Body:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise InvalidMessage(f"{len(payload)} bytes, at most {PAYLOAD_MAX_BYTES}")
    try:
        body = json.loads(payload, parse_constant=_no_constant)
        _check_storable(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidMessage("not a JSON object")
    return body


def _no_constant(name: str) -> None:
    """Reject NaN and Infinity: Python reads them, but other readers of the database do not."""
    raise ValueError(f"{name} is no number")


def _check_storable(body: Any) -> None:
    """Raises ValueError for a value that Python parses but cannot write as JSON in UTF-8."""
    level = [body]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, str):
                value.encode()  # half a surrogate pair: UnicodeEncodeError is a ValueError
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError("a number is too large")
        level = inner
    if level:
        raise ValueError(f"more than {DEPTH_MAX} levels deep")
