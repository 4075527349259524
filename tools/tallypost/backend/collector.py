"""Handles the messages of nodes: checks them against the schemas, stores and confirms them.

The acknowledgement is cumulative: up to the last record before the first gap. The collector asks
for a gap with `resend`. If the node answers that records are `gone` (overwritten, damaged), they
are stored as lost and skipped. A message in quarantine is never acknowledged to the node.

The collector knows no broker: `on_messages` gets a batch and returns the messages to publish. Of
each log of a node it locks the row, in the order of the keys. So several collectors may share a
store, and each may get any message.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from tallypost.backend import limits, messages
from tallypost.backend.limits import Budget
from tallypost.backend.log_writer import LogWriter, Parsed
from tallypost.backend.messages import InvalidMessage
from tallypost.backend.receiver import Message, News, Publication, Receiver, reason_of
from tallypost.backend.record_macs import MacKeys
from tallypost.backend.stores.access import Address
from tallypost.backend.stores.database import Key
from tallypost.backend.stores.store import Store

__all__ = ("Collector", "Message", "News", "Publication", "Receiver")

_RECORDS = ("counts", "event")


class Collector(Receiver):
    """address: SQLite file, made if it is missing, or URL of PostgreSQL. root: of the topics.

    on_news(kind, node, body) is called after the commit for each new record (`interval`,
    `event`), for a `status` and other reports, and for `gone`, `doubt`, `corrected` and
    `quarantine` with the details.
    """

    def __init__(
        self, address: Address, root: str = "tallypost/v1", on_news: News = lambda *_: None,
        macs: MacKeys | None = None,
    ) -> None:  # fmt: skip
        super().__init__(Store(address), on_news)
        self.macs = macs or MacKeys()
        self._root = root
        self._messages = Budget(limits.MESSAGES_PER_S, limits.MESSAGES_BURST)

    def on_messages(self, batch: Sequence[Message]) -> list[Publication]:
        """Handle a batch, as in `Receiver`. Messages of a node that floods are only counted."""
        taken = []
        for message in batch:
            node = self._sender(message.topic)
            if self._messages.spend(node, message.utc):
                taken.append(message)
            else:
                self.refused.count(node, message.utc)
        return super().on_messages(taken)

    def _sender(self, topic: str) -> str:
        node = self._split(topic)[0]
        return node if messages.NODE.fullmatch(node) else ""

    def _split(self, topic: str) -> tuple[str, str]:
        node, _, suffix = topic.removeprefix(self._root + "/").partition("/")
        return node, suffix

    def _handle(self, batch: Sequence[Message]) -> list[Publication]:
        logs: dict[Key, list[Parsed]] = {}
        reports = []
        for message in batch:
            try:
                parsed = self._parse(message)
            except Exception as error:
                self.refuse(message, reason_of(error))
                continue
            if parsed and parsed.suffix in _RECORDS:
                logs.setdefault((parsed.node, parsed.body["log"]), []).append(parsed)
            elif parsed:
                reports.append(parsed)
        for parsed in sorted(reports, key=lambda parsed: parsed.node):
            if key := self._report(parsed):
                logs.setdefault(key, [])
        answers = []
        for key, items in sorted(logs.items()):
            answers += self._log(key, items, batch[-1].utc)
        return answers

    def _parse(self, message: Message) -> Parsed | None:
        """A message that fits its schema, None if it is not for us. Raises InvalidMessage."""
        node, suffix = self._split(message.topic)
        if suffix not in messages.SUFFIXES:
            return None
        if not messages.NODE.fullmatch(node):
            raise InvalidMessage(f"'{node:.40}' is not the name of a node")
        if suffix == "counts" and (found := messages.read_counts(message.payload)):
            messages.check_sender(node, found.body)
            return Parsed(message, node, suffix, found.body, found.texts)
        body = messages.parse(message.payload)
        messages.check(suffix, body)
        messages.check_sender(node, body)
        return Parsed(message, node, suffix, body)

    def _report(self, parsed: Parsed) -> Key | None:
        """Store the last report of a kind. A node that comes online gets its confirmation: then
        this returns its log."""
        node, body, utc = parsed.node, parsed.body, parsed.message.utc
        if not self.store.admit(node):
            self.refuse(parsed.message, f"more than {limits.NODES_MAX} nodes")
            return None
        self.tell(parsed.suffix, node, body)
        if parsed.suffix != "status":
            self.store.note_report(node, parsed.suffix, body, utc)
            return None
        self.store.note_status(node, body, utc)
        log = body.get("log")
        return (node, log) if log and self.store.confirmed((node, log)) else None

    def _log(self, key: Key, items: list[Parsed], utc: float) -> list[Publication]:
        """Store the records of a log. The acknowledgement, and a request for the first gap."""
        reason = self._no_room(key) if items else ""
        if reason:
            for item in items:
                self.refuse(item.message, reason)
            return []
        state = self.store.load_log(key)
        writer = LogWriter(self, key, state, utc)
        is_due = writer.write(items) or not items
        if not is_due:
            self.store.forget_empty(key)
            return []
        self.advance(key, state, writer.reached)
        gap = self.store.request(key, state, utc)
        self.store.save_log(key, state)
        return self._answers(key, state.confirmed, gap)

    def _no_room(self, key: Key) -> str:
        """Why the store takes no records of a log, "" if it does."""
        if self.store.is_loaded(key):
            return ""
        if not self.store.admit(key[0]):
            return f"more than {limits.NODES_MAX} nodes"
        return "" if self.store.has_room(key) else "the node has too many logs"

    def _answers(self, key: Key, confirmed: int, gap: tuple[int, int] | None) -> list[Publication]:
        node, log = key
        ack = orjson.dumps({"v": 1, "log": log, "seq": confirmed})
        answers: list[Publication] = [(f"{self._root}/{node}/ack", ack, 1, False)]
        if gap:
            command = {"id": f"{log}-{gap[0]}", "cmd": "resend", "from": gap[0], "to": gap[1]}
            answers.append((f"{self._root}/{node}/cmd", orjson.dumps(command), 1, False))
        return answers
