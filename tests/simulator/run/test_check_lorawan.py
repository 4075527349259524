"""The checkers of LoRaWAN find every kind of fault in a doctored run, and none in a clean one:
eight intervals, the first four of which the backend holds as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from simulator.run.backends.backend_log import Transmission
from simulator.run.checkers import records
from simulator.run.checkers.decode import Record, as_tally
from simulator.run.processes.node import Evidence
from simulator.run.results.report import node_result
from tests.support.runs.made_run import S, clean

HZ = 868_100_000
FRAME_US = 100_000


def short(records: list[Record], last: int) -> dict[str, Any]:
    counts = [sum(record.counts[i] for record in records) for i in range(10)]
    speed = {"forward": {"mean": 45.0, "v85": 46}, "backward": {"mean": 11.5, "v85": 18}}
    return {
        "seq": last, "first": last - len(records) + 1, "start": _text(records[0].start),
        "len": sum(record.length for record in records),
        "cov": sum(record.coverage for record in records),
        "counts": as_tally(counts), "speed": speed,
    }  # fmt: skip


def _text(utc: int) -> str:
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lora() -> Evidence:
    evidence = clean()
    evidence.plan = replace(evidence.plan, link="lorawan")
    closed = evidence.observer.closed
    evidence.backend.delivered = {4: short([closed[n] for n in (1, 2, 3, 4)], 4)}
    evidence.backend.delivered |= {n: short([closed[n]], n) for n in (5, 6, 7, 8)}
    evidence.backend.transmissions = [Transmission(t * 600 * S, FRAME_US, HZ) for t in range(12)]
    evidence.backend.joins = 1
    return evidence


def lost(evidence: Evidence) -> None:
    del evidence.backend.delivered[6]


def lost_merged(evidence: Evidence) -> None:
    evidence.backend.delivered[4]["first"] = 2


def twice(evidence: Evidence) -> None:
    evidence.backend.delivered[5]["first"] = 4


def never_closed(evidence: Evidence) -> None:
    evidence.backend.delivered[9] = short([evidence.observer.closed[8]], 9) | {"start": None}


def wrong_count(evidence: Evidence) -> None:
    evidence.backend.delivered[4]["counts"]["forward"]["car"] += 1


def wrong_length(evidence: Evidence) -> None:
    evidence.backend.delivered[7]["len"] += 1


def wrong_coverage(evidence: Evidence) -> None:
    evidence.backend.delivered[7]["cov"] -= 1


def wrong_start(evidence: Evidence) -> None:
    evidence.backend.delivered[8]["start"] = _text(evidence.observer.closed[8].start + 1)


def wrong_mean(evidence: Evidence) -> None:
    evidence.backend.delivered[4]["speed"]["forward"]["mean"] += 1.0


def wrong_v85(evidence: Evidence) -> None:
    evidence.backend.delivered[5]["speed"]["backward"]["v85"] += 8


def no_speed(evidence: Evidence) -> None:
    evidence.backend.delivered[5]["speed"]["backward"] = None


def too_long_on_air(evidence: Evidence) -> None:
    """Within the bands, but more than a node may have in a day."""
    evidence.backend.transmissions = [Transmission(i * 60 * S, 400_000, HZ) for i in range(400)]


def too_long_in_the_band(evidence: Evidence) -> None:
    evidence.backend.transmissions = [
        Transmission(i * S, 3_700_000, HZ) for i in range(0, 100, 10)
    ]


def against_the_chip(evidence: Evidence) -> None:
    evidence.backend.faults.append("17: a window while it sends")


def not_confirmed(evidence: Evidence) -> None:
    evidence.confirmed = 7


FAULTS: list[tuple[Callable[[Evidence], None], str]] = [
    (lost, "1 closed intervals never arrived, the first is 6"),
    (lost_merged, "1 closed intervals never arrived, the first is 1"),
    (twice, "1 intervals are in the backend twice, the first is 4"),
    (never_closed, "the backend holds intervals that were never closed: [9]"),
    (wrong_count, "intervals 1 to 4: counts differ"),
    (wrong_length, "intervals 7 to 7: length or coverage differ"),
    (wrong_coverage, "intervals 7 to 7: length or coverage differ"),
    (wrong_start, "intervals 8 to 8: start differs"),
    (wrong_mean, "intervals 1 to 4: speeds forward differ"),
    (wrong_v85, "intervals 5 to 5: speeds backward differ"),
    (no_speed, "intervals 5 to 5: speeds backward differ"),
    (too_long_on_air, "160.0 s on the air in the day"),
    (too_long_in_the_band, "sub-band 2: more than 1.0% of the hour"),
    (against_the_chip, "17: a window while it sends"),
    (not_confirmed, "confirmed up to 7, newest closed interval is 8"),
]


def test_a_clean_run_has_no_violations() -> None:
    assert records.violations(lora()) == []
    result = node_result(lora())
    assert result["link"] == "lorawan" and result["radio"]["frames"] == 12
    assert result["intervals"]["delivered"] == 8
    assert result["counted"] == result["delivered"]


@pytest.mark.parametrize(("doctor", "text"), FAULTS, ids=[f[0].__name__ for f in FAULTS])
def test_a_fault_is_found(doctor: Callable[[Evidence], None], text: str) -> None:
    evidence = lora()
    doctor(evidence)
    found = records.violations(evidence)
    assert any(text in line for line in found), found


def test_an_interval_closed_after_the_run_may_be_unconfirmed() -> None:
    evidence = lora()
    evidence.observer.closed_us[8] = evidence.plan.end_us + 1
    not_confirmed(evidence)
    assert records.violations(evidence) == []


def test_order_is_not_promised() -> None:
    evidence = lora()
    evidence.order.reverse()
    assert records.violations(evidence) == []
