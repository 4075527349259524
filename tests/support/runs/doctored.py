"""Doctors for a faultless run: each adds one fault. The violation that must be found is beside
it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from simulator.run.processes.node import Evidence
from tests.support.runs.made_run import LENGTH_S, SMALL, S, entry, message, packed, ring

Doctor = Callable[[Evidence], object]


def closed(evidence: Evidence, number: int, **change: Any) -> None:
    """Change a closed interval everywhere: in the trace, in flash and at the backend."""
    records = evidence.observer.closed
    records[number] = replace(records[number], **change)
    evidence.ring = ring(records, evidence.confirmed)
    evidence.delivered[number] = message(number, records[number])


def body(evidence: Evidence, number: int) -> Any:
    return evidence.delivered[number]


def lose(evidence: Evidence) -> None:
    del evidence.delivered[3]
    evidence.order.remove(3)


def double(evidence: Evidence) -> None:
    evidence.delivered[9] = body(evidence, 4) | {"seq": 9}


def phantom_interval(evidence: Evidence) -> None:
    late = evidence.observer.closed[8].start + 2 * LENGTH_S
    evidence.delivered[9] = body(evidence, 8) | {"seq": 9, "start": _text(late)}


def wrong_count(evidence: Evidence) -> None:
    body(evidence, 2)["counts"]["forward"]["car"] += 1


def wrong_total(evidence: Evidence) -> None:
    body(evidence, 2)["total"]["backward"]["heavy"] += 1


def wrong_way(evidence: Evidence) -> None:
    counts = body(evidence, 2)["counts"]
    counts["forward"], counts["backward"] = counts["backward"], counts["forward"]


def wrong_speeds(evidence: Evidence) -> None:
    body(evidence, 5)["speed"]["backward"]["hist"][0][1] += 1


def wrong_mean_base(evidence: Evidence) -> None:
    body(evidence, 5)["speed"]["forward"]["n"] = 0


def wrong_start(evidence: Evidence) -> None:
    body(evidence, 8)["start"] = _text(evidence.observer.closed[8].start + 1)


def wrong_coverage(evidence: Evidence) -> None:
    body(evidence, 8)["cov"] -= 1


def flip(evidence: Evidence, at: int) -> None:
    data = bytearray(evidence.ring)
    data[at] ^= 1
    evidence.ring = bytes(data)


def corrupt(evidence: Evidence) -> None:
    flip(evidence, SMALL * 4096 + 32 + 12 + 3)


def corrupt_header(evidence: Evidence) -> None:
    flip(evidence, SMALL * 4096 + 8)


def other_record(evidence: Evidence) -> None:
    records = dict(evidence.observer.closed)
    records[2] = replace(records[2], coverage=100)
    evidence.ring = ring(records, 8)


def rewritten(evidence: Evidence) -> None:
    """The node closes another interval under a used number."""
    other = replace(evidence.observer.closed[2], coverage=1)
    data = entry(2, 1, packed(other))
    evidence.observer.on("flash:program", 7300 * S, struct.pack("<I", 0x300000 + 14 * 4096) + data)


def out_of_order(evidence: Evidence) -> None:
    evidence.order[2:4] = [4, 3]


def totals_jump(evidence: Evidence) -> None:
    totals = list(evidence.observer.closed[8].totals)
    totals[3] += 1
    closed(evidence, 8, totals=totals)


def _count(evidence: Evidence, number: int, more: int) -> None:
    """Add cars to an interval, or remove them, as if the totals had always been so."""
    records = evidence.observer.closed
    for later in range(number, 9):
        counts, totals = list(records[later].counts), list(records[later].totals)
        counts[2] += more * (later == number)
        totals[2] += more
        closed(evidence, later, counts=counts, totals=totals)


def missed_passage(evidence: Evidence) -> None:
    _count(evidence, 8, -1)


def phantom_passage(evidence: Evidence) -> None:
    _count(evidence, 3, 1)


def moved_passage(evidence: Evidence) -> None:
    _count(evidence, 3, 1)
    _count(evidence, 4, -1)


def covered_more_than_long(evidence: Evidence) -> None:
    closed(evidence, 8, coverage=901)


def covered_while_off(evidence: Evidence) -> None:
    end_us = 8 * LENGTH_S * S
    evidence.observer.alive[:] = [[0, end_us - 500 * S], [end_us - 100 * S, -1]]


def covered_less_without_a_reason(evidence: Evidence) -> None:
    closed(evidence, 5, coverage=800)


def overlapping(evidence: Evidence) -> None:
    closed(evidence, 5, start=evidence.observer.closed[5].start - 10)


def gap_in_time(evidence: Evidence) -> None:
    closed(evidence, 5, length=600, coverage=600)


def unconfirmed(evidence: Evidence) -> None:
    evidence.confirmed = 7


def flash_rule(evidence: Evidence) -> None:
    evidence.flash_violations.append("flash: programmed over programmed bytes at 0x303008")


def deaf(evidence: Evidence) -> None:
    """A connection that is kept although no byte comes any more."""
    evidence.observer.on("net:open", 60 * S, "ok")
    evidence.observer.on("net:rx", 100 * S, b"x")
    evidence.observer.on("net:close", 194 * S, "by the node")


def deaf_for_ever(evidence: Evidence) -> None:
    evidence.observer.on("net:open", 60 * S, "ok")


def fault(evidence: Evidence) -> None:
    evidence.observer.on("log", 5, "Traceback (most recent call last):\nOSError: 5")


def reset(evidence: Evidence) -> None:
    evidence.observer.on("reset:watchdog", 7200 * S, "")


def quarantined(evidence: Evidence) -> None:
    evidence.backend.anomalies["quarantine"] = 2


def _text(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FAULTS: tuple[tuple[Doctor, str], ...] = (
    (lose, "1 closed intervals never arrived, the first is 3"),
    (double, "1 intervals in the backend overlap others, the first is 9"),
    (phantom_interval, r"the backend holds intervals that were never closed: \[9\]"),
    (wrong_count, "interval 2: counts differ"),
    (wrong_total, "interval 2: totals differ"),
    (wrong_way, "interval 2: counts differ"),
    (wrong_speeds, "interval 5: speeds backward differ"),
    (wrong_mean_base, "interval 5: speeds forward differ"),
    (wrong_start, "interval 8: start differs"),
    (wrong_coverage, "interval 8: length or coverage differ"),
    (corrupt, "closed interval 1 is missing from the ring log"),
    (corrupt_header, "closed interval 1 is missing from the ring log"),
    (other_record, "closed interval 2 is changed in the ring log"),
    (rewritten, r"numbers used twice: \[2\]"),
    (out_of_order, "intervals arrived out of order"),
    (totals_jump, "interval 8: totals are not those before plus what was counted"),
    (missed_passage, "interval 8: 3 passages noted, 3 safe, 2 counted"),
    (phantom_passage, "interval 3: 3 passages noted, 3 safe, 4 counted"),
    (moved_passage, "interval 3: 3 passages noted, 3 safe, 4 counted"),
    (covered_more_than_long, "interval 8: coverage 901 s of 900 s"),
    (covered_while_off, "interval 8: 900 s observed, 500 s with power"),
    (covered_less_without_a_reason, "interval 5: only 800 of 900 s, no reason"),
    (gap_in_time, "between intervals 5 and 6: 300 s with power are in no interval"),
    (unconfirmed, "confirmed up to 7, newest closed interval is 8"),
    (flash_rule, "flash: programmed over programmed bytes at 0x303008"),
    (deaf, "the connection of 60 s was kept through 94 s of silence"),
    (deaf_for_ever, "the connection of 60 s was kept through 7140 s of silence"),
    (fault, "fault on the console: OSError: 5"),
    (reset, "unexpected resets: {'reset:watchdog': 1}"),
    (quarantined, "the backend has 2 entries in quarantine"),
)
