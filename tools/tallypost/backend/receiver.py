"""The core of every collector: a batch of messages in one transaction, and then the answers.

A batch is all that has arrived. Its records are committed before anything is acknowledged, so a
crash never breaks the promise of an acknowledgement. If a message cannot be handled, it is kept in
`quarantine` with the reason. Nothing that a message holds ends the collector: only a failing disk
does. An error that nobody foresaw rolls the batch back. Then each half is tried alone, until the
message that causes it stands alone and goes into quarantine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tallypost.backend import limits
from tallypost.backend.limits import Budget
from tallypost.backend.messages import InvalidMessage
from tallypost.backend.stores.database import Body, Key, rfc3339
from tallypost.backend.stores.logs import LogState
from tallypost.backend.stores.quarantine import Quarantine
from tallypost.backend.stores.store import Store

Publication = tuple[str, bytes, int, bool]  # topic, payload, QoS, retained
News = Callable[[str, str, Body], None]


class Message(NamedTuple):
    """utc: when it was received, unix seconds."""

    topic: str
    payload: bytes
    utc: float


class EachMessage(ABC):
    """A consumer of messages that stores nothing: `on_message` gets them one by one."""

    @abstractmethod
    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]: ...

    def on_messages(self, batch: Sequence[Message]) -> list[Publication]:
        return [answer for message in batch for answer in self.on_message(*message)]

    def is_passing(self, _error: BaseException) -> bool:
        return False

    def idle(self, _utc: float) -> bool:
        return False


class Receiver(ABC):
    """Handles batches of messages, and survives each. A subclass has `_handle`."""

    def __init__(self, store: Store, on_news: News) -> None:
        self.refused = Quarantine(store.database)
        self.store = store
        self._on_news = on_news
        self._news: list[tuple[str, str, Body]] = []
        self._records = Budget(limits.RECORDS_PER_S, limits.RECORDS_BURST)
        self._refusals: list[tuple[Message, str]] = []
        self._new: Counter[str] = Counter()  # by node, new records of this transaction

    def close(self) -> None:
        """Write the counts of dropped messages, and close the store. Raises the store's error."""
        try:
            with self.store.transaction():
                self.refused.flush()
        finally:
            self.store.close()

    def on_message(self, topic: str, payload: bytes, received_utc: float) -> list[Publication]:
        """Handle a message. Returns the messages to publish. received_utc: unix seconds.

        Raises the store's error if the disk fails, OSError if the news cannot be written.
        """
        return self.on_messages([Message(topic, payload, received_utc)])

    def on_messages(self, batch: Sequence[Message]) -> list[Publication]:
        """Handle all messages of a batch in one transaction. Raises as `on_message`."""
        return self._commit(batch) if batch else []

    def _commit(self, batch: Sequence[Message]) -> list[Publication]:
        self._begin()
        utc = batch[-1].utc
        try:
            with _without_collection(), self.store.transaction(utc):
                answers = self._handle(batch)
                self._write_refusals()
        except Exception as error:
            if self.store.is_failure(error):
                raise
            return self._isolate(batch, error)
        for node, n in self._new.items():
            self._records.spend(node, utc, n)
        self._tell(utc)
        return answers

    def _begin(self) -> None:
        self._news, self._refusals, self._new = [], [], Counter()

    def is_passing(self, error: BaseException) -> bool:
        """Whether the same batch may be stored later: the store is locked, full or away."""
        return self.store.is_passing(error)

    def idle(self, utc: float) -> bool:
        """Sum up some days, when no message waits. False if there is nothing left to do."""
        return self.store.summarise(rfc3339(utc)[:10]) > 0

    def _isolate(self, batch: Sequence[Message], error: Exception) -> list[Publication]:
        """Handle the halves of a batch that failed. A single message is refused."""
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._commit(batch[:middle]) + self._commit(batch[middle:])
        self._begin()
        with self.store.transaction():
            self.refuse(batch[0], reason_of(error))
            self._write_refusals()
        self._tell(batch[0].utc)
        return []

    @abstractmethod
    def _handle(self, batch: Sequence[Message]) -> list[Publication]:
        """Store a batch, inside a transaction. Returns the answers."""

    @abstractmethod
    def _sender(self, topic: str) -> str:
        """The node of a topic, "" if it has none."""

    def refuse(self, message: Message, reason: str) -> None:
        """Keep a message, or a record of it, in quarantine, at the end of the transaction: other
        collectors wait for the same rows, and all take theirs in the same order."""
        self._refusals.append((message, reason))

    def _write_refusals(self) -> None:
        for message, reason in self._refusals:
            node = self._sender(message.topic)
            known = node if node and self.store.is_known(node) else ""
            dropped = self.refused.dropped(known)
            if self.refused.keep(known, message.topic, message.payload, message.utc, reason):
                body = {"topic": message.topic, "reason": reason, "dropped": dropped}
                self._news.append(("quarantine", node, body))

    def _tell(self, utc: float) -> None:
        """Hand over the news. A piece that cannot be shown is stored already."""
        for kind, node, body in self._news:
            try:
                self._on_news(kind, node, body)
            except OSError:
                raise
            except Exception as error:
                self._keep_unshown(kind, node, error, utc)

    def _keep_unshown(self, kind: str, node: str, error: Exception, utc: float) -> None:
        if self.store.is_failure(error):
            raise error
        with self.store.transaction():
            reason = f"cannot be shown: {reason_of(error)}"
            self.refused.keep(node, f"{node}/{kind}", b"", utc, reason)

    # --- for those that store a record

    def tell(self, kind: str, node: str, body: Body) -> None:
        """A piece of news, handed over after the commit."""
        self._news.append((kind, node, body))

    def check_budget(self, node: str, utc: float, pending: int = 0) -> None:
        """Raises InvalidMessage for a node that has stored too many records. pending: records
        that are not counted yet."""
        if not self._records.has(node, utc, self._new[node] + pending + 1):
            raise InvalidMessage(f"more than {limits.RECORDS_BURST:.0f} new records")

    def count_new(self, node: str, n: int = 1) -> None:
        """Count new records of a node."""
        self._new[node] += n

    def note_new(self, key: Key, state: LogState, body: Body) -> None:
        """Note a new record. If the node claimed that it is gone, the claim does not hold."""
        self.count_new(key[0])
        last = int(body["seq"])
        state.held = max(state.held, last)
        ranges = self.store.withdraw_gone(key, state, int(body.get("first", last)), last)
        self.note_withdrawn(key, ranges)

    def note_withdrawn(self, key: Key, ranges: list[tuple[int, int]]) -> None:
        for first, last in ranges:
            reason = f"the node claimed that {first} to {last} are gone, and has records there"
            self.correct(key, first, reason)

    def advance(self, key: Key, state: LogState, reached: int = 0) -> None:
        """Move the confirmed number. Says so if the node cannot have had the one before."""
        before = state.confirmed
        self.store.advance(key, state, reached)
        if state.confirmed < before:
            reason = f"confirmed {before} and now {state.confirmed}: there are no more"
            self.correct(key, before, reason)

    def correct(self, key: Key, seq: int, reason: str) -> None:
        self.store.note_doubt(key, seq, reason)
        self._news.append(("corrected", key[0], {"log": key[1], "seq": seq, "reason": reason}))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection inside: it looks at all values of a batch again and again, and none of
    them is in a cycle. It takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def reason_of(error: Exception) -> str:
    """Why a message is refused. Other errors than those foreseen have their name with them."""
    if isinstance(error, ValueError) and type(error) is not ValueError:
        return str(error)
    return f"{type(error).__name__}: {str(error):.200}"
