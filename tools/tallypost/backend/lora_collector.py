"""Handles uplinks from a network server: stores and confirms them, asks for gaps.

The file and the key (node, log, number) are the same as for MQTT. A downlink costs airtime of the
gateway, and the community network allows ten a day. So a node gets at most one downlink in three
hours: a request for the id of its log, a request for a gap, or a confirmation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tallypost.backend import lorawan
from tallypost.backend import network_server
from tallypost.backend.collector import Publication, News
from tallypost.backend.network_server import InvalidUplink, Uplink
from tallypost.backend.short import ShortStore
from tallypost.backend.store import Body, Conflict, Key

PAUSE_S = 3 * 3600.0  # between two downlinks to a node
_RESEND_MAX = 20_000  # in one request


class LoraCollector:
    """path: SQLite file, made if it is missing.

    on_news: as for `Collector`, and for `answer` and `state`.
    """

    def __init__(self, path: Path, on_news: News = lambda *_: None) -> None:
        self._on_news = on_news
        self.store = ShortStore(path)
        self._news: list[tuple[str, str, Body]] = []
        self._last_downlink: dict[str, tuple[float, str]] = {}  # by node: time and command
        self._confirmed: dict[Key, int] = {}  # last number confirmed to the node

    def close(self) -> None:
        self.store.close()

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Handle a message of a network server. Returns the messages to publish.

        received_utc: unix seconds. Raises sqlite3.Error if the disk fails.
        """
        self._news.clear()
        uplink, node, answers = None, "", []
        try:
            uplink = network_server.parse(topic, payload)
            if uplink and uplink.port != lorawan.CLOCK:
                node = uplink.node
                with self.store.transaction():
                    half = self._store_frame(node, uplink.port, uplink.data, received_utc)
                answers = self._answers(uplink, half, received_utc)
        except (InvalidUplink, lorawan.BadFrame, Conflict) as error:
            with self.store.transaction():
                self.store.quarantine(topic, payload, received_utc, str(error))
            self._news[:] = [("quarantine", node, {"topic": topic, "reason": str(error)})]
        for news in self._news:
            self._on_news(*news)
        return answers

    def _store_frame(self, node: str, port: int, data: bytes, utc: float) -> str:
        """Store a frame. Returns the half of the id of its log, "" if it has none."""
        body = lorawan.decode(port, data)
        if port == lorawan.ANSWER:
            self._news.append(("answer", node, body))
            return ""
        if port == lorawan.STATE:
            self._state(node, body, utc)
            return str(body["log"])[-4:]
        half = str(body["log"])
        log = self.store.log_named(node, half)
        if log is None:
            self.store.defer(node, half, (port, data, utc))
        elif port == lorawan.EVENT:
            self._event((node, log), body, utc)
        else:
            for record in body["recs"]:
                if self.store.add((node, log), "interval", record, utc):
                    self._news.append(("interval", node, record))
        return half

    def _state(self, node: str, body: Body, utc: float) -> None:
        key = node, str(body["log"])
        self.store.add_log(key)
        self.store.note_status(node, body, utc)
        self._news.append(("state", node, body))
        for port, data, received in self.store.pop_waiting(node, key[1][-4:]):
            try:
                self._store_frame(node, port, data, received)
            except Conflict as error:  # the other frames have their log now
                self.store.quarantine(node, data, received, str(error))

    def _event(self, key: Key, body: Body, utc: float) -> None:
        if body["event"] == "gone" and "seq" not in body:
            if not 1 <= body["from"] <= body["to"]:
                raise Conflict(f"gone: {body['from']}..{body['to']} is no range")
            self.store.note_gone(key, body["from"], body["to"])
            self._news.append(("gone", key[0], body))
        elif self.store.add(key, "event", body, utc):
            self._news.append(("event", key[0], body))

    # --- downlinks

    def _answers(self, uplink: Uplink, half: str, utc: float) -> list[Publication]:
        """At most one downlink. The records are committed."""
        when, command = self._last_downlink.get(uplink.node, (utc - PAUSE_S, ""))
        log = self.store.log_named(uplink.node, half) if half else None
        key = uplink.node, log or ""
        body = None
        if half:
            with self.store.transaction():
                body = self._next_downlink(key, half, int(utc) & 0xFF, command) if log else None
        if half and not log:
            body = {"id": int(utc) & 0xFF, "cmd": "state"}
        if not body or 0 <= utc - when < PAUSE_S:
            return []
        if "ack" in body:
            self._confirmed[key] = body["ack"]["seq"]
        self._last_downlink[uplink.node] = utc, str(body.get("cmd", "ack"))
        topic, payload = network_server.downlink(uplink, *lorawan.encode(body))
        return [(topic, payload, 0, False)]

    def _next_downlink(self, key: Key, half: str, name: int, last: str) -> dict[str, Any] | None:
        """The downlink for a node: a request for a gap, not twice in a row, or a confirmation.

        name: id of the command. last: the command before.
        """
        confirmed = self.store.advance(key)
        gap = self.store.gap(key, confirmed)
        is_news = confirmed > self._confirmed.get(key, 0)
        if gap and (last != "resend" or not is_news):
            end = min(gap[1], gap[0] + _RESEND_MAX)
            return {"id": name, "cmd": "resend", "log": half, "from": gap[0], "to": end}
        return {"ack": {"log": half, "seq": confirmed}} if is_news else None
