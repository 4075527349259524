"""Plays the city's backend: the product's own collector behind the world's broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulator.world.network.broker import Broker
from tallypost.backend.collector import Collector, News
from tallypost.backend.record_macs import MacKeys

COMMIT_US = 120_000  # from the message to the answer: the database's commit


class CollectorBridge:
    """Collects into the SQLite file `path`. Answers go out over the broker.

    away: spans (from, to in microseconds) during which the backend is not subscribed. Messages of
    that time are lost, as with a broker that has no session for the backend. macs: of the nodes.
    """

    def __init__(
        self,
        path: Path,
        broker: Broker,
        start_utc: int,
        away: list[tuple[int, int]],
        *,
        on_news: News,
        macs: MacKeys,
    ) -> None:
        self.collector = Collector(path, broker.root, on_news, macs)
        self._broker = broker
        self._start_utc = start_utc
        self._away = away
        self.call_at: Callable[[int, Callable[[], None]], None] = lambda _t, _f: None
        broker.attach(self._message)

    def _message(self, t_us: int, topic: str, payload: bytes) -> None:
        if any(start <= t_us < end for start, end in self._away):
            return
        utc = self._start_utc + t_us / 1e6
        for answer in self.collector.on_message(topic, payload, utc):
            self._answer(t_us + COMMIT_US, *answer)

    def _answer(self, t_us: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        self.call_at(t_us, lambda: self._broker.publish(t_us, topic, payload, qos, retain))
