"""Checks of the chip's memory: the GC heap must not grow while a node is in service.

What it takes then, it takes from Wi-Fi, sockets and TLS.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.run.processes.node import Evidence


def growth(evidence: Evidence) -> list[str]:
    grown = evidence.memory["gc_growth_after_60s"] or 0
    if not grown:
        return []
    return [f"the GC heap took {grown} bytes of ESP-IDF's memory in service"]


CHECKS: tuple[Callable[[Evidence], list[str]], ...] = (growth,)
