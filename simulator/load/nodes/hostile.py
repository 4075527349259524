"""Clients that harm: one floods, one sends what no node sends. Both have a node's own rights.

Each message here has ended, starved or filled a backend, or made it store what cannot be true.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

from simulator.load.nodes import packets, texts
from simulator.load.nodes.link import Link, LinkDown, open_link
from simulator.load.nodes.node import Login, Town

LOG = "ffffffff"  # no node of a run has it
_KEEPALIVE_S = 60
_WAITING_MAX = 1 << 20  # bytes that the broker has not taken: then the client pauses
_PAUSE_S = 0.05
Message = tuple[str, bytes]  # end of the topic, payload


def flood() -> Iterator[Message]:
    """Messages of two bytes, without end."""
    while True:
        yield "status", b"{}"


def hostile(name: str, seed: int) -> Iterator[Message]:
    """One message of each kind after the other, without end."""
    rng = random.Random(seed)
    while True:
        yield from _overrides(name)
        yield from _wasteful(name)
        yield from _malformed(name, rng)
        yield from _implausible(name)


def _record(name: str, **changes: Any) -> bytes:
    body = {"v": 1, "node": name, "log": LOG, "bin_kmh": changes.pop("bin_kmh", 4)}
    return json.dumps(body | {"recs": [json.loads(_text(1)) | changes]}).encode()


def _text(seq: int) -> str:
    no_speed = ((None, None, 0, ()),) * 2
    return "".join(
        (
            texts.head(seq, 1_780_272_000, 900, 900), texts.tally("counts", [0] * 10),
            texts.tally("total", [0] * 10), texts.speeds(no_speed),
            texts.tail(0, 0, "ok", "00000000"),
        )
    )  # fmt: skip


def _overrides(name: str) -> Iterator[Message]:
    """Keys that a backend uses itself, and control characters for a terminal."""
    yield "status", b'{"what":"interval"}'
    yield "status", b'{"at":5}'
    event = {"v": 1, "node": name, "log": LOG, "seq": 2, "event": "boot", "what": "interval"}
    yield "event", json.dumps(event).encode()
    yield "counts", _record(name, what="quarantine", at=5, node="somebody-else")
    yield "status", json.dumps({"state": "online", "version": "\x1b[2J\x1b]0;x\x07\n"}).encode()
    yield "event", json.dumps(event | {"event": "\x1b[31m\nfake line"}).encode()


def _wasteful(name: str) -> Iterator[Message]:
    """What costs the reader time or space: lists without end, nesting, size."""
    yield "counts", _record(name, why=[f"{i}" for i in range(8000)])
    yield "counts", b'{"v":1,"log":"ffffffff","bin_kmh":4,"recs":[' + b"{}," * 21_000 + b"{}]}"
    yield "status", b"[" * 60_000
    yield "status", b'{"state":' + b'{"a":' * 5000 + b"1" + b"}" * 5001


def _malformed(name: str, rng: random.Random) -> Iterator[Message]:
    yield "counts", rng.randbytes(64_000)
    for text in ("NaN", "1e999", "1" + "0" * 5000, "9223372036854775808", "-1", '"x"', "2.0"):
        yield "counts", _record(name).replace(b'"seq": 1', b'"seq": ' + text.encode())
    yield "status", b'{"state":"\\ud800"}'
    yield "status", b""
    yield "event", b"\xff\xfe"


def _implausible(name: str) -> Iterator[Message]:
    """Well formed, and cannot be true."""
    for start in ("2026-99-99T00:00:00Z", "9999-01-01T00:00:00Z"):
        yield "counts", _record(name, seq=3, start=start)
    many = dict.fromkeys(texts.CLASSES, 4_000_000_000)
    yield "counts", _record(name, seq=4, counts={"forward": many, "backward": many})
    yield "counts", _record(name, seq=5, len=0, cov=0)
    speed = {"mean": 1e308, "raw": 1e308, "n": 0, "hist": [[0, 4_000_000_000]]}
    yield "counts", _record(name, seq=6, speed={"forward": speed, "backward": speed})
    yield "counts", _record(name, seq=7)  # the interval of number 1
    yield "counts", _record(name, seq=8, bin_kmh=10)
    yield "counts", _record(name, seq=2**32 - 1)
    gone = {"v": 1, "node": name, "log": LOG, "event": "gone", "from": 1, "to": 2**32 - 1}
    yield "event", json.dumps(gone).encode()


class Stranger:
    """Sends messages of a kind, so many a second. rate: 0 = as fast as the broker takes them."""

    def __init__(self, town: Town, name: str, login: Login, kind: str, rate: float) -> None:
        self.name = name
        self.messages = 0
        self._town = town
        self._base = f"{town.root}/{name}"
        self._kind = flood() if kind == "flood" else hostile(name, 1)
        self._pause_s = 1 / rate if rate else 0.0
        will = (f"{self._base}/status", texts.will(name))
        self._connect = packets.connect(
            f"tallypost-{name}", _KEEPALIVE_S, will, login.user, login.password
        )

    async def run(self) -> None:
        """Send for ever. A broker that ends the connection gets the next message in a second."""
        while True:
            link = Link(lambda _first, _body: None)
            try:
                await open_link(link, self._town.address, 0, self._connect)
                await self._send(link)
            except LinkDown as error:
                self._town.figures.failures[f"hostile: {error}"] += 1
            link.drop("ended")
            await asyncio.sleep(1)

    async def _send(self, link: Link) -> None:
        for suffix, payload in self._kind:
            while link.waiting_bytes() > _WAITING_MAX:
                await asyncio.sleep(_PAUSE_S)
            self.messages += 1
            packet_id = self.messages % 65535 + 1
            link.send(packets.publish(f"{self._base}/{suffix}", payload, packet_id))
            await asyncio.sleep(self._pause_s)
