"""Refused messages: list them, show one, handle one again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tallypost.backend import limits
from tallypost.backend.collector import Collector
from tallypost.backend.lorawan.collector import LoraCollector
from tallypost.backend.lorawan.network_server import is_uplink
from tallypost.backend.receiver import Receiver
from tallypost.backend.record_macs import MacKeys
from tallypost.backend.stores.access import Address
from tallypost.backend.stores.database import Body
from tallypost.backend.stores.store import Store
from tallypost.faults import ToolError
from tallypost.i18n import _

_LISTED = "id, node, received, last, times, topic, reason"


@dataclass(frozen=True)
class Refused:
    """A refused message. times: how often it came. payload: at most limits.KEPT_BYTES_MAX."""

    id: int
    node: str
    received: str
    last: str
    times: int
    topic: str
    reason: str
    payload: bytes = b""

    def as_dict(self) -> Body:
        return vars(self) | {"payload": self.payload.decode(errors="backslashreplace")}


def listed(store: Store, rows_max: int = 1000) -> list[Refused]:
    """The refused messages that are kept, the newest first, without their payloads."""
    rows = store.database.execute(
        f"SELECT {_LISTED} FROM quarantine ORDER BY last DESC, id DESC LIMIT ?", (rows_max,)
    ).fetchall()
    return [Refused(*row) for row in rows]


def shown(store: Store, number: int) -> Refused:
    """A refused message with its payload. Raises ToolError."""
    row = store.database.execute(
        f"SELECT {_LISTED}, payload FROM quarantine WHERE id = ?", (number,)
    ).fetchone()
    if not row:
        raise ToolError(
            _("there is no refused message {number}").format(number=number),
            _("Run: tallypost store quarantine list"),
        )
    return replace(Refused(*row[:7]), payload=bytes(row[7]))


def release(address: Address, number: int, macs: MacKeys) -> None:
    """Handle a refused message again, and forget it when it is taken. Raises ToolError."""
    store = Store(address)
    message = shown(store, number)
    store.close()
    if len(message.payload) >= limits.KEPT_BYTES_MAX:
        raise ToolError(
            _("only the begin of message {number} is kept").format(number=number),
            _("The node sends it again until it is confirmed."),
        )
    if "MAC" in message.reason and not macs.keys:
        raise ToolError(
            _("message {number} was refused because of its MAC").format(number=number),
            _("Name the keys of the nodes with --mac-keys."),
        )
    reasons: list[str] = []
    collector = _collector(address, message.topic, macs, reasons)
    try:
        collector.on_message(message.topic, message.payload, time.time())
        if not reasons:
            with collector.store.transaction():
                collector.store.database.execute("DELETE FROM quarantine WHERE id = ?", (number,))
    finally:
        collector.close()
    if reasons:
        raise ToolError(
            _("message {number} is refused again: {reason}").format(
                number=number, reason=reasons[0]
            ),
            _("Nothing was changed."),
        )


def _collector(address: Address, topic: str, macs: MacKeys, reasons: list[str]) -> Receiver:
    """A collector for a topic. Its reasons to refuse go into the list."""

    def on_news(kind: str, _node: str, body: Body) -> None:
        if kind == "quarantine":
            reasons.append(str(body["reason"]))

    if is_uplink(topic):
        return LoraCollector(address, on_news)
    return Collector(address, topic.rsplit("/", 2)[0], on_news, macs)
