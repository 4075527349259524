"""The checkers of LoRaWAN find every kind of fault in a doctored run, and stay quiet in a clean
one: eight intervals of which the backend holds the first four as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.runs.made_run import S, clean

from simulator.run.checkers import records
from simulator.run.checkers.decode import Record, as_tally
from simulator.run.backends.backend_log import OnAir
from simulator.run.processes.node import Seen
from simulator.run.results.report import node_result

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


def lora() -> Seen:
    seen = clean()
    seen.plan = replace(seen.plan, link="lorawan")
    closed = seen.watcher.closed
    seen.held.delivered = {4: short([closed[n] for n in (1, 2, 3, 4)], 4)}
    seen.held.delivered |= {n: short([closed[n]], n) for n in (5, 6, 7, 8)}
    seen.held.on_air = [OnAir(t * 600 * S, FRAME_US, HZ) for t in range(12)]
    seen.held.joins = 1
    return seen


def lost(seen: Seen) -> None:
    del seen.held.delivered[6]


def lost_merged(seen: Seen) -> None:
    seen.held.delivered[4]["first"] = 2


def twice(seen: Seen) -> None:
    seen.held.delivered[5]["first"] = 4


def never_closed(seen: Seen) -> None:
    seen.held.delivered[9] = short([seen.watcher.closed[8]], 9) | {"start": None}


def wrong_count(seen: Seen) -> None:
    seen.held.delivered[4]["counts"]["forward"]["car"] += 1


def wrong_length(seen: Seen) -> None:
    seen.held.delivered[7]["len"] += 1


def wrong_coverage(seen: Seen) -> None:
    seen.held.delivered[7]["cov"] -= 1


def wrong_start(seen: Seen) -> None:
    seen.held.delivered[8]["start"] = _text(seen.watcher.closed[8].start + 1)


def wrong_mean(seen: Seen) -> None:
    seen.held.delivered[4]["speed"]["forward"]["mean"] += 1.0


def wrong_v85(seen: Seen) -> None:
    seen.held.delivered[5]["speed"]["backward"]["v85"] += 8


def no_speed(seen: Seen) -> None:
    seen.held.delivered[5]["speed"]["backward"] = None


def too_long_on_air(seen: Seen) -> None:
    """Within the bands, but more than a node may have in a day."""
    seen.held.on_air = [OnAir(i * 60 * S, 400_000, HZ) for i in range(400)]


def too_long_in_the_band(seen: Seen) -> None:
    seen.held.on_air = [OnAir(i * S, 3_700_000, HZ) for i in range(0, 100, 10)]


def against_the_chip(seen: Seen) -> None:
    seen.held.faults.append("17: a window while it sends")


def not_confirmed(seen: Seen) -> None:
    seen.confirmed = 7


FAULTS: list[tuple[Callable[[Seen], None], str]] = [
    (lost, "1 closed intervals never arrived, the first is 6"),
    (lost_merged, "1 closed intervals never arrived, the first is 1"),
    (twice, "1 intervals stand in the backend twice, the first is 4"),
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
def test_a_fault_is_found(doctor: Callable[[Seen], None], text: str) -> None:
    seen = lora()
    doctor(seen)
    found = records.violations(seen)
    assert any(text in line for line in found), found


def test_what_is_closed_after_the_run_may_be_confirmed_later() -> None:
    seen = lora()
    seen.watcher.closed_us[8] = seen.plan.end_us + 1
    not_confirmed(seen)
    assert records.violations(seen) == []


def test_order_is_not_promised() -> None:
    seen = lora()
    seen.order.reverse()
    assert records.violations(seen) == []
