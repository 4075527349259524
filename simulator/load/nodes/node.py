"""A node under load: it connects, sends its records and keeps each until the backend has it.

It does what the firmware does (firmware/delivery/mqtt, lib/mqtt), with the same limits: one
PUBLISH in flight, 10 s for its PUBACK, 200 ms between messages, a back-off with full jitter from
1 s to 120 s. It sends no `health`, and has no detector.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from simulator.load.nodes import packets, texts
from simulator.load.nodes.figures import Figures
from simulator.load.nodes.link import Address, Link, LinkDown, open_link
from simulator.load.nodes.outbox import Outbox
from simulator.load.nodes.street import Street

VERSION = "load"
SETTINGS: dict[str, int | str] = {
    "interval_min": 15, "link": "mqtt", "detector": "ld2451", "mqtt_keepalive": 60, "site": ""
}  # fmt: skip
DIGEST = "10adf0f0"  # stands for the hash of the configuration
_KEEPALIVE_S = 60
_PUBACK_S = 10.0
_PAUSE_S = 0.2
_BACKOFF_S = (1.0, 120.0)


@dataclass(frozen=True)
class Login:
    user: str = ""
    password: str = ""


@dataclass(frozen=True)
class Town:
    """What all nodes have in common. frame_bytes: longest message, topic and header included."""

    address: Address
    root: str
    street: Street
    figures: Figures
    frame_bytes: int


class Node:
    """log: id, 8 hexadecimal digits. closed: number of the newest record."""

    def __init__(self, town: Town, name: str, log: str, closed: int, login: Login) -> None:
        self.name = name
        self.outbox = Outbox(log, closed, town.figures)
        self._turn = int(log, 16)  # which of several brokers is next
        self.is_up = False
        self.has_network = True
        self._town = town
        self._base = f"{town.root}/{name}"
        self._rng = random.Random(log)
        will = (f"{self._base}/status", texts.will(name))
        self._connect = packets.connect(
            f"tallypost-{name}", _KEEPALIVE_S, will, login.user, login.password
        )
        self._link: Link | None = None
        self._packet_id = 0
        self._pending: tuple[int, asyncio.Future[None]] | None = None
        self._unacked = b"", 0  # the PUBLISH that got no PUBACK, its last record
        self._news = asyncio.Event()
        self._limit_s = _BACKOFF_S[0]

    # --- connection

    async def run(self) -> None:
        """Connect, send, listen; again after the back-off, for ever."""
        while True:
            try:
                await self._session()
            except LinkDown as error:
                self._town.figures.failures[str(error)] += 1
            self.cut("ended")
            await asyncio.sleep(self._backoff_s())

    def _backoff_s(self) -> float:
        limit, self._limit_s = self._limit_s, min(2 * self._limit_s, _BACKOFF_S[1])
        return 0.25 + self._rng.random() * limit

    def cut(self, reason: str) -> None:
        self.is_up = False
        if self._link:
            self._link.drop(reason)
            self._link = None

    async def _session(self) -> None:
        figures = self._town.figures
        figures.attempts += 1
        if not self.has_network:
            raise LinkDown("no network")
        link = self._link = Link(self._on_packet)
        self._turn += 1
        await open_link(link, self._town.address, self._turn, self._connect)
        figures.connected()
        for suffix in ("ack", "cmd"):
            link.send(packets.subscribe(self._next_id(), f"{self._base}/{suffix}"))
        await self._retransmit(link)
        self.is_up = True
        for suffix, body in (
            ("status", texts.status(self.name, self.outbox.log, VERSION)),
            ("config", texts.config(self.name, DIGEST, SETTINGS)),
        ):
            await self._publish(link, suffix, body, flags=packets.RETAIN)
        self._limit_s = _BACKOFF_S[0]
        ping = asyncio.create_task(self._ping(link))
        try:
            await self._send_records(link)
        finally:
            ping.cancel()

    async def _ping(self, link: Link) -> None:
        while not link.ended.done():
            await asyncio.sleep(_KEEPALIVE_S / 2)
            link.send(packets.PINGREQ)

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    def _on_packet(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == packets.PUBACK:
            if self._pending and int.from_bytes(body, "big") == self._pending[0]:
                if not self._pending[1].done():
                    self._pending[1].set_result(None)
        elif kind == packets.PUBLISH:
            self._on_publish(*packets.read_publish(first, body))
        elif kind == packets.SUBACK and body[2] & 0x80:
            self._town.figures.refused_subscriptions += 1

    def _on_publish(self, topic: str, packet_id: bytes, payload: bytes) -> None:
        assert self._link
        try:
            if packet_id:
                self._link.send(packets.puback(packet_id))
            if topic.endswith("/ack"):
                self.outbox.acknowledge(payload)
            else:
                reply = json.dumps(self.outbox.command(payload)).encode()
                self._link.send(packets.publish(f"{self._base}/reply", reply, 0, 0))
            self._news.set()
        except (ValueError, KeyError, TypeError):
            self._town.figures.failures["refused a message"] += 1
        except LinkDown:
            return

    # --- sending

    async def _retransmit(self, link: Link) -> None:
        """Send the message that was in flight again (MQTT 3.1.1, 4.4)."""
        data, last = self._unacked
        if data:
            self._town.figures.retransmissions += 1
            await self._deliver(link, bytes([data[0] | packets.DUP]) + data[1:])
            if last:
                self.outbox.note_taken(last)

    async def _publish(
        self, link: Link, suffix: str, body: str, *, flags: int = 0, last: int = 0
    ) -> None:
        """Send a message at QoS 1 and wait for its PUBACK. last: its last record, 0 = none.

        Raises LinkDown.
        """
        topic, flags = f"{self._base}/{suffix}", packets.QOS_1 | flags
        data = packets.publish(topic, body.encode(), self._next_id(), flags)
        self._unacked = data, last
        await self._deliver(link, data)

    async def _deliver(self, link: Link, data: bytes) -> None:
        acked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending = packet_id_of(data), acked
        link.send(data)
        either: set[asyncio.Future[Any]] = {acked, link.ended}
        await asyncio.wait(either, timeout=_PUBACK_S, return_when="FIRST_COMPLETED")
        if not acked.done():
            raise LinkDown(link.ended.result() if link.ended.done() else "no PUBACK in time")
        self._unacked = b"", 0

    async def _send_records(self, link: Link) -> None:
        """Send what there is, until the connection ends. Raises LinkDown."""
        while not link.ended.done():
            if (span := self.outbox.next_range()) is None:
                await self._rest(link)
                continue
            last, body = self.batch(*span)
            self.outbox.note_sending(span[0], last)
            await self._publish(link, "counts", body, last=last)
            self.outbox.note_taken(last)
            await asyncio.sleep(_PAUSE_S)
        raise LinkDown(link.ended.result())

    async def _rest(self, link: Link) -> None:
        """Wait for news. If the acknowledgement stays away, send again."""
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        rest_s = self.outbox.rest_s()
        either: set[asyncio.Future[Any]] = {news, link.ended}
        await asyncio.wait(either, timeout=rest_s, return_when="FIRST_COMPLETED")
        if rest_s is not None and not news.done() and not link.ended.done():
            self.outbox.send_again()
        news.cancel()

    def close_interval(self) -> None:
        """Another interval is over."""
        self.outbox.closed += 1
        self._news.set()

    def batch(self, first: int, last: int) -> tuple[int, str]:
        """As many records as a message holds: number of the last one, payload."""
        topic = f"{self._base}/counts"
        room = self._town.frame_bytes - 5 - 2 - len(topic) - 2
        text = texts.open_counts(self.name, self.outbox.log)
        seq, record = first, self._town.street.interval(first)
        while True:
            text += record
            if seq == last:
                break
            record = "," + self._town.street.interval(seq + 1)
            if len(text) + len(record) + len(texts.CLOSE) > room:
                break
            seq += 1
        return seq, text + texts.CLOSE


def packet_id_of(data: bytes) -> int:
    """The packet id of a PUBLISH at QoS 1."""
    at = 1
    while data[at] & 0x80:
        at += 1
    topic = at + 3 + int.from_bytes(data[at + 1 : at + 3], "big")
    return int.from_bytes(data[topic : topic + 2], "big")
