"""The result of a run: one dict for machines, from which the final table is drawn too."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from statistics import fmean
from typing import Any

from simulator.run.checkers import records
from simulator.run.checkers.decode import CLASSES, DIRECTIONS
from simulator.run.results.scoring import score
from simulator.run.processes.node import Seen
from simulator.run.processes.observer import Passage
from simulator.run.plans.plan import Request
from simulator.run.plans.sensors import SENSORS
from simulator.run.results.statistics import binned_percentile, percentile

NodeResult = dict[str, Any]
BIN_KMH = 4.0  # of the node's histograms


def node_result(seen: Seen) -> NodeResult:
    """One node's part. `matched` pairs single passages with the truth, never totals."""
    watcher, plan = seen.watcher, seen.plan
    ways = SENSORS[plan.detector].ways
    truth = seen.truth if ways else [replace(one, direction=DIRECTIONS[0]) for one in seen.truth]
    matched = score(truth, watcher.passages)
    closed = watcher.closed
    return {
        "node": plan.name,
        "detector": plan.detector,
        "link": plan.link,
        "truth": _tally(seen.truth),
        "counted": records.counted(seen),
        "delivered": records.delivered(seen),
        "noted": _tally(watcher.passages),
        "matched": {
            "precision": round(matched.precision, 4),
            "recall": round(matched.recall, 4),
            "direction_errors": matched.direction_errors,
            "classes": matched.confusion,
            "pairs": matched.matched,
        },
        "speed": _speed(seen, matched.speeds),
        "detector_stats": seen.health.get("detector", {}),
        "intervals": {
            "closed": len(closed),
            "delivered": len(set(records.numbers(seen))),
            "confirmed": sum(number <= seen.confirmed for number in closed),
            "lost": len(records.lost(seen)),
            "duplicated": len(records.duplicated(seen)),
        },
        "coverage": _coverage(seen),
        "resets": sum(watcher.resets.values()),
        "power_cuts": watcher.cuts,
        "heap_free_min": seen.heap_free_min,
        **(_radio(seen) if plan.link != "mqtt" else {}),
        "requests": seen.requests,
        "frames": seen.frames,
        "violations": records.violations(seen),
        "trace_sha256": watcher.digest(),
    }


def whole(request: Request, nodes: list[NodeResult], wall_s: float) -> dict[str, Any]:
    """The run's result as `JSON=` writes it."""
    digest = hashlib.sha256("".join(n["trace_sha256"] for n in nodes).encode())
    return {
        "seed": request.seed,
        "scenario": request.scenario,
        "simulated_s": round(request.hours * 3600),
        "wall_s": round(wall_s, 2),
        "trace_sha256": digest.hexdigest(),
        "violations": [text for n in nodes for text in n["violations"]],
        "nodes": nodes,
    }


def _speed(seen: Seen, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Of single passages, and of the histograms in the log, against the truth; km/h."""
    bins: dict[int, int] = {}
    for record in seen.watcher.closed.values():
        for histogram in record.histograms:
            for i, count in histogram.items():
                bins[i] = bins.get(i, 0) + count
    if not pairs or not bins:
        return {"n": 0}
    true_v85 = percentile([true for true, _ in pairs], 0.85)
    return {
        "n": len(pairs),
        "mean_error": round(fmean(counted - true for true, counted in pairs), 3),
        "error_p95": round(percentile([abs(c - t) for t, c in pairs], 0.95), 3),
        "v85_error": round(binned_percentile(bins, BIN_KMH, 0.85) - true_v85, 3),
    }


def _radio(seen: Seen) -> dict[str, Any]:
    frames = seen.held.on_air
    days = max(seen.end_us / 86_400_000_000, 1.0)
    return {
        "radio": {
            "frames": len(frames),
            "joins": seen.held.joins,
            "airtime_s_a_day": round(sum(f.length_us for f in frames) / 1e6 / days, 2),
            "drained_h": round((seen.end_us - seen.plan.end_us) / 3.6e9, 1),
        }
    }


def _coverage(seen: Seen) -> dict[str, int]:
    closed = seen.watcher.closed.values()
    return {
        "observed_s": sum(record.coverage for record in closed),
        "closed_s": sum(record.length for record in closed),
        "alive_s": seen.watcher.alive_us(0, seen.end_us) // 1_000_000,
    }


def _tally(passages: list[Passage]) -> dict[str, dict[str, int]]:
    tally = {way: dict.fromkeys(CLASSES, 0) for way in DIRECTIONS}
    for passage in passages:
        tally[passage.direction][passage.cls] += 1
    return tally


def total(tally: dict[str, dict[str, int]]) -> int:
    return sum(sum(classes.values()) for classes in tally.values())
