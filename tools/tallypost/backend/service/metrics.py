"""The figures of the service in the form of Prometheus.

Rates are left to the reader: `rate(tallypost_records_total[5m])`. Names and units follow the
conventions of Prometheus: seconds, bytes, `_total` for what only grows.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import disable_created_metrics, generate_latest

from tallypost.backend.messages import NODE, SUFFIXES
from tallypost.backend.service.watch import Watch

_LAG_S = (5, 15, 60, 120, 300, 900, 3600, 21_600, 86_400, 604_800)
_HANDLING_S = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10)
NODES_MAX = 20_000  # of a metric: names without end would fill the memory


class Metrics(Watch):
    """by_node: a metric for each node."""

    def __init__(self, by_node: bool) -> None:
        self.registry = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._by_node = by_node
        self._seen: dict[str, float] = {}
        names: dict[str, Any] = {"registry": self.registry, "namespace": "tallypost"}
        self._messages = Counter("messages", "Messages by topic", ["topic"], **names)
        self._handled = Counter("handled", "Messages stored or refused", **names)
        self._bytes = Counter("message_bytes", "Bytes of the messages", **names)
        self._news = Counter("news", "New records and reports by kind", ["kind"], **names)
        self._records = Counter("records", "Records that are stored for the first time", **names)
        self._acks = Counter("acks", "Acknowledgements sent to nodes", **names)
        self._refused = Counter("quarantine", "Messages and records refused", **names)
        self._lag = Histogram(
            "lag_seconds", "End of an interval to its storage", buckets=_LAG_S, **names
        )
        self._handling = Histogram(
            "handling_seconds", "One transaction of the store", buckets=_HANDLING_S, **names
        )
        self._up = Gauge("broker_connected", "1 while the broker is connected", **names)
        self._losses = Counter("broker_losses", "Connections to the broker lost", **names)
        self._turn = Gauge("last_turn_timestamp_seconds", "Last sign of the listener", **names)
        Gauge("nodes_seen", "Nodes seen since the start", **names).set_function(
            lambda: len(self._seen)
        )
        self._last = Gauge(
            "node_last_seen_timestamp_seconds", "Last message of a node", ["node"], **names
        )

    def text(self) -> bytes:
        """All metrics in the text form of Prometheus."""
        for node, when in list(self._seen.items()) if self._by_node else ():
            self._last.labels(node).set(when)
        return generate_latest(self.registry)

    def connected(self, is_connected: bool, reason: str = "") -> None:
        self._up.set(is_connected)
        if not is_connected:
            self._losses.inc()

    def turn(self) -> None:
        self._turn.set(time.time())

    def received(self, topic: str, size: int) -> None:
        base, _slash, suffix = topic.rpartition("/")
        node = base.rpartition("/")[2]
        self._messages.labels(suffix if suffix in SUFFIXES else "other").inc()
        self._bytes.inc(size)
        if NODE.fullmatch(node) and (node in self._seen or len(self._seen) < NODES_MAX):
            self._seen[node] = time.time()

    def handled(self, messages: int, seconds: float) -> None:
        self._handled.inc(messages)
        self._handling.observe(seconds)

    def acknowledged(self, topic: str) -> None:
        self._acks.inc()

    def news(self, kind: str, node: str, body: dict[str, Any]) -> None:
        self._news.labels(kind).inc()
        if kind == "quarantine":
            self._refused.inc()
        if kind in ("interval", "event"):
            self._records.inc()
        if kind == "interval" and body.get("start"):
            try:
                start = datetime.fromisoformat(body["start"]).timestamp()
            except ValueError:
                return
            self._lag.observe(max(0.0, time.time() - start - body["len"]))
