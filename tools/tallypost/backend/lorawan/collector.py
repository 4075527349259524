"""Handles uplinks from a network server: stores and confirms them, asks for gaps.

The file and the key (node, log, number) are the same as for MQTT. A downlink costs airtime of the
gateway, and the community network allows ten a day. So a node gets at most one downlink in three
hours: a request for the id of its log, a request for a gap, or a confirmation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tallypost.backend import messages
from tallypost.backend.limits import WAITING_MAX
from tallypost.backend.lorawan import frames, network_server
from tallypost.backend.lorawan.network_server import Uplink
from tallypost.backend.messages import InvalidMessage
from tallypost.backend.receiver import Message, News, Publication, Receiver, reason_of
from tallypost.backend.stores.access import Address
from tallypost.backend.stores.database import Body, Conflict, Key, rfc3339
from tallypost.backend.stores.logs import LogState
from tallypost.backend.stores.records import compact
from tallypost.backend.stores.store import Store

PAUSE_S = 3 * 3600.0  # between two downlinks to a node

Frame = tuple[int, bytes, float]  # port, payload, unix seconds


class ShortStore(Store):
    """The SQLite file with the operations for records in the short form of LoRaWAN.

    A merged interval and single ones of the same hour may both arrive, over one link or two. The
    view `counts` uses the outermost of the records that lie inside each other. When all single
    records are held, the merged one is dropped. So no passage counts twice, and none is missing in
    between.
    """

    def add(
        self, key: Key, kind: str, body: Body, utc: float, is_dated: bool = True
    ) -> bool:  # fmt: skip
        """Store a short record. False if it adds nothing. Raises Conflict. See `insert`."""
        last = int(body["seq"])
        first = int(body.get("first", last))
        if self._same(key, first, last, body) or self._is_held(key, first, last):
            return False
        if self._overlaps_partly(key, first, last):
            raise Conflict(f"{first}..{last} of log {key[1]} overlaps with other merged records")
        start = body.get("start") if is_dated else None
        row = (*key, first, last, kind, start, body.get("len"), body.get("cov"))
        self._db.execute(
            "INSERT INTO short VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, compact(body), rfc3339(utc)),
        )
        self._touch(key[0], start)
        self.drop_covered(key, last)
        return True

    def _is_held(self, key: Key, first: int, last: int) -> bool:
        return self.numbers_held(key, first, last) == set(range(first, last + 1))

    def _same(self, key: Key, first: int, last: int, body: Body) -> bool:
        """Whether the same record is held. Raises Conflict if it has other counts."""
        row = self._db.execute(
            "SELECT body FROM short WHERE node = ? AND log = ? AND first = ? AND last = ?",
            (*key, first, last),
        ).fetchone()
        if row and json.loads(row[0]).get("counts") != body.get("counts"):
            raise Conflict(f"{first}..{last} of log {key[1]} is held with other counts")
        return row is not None

    def _overlaps_partly(self, key: Key, first: int, last: int) -> bool:
        """Whether a held range overlaps this one without one being inside the other."""
        row = self._db.execute(
            "SELECT 1 FROM short WHERE node = ? AND log = ? AND first <= ? AND last >= ?"
            " AND NOT (first >= ? AND last <= ?) AND NOT (first <= ? AND last >= ?)",
            (*key, last, first, first, last, first, last),
        ).fetchone()
        return row is not None

    def load_log(self, key: Key) -> LogState:
        """The state of a log, read anew: its short records change it."""
        self._states.pop(key, None)
        return super().load_log(key)

    # --- half a log id

    def log_named(self, node: str, half: str) -> str | None:
        """The newest log of a node with an id that ends like this."""
        row = self._db.execute(
            "SELECT log FROM logs WHERE node = ? AND log LIKE ? ORDER BY confirmed DESC",
            (node, "____" + half),
        ).fetchone()
        return str(row[0]) if row else None

    def defer(self, node: str, half: str, frame: Frame) -> bool:
        """Keep a frame until the full id of its log is known. False if too many wait already."""
        n = self._db.execute("SELECT count(*) FROM waiting WHERE node = ?", (node,)).fetchone()[0]
        if n >= WAITING_MAX:
            return False
        self._db.execute(
            "INSERT INTO waiting VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (node, half, *frame),
        )
        return True

    def pop_waiting(self, node: str, half: str) -> list[Frame]:
        """Remove the frames that waited for this log. Returns them in order of arrival."""
        rows = self._db.execute(
            "SELECT port, payload, received FROM waiting WHERE node = ? AND log = ?"
            " ORDER BY received",
            (node, half),
        ).fetchall()
        self._db.execute("DELETE FROM waiting WHERE node = ? AND log = ?", (node, half))
        return rows


class LoraCollector(Receiver):
    """address: as for `Collector`. on_news: also for `answer` and `state`."""

    store: ShortStore

    def __init__(self, address: Address, on_news: News = lambda *_: None) -> None:
        super().__init__(ShortStore(address), on_news)
        self._last_downlink: dict[str, tuple[float, str]] = {}  # by node: time and command
        self._confirmed: dict[Key, int] = {}  # last number confirmed to the node

    def _sender(self, topic: str) -> str:
        return network_server.device(topic)

    def _handle(self, batch: Sequence[Message]) -> list[Publication]:
        """Handle messages of a network server. Their nodes are locked in the order of names."""
        uplinks: list[tuple[str, int, Uplink, Message]] = []
        for message in batch:
            try:
                uplink = network_server.parse(message.topic, message.payload)
                if uplink and uplink.port != frames.CLOCK:
                    uplinks.append((uplink.node, len(uplinks), uplink, message))
            except Exception as error:
                self.refuse(message, reason_of(error))
        answers = []
        for _node, _i, uplink, message in sorted(uplinks, key=lambda item: item[:2]):
            answers += self._uplink(uplink, message)
        return answers

    def _uplink(self, uplink: Uplink, message: Message) -> list[Publication]:
        news = len(self._news)
        try:
            with self.store.savepoint():
                half = self._store_frame(uplink.node, uplink.port, uplink.data, message.utc)
        except (InvalidMessage, Conflict) as error:
            del self._news[news:]
            self.refuse(message, str(error))
            return []
        return self._answers(uplink, half, message.utc)

    def _store_frame(self, node: str, port: int, data: bytes, utc: float) -> str:
        """Store a frame. Returns the half of the id of its log, "" if it has none."""
        body = frames.decode(port, data)
        if port == frames.ANSWER:
            self.tell("answer", node, body)
            return ""
        if port == frames.STATE:
            self._state(node, body, utc)
            return str(body["log"])[-4:]
        half = str(body["log"])
        log = self.store.log_named(node, half)
        if log is None:
            if not self.store.defer(node, half, (port, data, utc)):
                raise InvalidMessage("too many frames wait for the id of their log")
            return half
        state = self.store.load_log((node, log))
        if port == frames.EVENT:
            self._event((node, log), state, body, utc)
        else:
            for record in body["recs"]:
                self._interval((node, log), state, record, utc)
        self.store.save_log((node, log), state)
        return half

    def _interval(self, key: Key, state: LogState, record: Body, utc: float) -> None:
        messages.check_number(record["seq"], utc)
        self.check_budget(key[0], utc)
        if self.store.add(key, "interval", record, utc, messages.is_dated(record, utc)):
            self.tell("interval", key[0], record)
            self.note_new(key, state, record)

    def _state(self, node: str, body: Body, utc: float) -> None:
        key = node, str(body["log"])
        if not self.store.has_room(key):
            raise InvalidMessage("the node has too many logs")
        state = self.store.load_log(key)
        self.note_withdrawn(key, self.store.note_newest(key, state, int(body["newest"])))
        self.store.save_log(key, state)
        self.store.note_status(node, body, utc)
        self.tell("state", node, body)
        for port, data, received in self.store.pop_waiting(node, key[1][-4:]):
            try:
                with self.store.savepoint():
                    self._store_frame(node, port, data, received)
            except (InvalidMessage, Conflict) as error:  # the other frames have their log now
                self.refused.keep(node, node, data, received, str(error))

    def _event(self, key: Key, state: LogState, body: Body, utc: float) -> None:
        if body["event"] == "gone" and "seq" not in body:
            if not 1 <= body["from"] <= body["to"]:
                raise Conflict(f"gone: {body['from']}..{body['to']} is no range")
            messages.check_number(body["to"], utc)
            if not self.store.note_gone(key, state, body["from"], body["to"]):
                raise InvalidMessage("gone: too many ranges of this log")
            self.tell("gone", key[0], body)
            return
        messages.check_number(body["seq"], utc)
        self.check_budget(key[0], utc)
        if self.store.add(key, "event", body, utc):
            self.tell("event", key[0], body)
            self.note_new(key, state, body)

    # --- downlinks

    def _answers(self, uplink: Uplink, half: str, utc: float) -> list[Publication]:
        """At most one downlink. It goes out after the commit."""
        when, command = self._last_downlink.get(uplink.node, (utc - PAUSE_S, ""))
        log = self.store.log_named(uplink.node, half) if half else None
        key = uplink.node, log or ""
        body = None
        if half:
            body = self._next_downlink(key, half, int(utc) & 0xFF, command) if log else None
        if half and not log:
            body = {"id": int(utc) & 0xFF, "cmd": "state"}
        if not body or 0 <= utc - when < PAUSE_S:
            return []
        if "ack" in body:
            self._confirmed[key] = body["ack"]["seq"]
        self._last_downlink[uplink.node] = utc, str(body.get("cmd", "ack"))
        topic, payload = network_server.downlink(uplink, *frames.encode(body))
        return [(topic, payload, 0, False)]

    def _next_downlink(self, key: Key, half: str, name: int, last: str) -> dict[str, Any] | None:
        """The downlink for a node: a request for a gap, not twice in a row, or a confirmation.

        name: id of the command. last: the command before.
        """
        state = self.store.load_log(key)
        self.advance(key, state)
        self.store.save_log(key, state)
        gap = self.store.gap(key, state.confirmed)
        is_news = state.confirmed > self._confirmed.get(key, 0)
        if gap and (last != "resend" or not is_news):
            return {"id": name, "cmd": "resend", "log": half, "from": gap[0], "to": gap[1]}
        return {"ack": {"log": half, "seq": state.confirmed}} if is_news else None
