"""The messages that have arrived and are not stored yet: one batch, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tallypost import console
from tallypost.backend.receiver import Message, Publication
from tallypost.faults import ToolError
from tallypost.i18n import _

BATCH_MESSAGES = 1000  # handled at once
_BATCH_BYTES = 16 * 1024 * 1024


class Consumer(Protocol):
    """Gets the messages and answers them. Raises an exception if it cannot store them."""

    def on_messages(self, batch: Sequence[Message]) -> list[Publication]: ...

    def is_passing(self, error: BaseException) -> bool:
        """Whether the same messages may be stored later."""

    def idle(self, utc: float) -> bool:
        """Called when no message waits. False if there was nothing to do."""


class Inbox:
    """Puts messages aside, and hands them over together. is_store_away: they have to wait."""

    def __init__(self, collector: Consumer) -> None:
        self._collector = collector
        self._batch: list[tuple[int, int, Message]] = []  # packet id, QoS, message
        self._bytes = 0
        self.is_store_away = False

    def add(self, packet_id: int, qos: int, message: Message) -> bool:
        """Put a message aside. True if the batch is full and should be handled now."""
        self._batch.append((packet_id, qos, message))
        self._bytes += len(message.payload)
        is_full = len(self._batch) >= BATCH_MESSAGES or self._bytes >= _BATCH_BYTES
        return is_full and not self.is_store_away

    def clear(self) -> None:
        """Forget the messages: the broker sends again all that is not acknowledged."""
        self._batch, self._bytes = [], 0

    def store(self) -> tuple[list[tuple[int, int]], list[Publication]]:
        """Store the batch. Returns packet id and QoS of its messages, and the answers: nothing if
        the store is away. Raises ToolError if it fails for good."""
        batch = self._batch
        try:
            answers = self._collector.on_messages([message for _id, _qos, message in batch])
        except Exception as error:
            if self._collector.is_passing(error):
                self._note_away(error)
                return [], []
            self.clear()
            raise ToolError(
                _("the database failed: {reason}").format(reason=error),
                _("The message is not confirmed. Free the disk, then run the command again."),
            ) from error
        self.clear()
        self._note_back()
        return [(packet_id, qos) for packet_id, qos, _message in batch], answers

    def _note_away(self, error: Exception) -> None:
        if not self.is_store_away:
            text = _("the database is away ({reason}): waiting, nothing is confirmed")
            console.note(text.format(reason=str(error).strip()))
        self.is_store_away = True

    def _note_back(self) -> None:
        if self.is_store_away:
            console.note(_("the database is back"))
        self.is_store_away = False
