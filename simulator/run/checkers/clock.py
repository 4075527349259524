"""Checks the times of a node's intervals against the true time and the clocks it could ask.

An interval's time may be as wrong as the time server or the real-time clock was. The true time of
its beginning follows from its uptime and from the time of the boot.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

from simulator.run.checkers.decode import Record
from simulator.run.processes.node import Evidence

CLOCK_S = 3.0  # allowed error of a node's clock and seconds
AHEAD_S = 60.0  # after a step back an interval begins at most that much after its first count
DRIFT = 25e-6  # of a clock that is never set
RESUMED = 0x41  # the interval went on over a reset, or was closed after one
CLOCK_WAS_SET = 0x20


def is_stepped(evidence: Evidence) -> bool:
    return bool(evidence.plan.network_faults.ntp_offset_s or evidence.plan.rtc_steps)


def claims(evidence: Evidence) -> Iterator[str]:
    """An interval lies, at the backend, at a time of some clock that the node had then."""
    start_utc = evidence.plan.start_utc
    for number, record in evidence.observer.closed.items():
        began_us = _began_us(evidence, record)
        start = _at_backend(evidence, number) or record.start
        if began_us is None or not start or record.why & RESUMED:
            continue
        true_s = began_us / 1e6
        off_s = CLOCK_S + DRIFT * true_s
        early_s = min(
            _outside(true_s + step, start - start_utc, record.length)
            for step in _offsets(evidence, began_us)
        )
        if early_s > off_s:
            yield f"interval {number} is {early_s:.0f} s away from every clock of the node"


def no_gap(evidence: Evidence) -> Iterator[str]:
    """Within a boot an interval begins when the one before it is closed."""
    before: tuple[int, Record] | None = None
    for number in sorted(evidence.observer.closed):
        record = evidence.observer.closed[number]
        if before and before[1].boot == record.boot and not record.why & RESUMED:
            closed_us, began_us = (
                evidence.observer.closed_us[before[0]],
                _began_us(evidence, record),
            )
            if began_us is not None and abs(began_us - closed_us) > CLOCK_S * 1e6:
                gap_s = (began_us - closed_us) / 1e6
                yield f"interval {number} begins {gap_s:.0f} s after {before[0]} was closed"
        before = number, record


def observed(evidence: Evidence) -> Iterator[str]:
    """An interval of one boot was observed for as long as it lasted, unless it gives a reason."""
    for number, record in evidence.observer.closed.items():
        began_us = _began_us(evidence, record)
        if began_us is None or record.why & RESUMED:
            continue
        had_s = (evidence.observer.closed_us[number] - began_us) / 1e6
        if record.coverage > had_s + CLOCK_S:
            yield f"interval {number}: {record.coverage} s observed in {had_s:.0f} s"
        off_s = CLOCK_S + (AHEAD_S if record.why & CLOCK_WAS_SET else 0)
        if not record.why & ~CLOCK_WAS_SET and record.coverage < had_s - off_s:
            yield f"interval {number}: {record.coverage} s of {had_s:.0f} s, no reason"


def is_misplaced(evidence: Evidence, number: int) -> bool:
    """A clock that was wrong has given this interval its time. Only such ones may overlap."""
    record = evidence.observer.closed[number]
    began_us = _began_us(evidence, record)
    start = _at_backend(evidence, number) or record.start
    if not is_stepped(evidence) or began_us is None or not start:
        return False
    true_s = began_us / 1e6
    off_s = _outside(true_s, start - evidence.plan.start_utc, record.length)
    return off_s > CLOCK_S + DRIFT * true_s


def without_time(evidence: Evidence) -> list[int]:
    """Numbers of the delivered intervals that have no start."""
    return sorted(n for n, body in evidence.delivered.items() if body["start"] is None)


def dated(evidence: Evidence) -> Iterator[str]:
    """If a node learns the time, all intervals of that boot have a start.

    Two cases are left out: a real-time clock that a reset made wrong, and LoRaWAN. A LoRaWAN node
    sends intervals without a start after an hour.
    """
    closed = evidence.observer.closed
    knew = {closed[n].boot for n in evidence.delivered if n in closed and closed[n].start}
    lost = [n for n in without_time(evidence) if n in closed and closed[n].boot in knew]
    if lost and not evidence.plan.rtc_steps and evidence.plan.link == "mqtt":
        yield f"{len(lost)} intervals without a time, the first is {lost[0]}"


def _began_us(evidence: Evidence, record: Record) -> int | None:
    life_us = evidence.observer.boot_us.get(record.boot)
    return None if life_us is None else life_us + record.uptime * 1_000_000


def _at_backend(evidence: Evidence, number: int) -> int | None:
    """Its start at the backend, after a later resolution."""
    body = evidence.delivered.get(number, {})
    text = body.get("start") if body.get("first", number) == number else None
    return int(datetime.fromisoformat(text).timestamp()) if text else None


def _offsets(evidence: Evidence, t_us: int) -> list[int]:
    """Possible errors of the node's clock: those of the time server when it was asked last, and
    the steps of the real-time clock since then."""
    latest_us = t_us + CLOCK_S * 1e6
    by_server = accumulate(
        s for at_us, s in evidence.plan.network_faults.ntp_offset_s if at_us <= latest_us
    )
    steps = [s for at_us, s in evidence.plan.rtc_steps if at_us <= latest_us]
    by_clock = {0}
    for i in range(len(steps)):
        by_clock.update(accumulate(steps[i:]))
    return [server + clock for server in {0, *by_server} for clock in by_clock]


def _outside(t_s: float, start_s: float, length_s: float) -> float:
    """How far a time is outside of an interval. A shortened interval begins before it."""
    return max(start_s - t_s, t_s - (start_s + length_s), 0.0)


CHECKS = (claims, no_gap, observed, dated)
