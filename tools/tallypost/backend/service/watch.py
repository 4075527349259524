"""What a listener tells about its own state. The service's monitor listens to it."""

from __future__ import annotations

from typing import Any

from tallypost import console


class Watch:
    """Tells it on the terminal: a listener without a service needs no more.

    is_ending: the listener is to end in order.
    """

    is_ending = False

    def connected(self, is_connected: bool, reason: str = "") -> None:
        """The connection to the broker has come up, or is lost."""

    def note(self, text: str) -> None:
        """Something that the operator should know."""
        console.note(text)

    def turn(self) -> None:
        """Called twice a second at least while the listener works."""

    def received(self, topic: str, size: int) -> None:
        """A message of so many bytes has arrived."""

    def handled(self, messages: int, seconds: float) -> None:
        """So many messages are stored or refused, in one transaction of so many seconds."""

    def acknowledged(self, topic: str) -> None:
        """An acknowledgement goes to a node."""

    def news(self, kind: str, node: str, body: dict[str, Any]) -> None:
        """A piece of news of the collector, as in collector.py."""
