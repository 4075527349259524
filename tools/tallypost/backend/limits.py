"""How much of the backend a node may use: messages, records, and space for refused messages.

A node that works never reaches a limit. One that is faulty or hostile takes neither the disk nor
the time of the others. All limits of the kind are in this file.
"""

from __future__ import annotations

NODES_MAX = 100_000
LOGS_MAX = 256  # of a node; a log begins when its flash is erased
CLAIMS_MAX = 2000  # ranges of a log that are gone; a node has one for each damaged place
WAITING_MAX = 1000  # frames of a node whose log is not known; 10 days of them
MESSAGES_PER_S = 10.0  # of a node, in the long run; a node sends 5 while it has a backlog
MESSAGES_BURST = 5000.0  # a broker may hold as many for a backend that was away
RECORDS_PER_S = 2.0  # new ones of a node, in the long run
RECORDS_BURST = 200_000.0  # 90 days of intervals of 1 min are 130,000

KEPT_BYTES_MAX = 8 * 1024  # of a message; those of a node have 4 KB
TOPIC_CHARS_MAX = 200
NODE_ROWS_MAX = 500
NODE_BYTES_MAX = 1024 * 1024
NODE_ROWS_AN_HOUR_MAX = 200  # more are counted and not written: a write waits for the disk
ALL_ROWS_MAX = 50_000
ALL_BYTES_MAX = 64 * 1024 * 1024
AGE_MAX_S = 90 * 86_400.0


class Budget:
    """Counts the use by each node. rate: how much a second. burst: how much after a long rest."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}  # by node: unix seconds, what is left

    def has(self, node: str, utc: float, amount: int) -> bool:
        """Whether a node may spend the amount."""
        when, left = self._left.get(node, (utc, self._burst))
        return min(self._burst, left + self._rate * max(0.0, utc - when)) >= max(amount, 1)

    def spend(self, node: str, utc: float, amount: int = 1) -> bool:
        """Spend the amount if the node has it."""
        when, left = self._left.get(node, (utc, self._burst))
        left = min(self._burst, left + self._rate * max(0.0, utc - when))
        if left < amount:
            return False
        if node not in self._left and len(self._left) >= NODES_MAX:
            self._left.clear()  # names without end: nobody keeps an account
        self._left[node] = utc, left - amount
        return True
