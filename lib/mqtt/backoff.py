"""Waiting times between attempts: exponential, with full jitter.

Full jitter (a uniform draw between 0 and the limit) spreads a fleet that lost its broker in the
same second; a fixed delay would bring all nodes back at once.
"""


class Backoff:
    """first_ms, most_ms: limits of the draw. rng(bits) -> int of so many random bits."""

    def __init__(self, rng, first_ms=1000, most_ms=120_000):
        self._rng = rng
        self._first_ms = first_ms
        self._most_ms = most_ms
        self._limit_ms = first_ms

    def reset(self):
        self._limit_ms = self._first_ms

    def next_ms(self):
        """How long to wait before the next attempt."""
        limit = self._limit_ms
        self._limit_ms = min(limit * 2, self._most_ms)
        return 250 + self._rng(24) % limit
