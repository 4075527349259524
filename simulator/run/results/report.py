"""The result of a run: one dict for machines. The final table is drawn from it, too."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from simulator.run.checkers import records
from simulator.run.checkers.decode import CLASSES, DIRECTIONS
from simulator.run.plans.plan import RunOptions
from simulator.run.plans.sensors import SENSORS
from simulator.run.processes.node import Evidence
from simulator.run.processes.observer import Passage
from simulator.run.results.directions import by_direction, speed_errors
from simulator.run.results.hours import by_hour
from simulator.run.results.scoring import Score, recall_by_chance, score

NodeResult = dict[str, Any]


def node_result(evidence: Evidence) -> NodeResult:
    """One node's part. `matched` pairs single passages with the truth, never totals."""
    observer, plan = evidence.observer, evidence.plan
    truth = evidence.truth
    sensor = SENSORS[plan.detector]
    if not sensor.directional:
        truth = [replace(passage, direction=DIRECTIONS[0]) for passage in truth]
    matched = score(truth, observer.passages, sensor.window)
    return {
        "node": plan.name,
        "detector": plan.detector,
        "link": plan.link,
        "truth": _tally(evidence.truth),
        "counted": records.counted(evidence),
        "delivered": records.delivered(evidence),
        "noted": _tally(observer.passages),
        "matched": _matched(matched, recall_by_chance(truth, observer.passages, sensor.window)),
        "directions": by_direction(evidence, truth, sensor.window),
        "hours": by_hour(truth, observer.passages, plan.end_us),
        "speed": speed_errors(
            [one for record in observer.closed.values() for one in record.histograms],
            matched.speeds,
        ),
        "detector_stats": evidence.health.get("detector", {}),
        "intervals": _intervals(evidence),
        "coverage": _coverage(evidence),
        "resets": sum(observer.resets.values()),
        "power_cuts": observer.cuts,
        "heap_free_min": evidence.heap_free_min,
        "memory": evidence.memory,
        **({"commands": evidence.commands} if evidence.plan.commands else {}),
        **(_radio(evidence) if plan.link != "mqtt" else {}),
        "requests": evidence.requests,
        "frames": evidence.frames,
        "violations": records.violations(evidence),
        "trace_sha256": observer.digest(),
    }


def _matched(found: Score, by_chance: float) -> dict[str, Any]:
    return {
        "precision": round(found.precision, 4),
        "recall": round(found.recall, 4),
        "recall_by_chance": round(by_chance, 4),
        "direction_errors": found.direction_errors,
        "classes": found.confusion,
        "pairs": found.matched,
    }


def _intervals(evidence: Evidence) -> dict[str, int]:
    closed = evidence.observer.closed
    return {
        "closed": len(closed),
        "delivered": len(set(records.numbers(evidence))),
        "confirmed": sum(number <= evidence.confirmed for number in closed),
        "lost": len(records.lost(evidence)),
        "duplicated": len(records.duplicated(evidence)),
    }


def whole(options: RunOptions, nodes: list[NodeResult], wall_s: float) -> dict[str, Any]:
    """The run's result as `JSON=` writes it."""
    digest = hashlib.sha256("".join(n["trace_sha256"] for n in nodes).encode())
    return {
        "seed": options.seed,
        "scenario": options.scenario,
        "simulated_s": round(options.hours * 3600),
        "wall_s": round(wall_s, 2),
        "trace_sha256": digest.hexdigest(),
        **_air([n["radio"]["air"] for n in nodes if n.get("radio", {}).get("air")]),
        "violations": [text for n in nodes for text in n["violations"]],
        "nodes": nodes,
    }


def _radio(evidence: Evidence) -> dict[str, Any]:
    frames = evidence.backend.transmissions
    days = max(evidence.end_us / 86_400_000_000, 1.0)
    return {
        "radio": {
            "frames": len(frames),
            "joins": evidence.backend.joins,
            "airtime_s_a_day": round(sum(f.length_us for f in frames) / 1e6 / days, 2),
            "drained_h": round((evidence.end_us - evidence.plan.end_us) / 3.6e9, 1),
            **({"air": evidence.backend.air} if evidence.backend.air else {}),
        }
    }


def _air(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """The frames of all nodes that share the air, and what became of them."""
    if not nodes:
        return {}
    keys = [key for key, value in nodes[0].items() if isinstance(value, int)]
    whole: dict[str, Any] = {key: sum(n[key] for n in nodes) for key in keys}
    later = zip(*(n["after_first_hour"] for n in nodes))
    factors = sorted({sf for n in nodes for sf in n["by_sf"]}, key=int)
    rows = {sf: [n["by_sf"][sf] for n in nodes if sf in n["by_sf"]] for sf in factors}
    whole["by_sf"] = {sf: [sum(pair) for pair in zip(*rows[sf])] for sf in factors}
    return {"air": {**whole, "after_first_hour": [sum(column) for column in later]}}


def _coverage(evidence: Evidence) -> dict[str, int]:
    closed = evidence.observer.closed.values()
    return {
        "observed_s": sum(record.coverage for record in closed),
        "closed_s": sum(record.length for record in closed),
        "alive_s": evidence.observer.alive_us(0, evidence.end_us) // 1_000_000,
    }


def _tally(passages: list[Passage]) -> dict[str, dict[str, int]]:
    tally = {direction: dict.fromkeys(CLASSES, 0) for direction in DIRECTIONS}
    for passage in passages:
        tally[passage.direction][passage.cls] += 1
    return tally


def total(tally: dict[str, dict[str, int]]) -> int:
    return sum(sum(classes.values()) for classes in tally.values())
