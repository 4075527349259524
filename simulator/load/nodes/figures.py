"""What is measured while the nodes send: rates, latency of acknowledgements, repeats, connects."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Counts of all nodes together. Times in seconds, from `began` on (monotonic)."""

    began: float = field(default_factory=time.monotonic)
    messages: int = 0  # PUBLISH with records, without repeats
    records_sent: int = 0
    repeats: int = 0  # records that a node sent again
    retransmissions: int = 0  # PUBLISH with DUP
    resend_requests: int = 0
    refused_subscriptions: int = 0
    attempts: int = 0  # to connect
    connects: Counter[int] = field(default_factory=Counter)  # accepted ones, by second
    failures: Counter[str] = field(default_factory=Counter)  # ends of connections, by reason
    latencies: list[float] = field(default_factory=list)  # PUBLISH to acknowledgement
    first_sent: float = 0.0
    last_ack: float = 0.0

    def now(self) -> float:
        return time.monotonic() - self.began

    def sent(self, new: int, again: int) -> None:
        """A message with so many new records, and so many that were sent before."""
        self.first_sent = self.first_sent or self.now()
        self.messages += 1 if new else 0
        self.records_sent += new
        self.repeats += again

    def acknowledged(self, after_s: float) -> None:
        self.latencies.append(after_s)
        self.last_ack = self.now()

    def connected(self) -> None:
        self.connects[int(self.now())] += 1

    def percentile(self, share: float) -> float | None:
        """Of the latencies: the value that this share stays below. None without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def sending_s(self) -> float:
        """From the first message to the last acknowledgement."""
        return max(0.0, self.last_ack - self.first_sent)
