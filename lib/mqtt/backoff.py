"""Waiting times between attempts: exponential, with full jitter.

Full jitter is a uniform draw between 0 and the limit. It spreads a fleet that lost its broker in
the same second. A fixed delay would bring all nodes back at once.
"""


class Backoff:
    """first_ms, max_ms: first and largest limit of the draw. rng(bits) -> int of random bits."""

    def __init__(self, rng, first_ms=1000, max_ms=120_000):
        self._rng = rng
        self._first_ms = first_ms
        self._max_ms = max_ms
        self._limit_ms = first_ms

    def reset(self):
        self._limit_ms = self._first_ms

    def next_ms(self):
        """Time to wait before the next attempt, ms."""
        limit = self._limit_ms
        self._limit_ms = min(limit * 2, self._max_ms)
        return 250 + self._rng(24) % limit
