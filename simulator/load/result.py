"""The result of a load run: a dictionary for JSON=, and a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.load.fleet import Fleet
from simulator.load.stored import Stored

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_LABELS = {
    "records": "records closed", "confirmed": "confirmed at the nodes",
    "stored": "stored in the database", "lost": "lost", "doubled": "doubled",
    "repeats": "records sent again", "retransmissions": "messages sent again with DUP",
    "resend_requests": "requests of the collector", "ack_p50_s": "acknowledged, p50, s",
    "ack_p99_s": "acknowledged, p99, s", "ack_max_s": "acknowledged, slowest, s",
    "records_per_s": "records a second", "connects": "connects", "attempts": "attempts to connect",
    "connect_peak_per_s": "connects in the busiest second", "dropped": "dropped by the broker",
    "refused_subscriptions": "subscriptions refused",
    "connect_mean_per_s": "connects a second, mean", "hostile_messages": "hostile messages",
}  # fmt: skip


def usage(processes: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """By name of a process: CPU time, and the most memory that it had, MB."""
    found = {}
    for name, pid in processes.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        peak = next((line.split()[1] for line in status if line.startswith("VmHWM")), "0")
        cpu_s = (int(fields[11]) + int(fields[12])) * _TICK_S
        found[name] = {"cpu_s": round(cpu_s, 2), "peak_mb": round(int(peak) / 1024, 1)}
    return found


def result(fleet: Fleet, stored: Stored | None) -> dict[str, Any]:
    """stored: None if the database cannot be asked."""
    figures, records = fleet.figures, fleet.planned()
    seconds = figures.sending_s()
    busy_s = max(figures.connects, default=0) - min(figures.connects, default=0) + 1
    connects = sum(figures.connects.values())
    return {
        "records": records,
        "stored": stored.distinct if stored else None,
        "lost": records - stored.distinct if stored else None,
        "doubled": stored.rows - stored.distinct if stored else None,
        "repeats": figures.repeats,
        "ack_p50_s": _rounded(figures.percentile(0.5)),
        "ack_p99_s": _rounded(figures.percentile(0.99)),
        "records_per_s": round(fleet.confirmed() / seconds, 1) if seconds else None,
        "ack_max_s": _rounded(figures.percentile(1.0)),
        "nodes": len(fleet.nodes),
        "confirmed": fleet.confirmed(),
        "seconds": round(figures.now(), 1),
        "retransmissions": figures.retransmissions,
        "resend_requests": figures.resend_requests,
        "refused_subscriptions": figures.refused_subscriptions,
        "attempts": figures.attempts,
        "connects": connects,
        "connect_peak_per_s": max(figures.connects.values(), default=0),
        "connect_mean_per_s": round(connects / busy_s, 1),
        "hostile_messages": sum(stranger.messages for stranger in fleet.strangers),
        "failures": dict(figures.failures),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def table(found: Mapping[str, Any]) -> str:
    rows = [(label, found[key]) for key, label in _LABELS.items() if found.get(key) is not None]
    rows += [(f"ended: {reason}", n) for reason, n in sorted(found["failures"].items())]
    for name, used in found.get("processes", {}).items():
        rows.append((f"{name}: CPU s, most memory in MB", f"{used['cpu_s']}, {used['peak_mb']}"))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {_number(value):>12}" for label, value in rows)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
