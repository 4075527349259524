"""Checks the evidence of a run against everything that must be true. Shares no code with
firmware.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from simulator.run.checkers import clock, decode, lorawan, memory, privacy, totals
from simulator.run.checkers.decode import CLASSES, DIRECTIONS, Record
from simulator.run.processes.node import Evidence

CLOCK_S = 3.0  # allowed error of a node's clock and seconds
CHECKPOINT_S = 60.0  # a power cut may cost that much of the open interval
SILENT_S = 90.0  # 1.5 usual keep-alives: then a silent connection is given up
SETTLED_US = 120_000_000  # after that time with power a detector must be observing
Tally = dict[str, dict[str, int]]


def violations(evidence: Evidence) -> list[str]:
    """Everything that is wrong, each text with the node's name in front."""
    checks = CHECKS + clock.CHECKS + memory.CHECKS + privacy.CHECKS + totals.CHECKS
    if evidence.plan.ring_dead:  # meanwhile other logs have the records, in the node's memory
        checks = tuple(check for check in checks if check not in WHOLE_TIME)
    checks += lorawan.CHECKS if evidence.plan.link != "mqtt" else ()
    found = [text for check in checks for text in check(evidence)]
    return [f"{evidence.plan.name}: {text}" for text in found]


def lost(evidence: Evidence) -> list[int]:
    """Numbers of closed intervals that the backend does not hold."""
    return sorted(set(evidence.observer.closed) - set(numbers(evidence)))


def numbers(evidence: Evidence) -> list[int]:
    """Numbers of the intervals in the backend. A merged one has the numbers of all its parts."""
    spans = [range(int(body.get("first", n)), n + 1) for n, body in evidence.delivered.items()]
    return sorted(number for span in spans for number in span)


def duplicated(evidence: Evidence) -> list[int]:
    """Numbers of intervals in the backend that repeat, or overlap, the time of another one."""
    spans = sorted(
        (start, start + _int(body["len"]), seq)
        for seq, body in evidence.delivered.items()
        if (start := _unix(body["start"])) is not None
        and _int(body["len"])
        and not (seq in evidence.observer.closed and clock.is_misplaced(evidence, seq))
    )
    found, latest = [], 0
    for start, end, seq in spans:
        if start < latest:
            found.append(seq)
        latest = max(latest, end)
    return found


def counted(evidence: Evidence) -> Tally:
    """The counts of the closed intervals, as they were written to flash."""
    slots = [sum(r.counts[i] for r in evidence.observer.closed.values()) for i in range(10)]
    return decode.as_tally(slots)


def delivered(evidence: Evidence) -> Tally:
    """The counts in the backend."""
    bodies: list[Any] = list(evidence.delivered.values())
    return {
        direction: {cls: sum(body["counts"][direction][cls] for body in bodies) for cls in CLASSES}
        for direction in DIRECTIONS
    }


def _nothing_lost(evidence: Evidence) -> Iterator[str]:
    if missing := lost(evidence):
        yield f"{len(missing)} closed intervals never arrived, the first is {missing[0]}"
    if double := duplicated(evidence):
        yield f"{len(double)} intervals in the backend overlap others, the first is {double[0]}"
    held = numbers(evidence)
    if twice := sorted({a for a, b in zip(held, held[1:]) if a == b}):
        yield f"{len(twice)} intervals are in the backend twice, the first is {twice[0]}"
    unknown = sorted(set(held) - set(evidence.observer.closed))
    if unknown:
        yield f"the backend holds intervals that were never closed: {unknown[:5]}"
    if evidence.observer.rewritten:
        yield f"numbers used twice: {evidence.observer.rewritten[:5]}"


def _log_intact(evidence: Evidence) -> Iterator[str]:
    """The flash holds at the end every record that was written (a run never fills the ring). A
    record that damage at rest has hit is missing, never changed."""
    held = decode.intervals(evidence.ring)
    hit = evidence.plan.rot * evidence.observer.cuts
    for number, record in evidence.observer.closed.items():
        if number not in held and hit:
            hit -= 1
        elif held.get(number) != record:
            state = "missing from" if number not in held else "changed in"
            yield f"closed interval {number} is {state} the ring log"
            return


def _contents(evidence: Evidence) -> Iterator[str]:
    """The backend's copy equals the flash."""
    for number, body in evidence.delivered.items():
        record = evidence.observer.closed.get(number)
        if "total" in body and record and (difference := _difference(record, body)):
            yield f"interval {number}: {difference}"


def _difference(record: Record, body: dict[str, Any]) -> str:
    if body["counts"] != decode.as_tally(record.counts):
        return "counts differ between flash and backend"
    if body["total"] != decode.as_tally(record.totals):
        return "totals differ between flash and backend"
    if (body["len"], body["cov"]) != (record.length, record.coverage):
        return "length or coverage differ between flash and backend"
    if record.start and _unix(body["start"]) != record.start:
        return "start differs between flash and backend"
    for i, direction in enumerate(DIRECTIONS):
        speed = body["speed"][direction]
        if speed["n"] != record.speeds[i][1] or dict(speed["hist"]) != record.histograms[i]:
            return f"speeds {direction} differ between flash and backend"
        measured = record.speeds[i][0] - record.added[i]
        if speed["n"] and abs(speed["raw"] - measured / 10 / speed["n"]) > 0.051:
            return f"raw speed {direction} differs between flash and backend"
        if not _same_spacing(record, i, body.get("spacing", {}).get(direction, {})):
            return f"spacing {direction} differs between flash and backend"
    return ""


def _same_spacing(record: Record, i: int, sent: dict[str, Any]) -> bool:
    """Means and shares in the message are rounded to two decimals."""
    kept, n = record.spacing[i], sent.get("n", 0)
    if n != kept.n:
        return False
    means = (kept.headway / (10 * n), kept.gap / (10 * n)) if n else (0.0, 0.0)
    share = kept.occupied / record.coverage if record.coverage else 0.0
    pairs = zip(("headway", "gap", "occ"), (*means, share))
    return all(abs((sent.get(name) or 0.0) - value) < 0.006 for name, value in pairs)


def _order(evidence: Evidence) -> Iterator[str]:
    """If the backend was never away, intervals arrive in the order they were closed. Over LoRaWAN
    a lost one comes later."""
    in_order = evidence.plan.link == "mqtt" and not evidence.plan.backend_away
    if in_order and evidence.order != sorted(evidence.order):
        yield "intervals arrived out of order"


def _every_passage_counted(evidence: Evidence) -> Iterator[str]:
    """An interval holds the passages noted since the one before it was closed. A power cut may
    cost those noted since the last checkpoint. Nothing adds a count."""
    observer = evidence.observer
    times = [passage.t_us for passage in observer.passages]
    before = 0
    for number in sorted(observer.closed):
        noted = times[before : observer.noted[number]]
        before = observer.noted[number]
        held = sum(observer.closed[number].counts)
        safe = sum(not _lost_to_power_cut(observer.cuts_us, t_us) for t_us in noted)
        if evidence.plan.rot and safe < len(noted):
            safe = 0  # the checkpoint itself may be damaged
        if not safe <= held <= len(noted):
            yield f"interval {number}: {len(noted)} passages noted, {safe} safe, {held} counted"
            return


def _lost_to_power_cut(cuts_us: list[int], t_us: int) -> bool:
    due = bisect_left(cuts_us, t_us)
    return due < len(cuts_us) and cuts_us[due] <= t_us + (CHECKPOINT_S + CLOCK_S) * 1e6


def _coverage(evidence: Evidence) -> Iterator[str]:
    """No time counts as observed while the node was off, and none is missing while it ran."""
    start_utc = evidence.plan.start_utc
    for number, record in evidence.observer.closed.items():
        if record.coverage > record.length:
            yield f"interval {number}: coverage {record.coverage} s of {record.length} s"
        if not record.start or clock.is_stepped(evidence):
            continue
        start_us = (record.start - start_utc) * 1_000_000
        end_us = start_us + record.length * 1_000_000
        alive_s = evidence.observer.alive_us(start_us, end_us) / 1e6
        if record.coverage > alive_s + CLOCK_S:
            yield f"interval {number}: {record.coverage} s observed, {alive_s:.0f} s with power"
        settled = evidence.observer.alive_us(start_us - SETTLED_US, end_us) / 1e6
        whole = settled >= record.length + SETTLED_US / 1e6
        if whole and not record.why & 0xFF and record.coverage < record.length - CLOCK_S:
            yield f"interval {number}: only {record.coverage} of {record.length} s, no reason"


def _time(evidence: Evidence) -> Iterator[str]:
    """Intervals follow each other. A gap is a time without power, or without a checkpoint yet. The
    node closes an interval up to a second after its end, and may lose its power just then."""
    known = sorted(
        (r.start, r.start + r.length, n)
        for n, r in evidence.observer.closed.items()
        if r.start and not clock.is_misplaced(evidence, n)
    )
    start_utc = evidence.plan.start_utc
    for (_, end, a), (start, _, b) in zip(known, known[1:]):
        if start < end:
            yield f"intervals {a} and {b} overlap by {end - start} s"
        if clock.is_stepped(evidence):
            continue
        gap_us = ((end - start_utc) * 1_000_000, (start - start_utc) * 1_000_000)
        alive_s = evidence.observer.alive_us(*gap_us) / 1e6 if start > end else 0
        latest_us = gap_us[1] + CLOCK_S * 1e6
        ends = sum(gap_us[0] <= life[1] <= latest_us for life in evidence.observer.alive)
        if alive_s > CLOCK_S + ends * CHECKPOINT_S and not _unresolved_between(evidence, a, b):
            yield f"between intervals {a} and {b}: {alive_s:.0f} s with power are in no interval"


def _unresolved_between(evidence: Evidence, a: int, b: int) -> bool:
    closed = evidence.observer.closed
    return any(a < n < b and not closed[n].start for n in closed)


def _confirmed(evidence: Evidence) -> Iterator[str]:
    if evidence.plan.shares_air:  # such a run does not wait for it
        return
    end_us = evidence.plan.end_us if evidence.plan.link == "lorawan" else evidence.end_us
    newest = max(
        (n for n, t_us in evidence.observer.closed_us.items() if t_us <= end_us), default=0
    )
    if evidence.confirmed < newest:
        yield f"confirmed up to {evidence.confirmed}, newest closed interval is {newest}"


def _silence(evidence: Evidence) -> Iterator[str]:
    """A silent connection is given up, so that a new one can be made."""
    for line in evidence.observer.connections:
        rest_us = evidence.end_us - line.heard_us if line.closed_us < 0 else 0
        silent_s = max(line.silent_us, rest_us) / 1e6
        if silent_s > SILENT_S + CLOCK_S:
            since_s = line.opened_us / 1e6
            yield f"the connection of {since_s:.0f} s was kept through {silent_s:.0f} s of silence"


def _is_expected(evidence: Evidence, fault: str) -> bool:
    """A change of the configuration may be given up, and storage may fail."""
    plan = evidence.plan
    if plan.ring_dead and "RingError: ring: flash does not hold" in fault:  # of a traceback
        return True
    if (plan.ring_dead or plan.nvs_dead) and " error fault 3:" in fault:
        return True
    return bool(plan.changes) and " error fault 8:" in fault


def _health(evidence: Evidence) -> Iterator[str]:
    yield from evidence.flash_violations[:3]
    told = [text for text in evidence.observer.faults if not _is_expected(evidence, text)]
    yield from (f"fault on the console: {text}" for text in told[:3])
    for name, number in evidence.backend.anomalies.items():
        if name == "doubts" and clock.is_stepped(evidence):
            continue  # times in the future are doubted, with reason
        if name == "doubts" and number <= len(totals.damaged(evidence)):
            continue  # and so are totals without what damage has taken
        if number and not (name == "gone" and evidence.plan.rot):
            yield f"the backend has {number} entries in {name}"
    bad = {k: n for k, n in evidence.observer.resets.items() if k != "cut"}
    wanted = len(evidence.plan.rtc_steps) + evidence.restarts
    if evidence.plan.ring_dead:  # the node leaves the log, and comes back to it
        wanted = bad.get("reset:hard", 0)
    if bad != ({"reset:hard": wanted} if wanted else {}):
        yield f"unexpected resets: {bad}"


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    _nothing_lost, _log_intact, _contents, _order, _every_passage_counted, _coverage,
    _time, _confirmed, _silence, _health,
)  # fmt: skip


WHOLE_TIME = (_every_passage_counted, _time, clock.no_gap)  # of one log


def _unix(text: object) -> int | None:
    return None if text is None else int(datetime.fromisoformat(str(text)).timestamp())


def _int(value: object) -> int:
    return int(str(value))
