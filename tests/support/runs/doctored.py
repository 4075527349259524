"""Doctors for a faultless run: each puts in one fault, with the violation that must be found."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.support.runs.made_run import LENGTH_S, SMALL, S, entry, message, packed, ring

from simulator.run.processes.node import Seen

Doctor = Callable[[Seen], object]


def closed(seen: Seen, number: int, **change: Any) -> None:
    """Change a closed interval everywhere alike: in the trace, in flash and at the backend."""
    records = seen.watcher.closed
    records[number] = replace(records[number], **change)
    seen.ring = ring(records, seen.confirmed)
    seen.delivered[number] = message(number, records[number])


def body(seen: Seen, number: int) -> Any:
    return seen.delivered[number]


def lose(seen: Seen) -> None:
    del seen.delivered[3]
    seen.order.remove(3)


def double(seen: Seen) -> None:
    seen.delivered[9] = body(seen, 4) | {"seq": 9}


def phantom_interval(seen: Seen) -> None:
    late = seen.watcher.closed[8].start + 2 * LENGTH_S
    seen.delivered[9] = body(seen, 8) | {"seq": 9, "start": _text(late)}


def wrong_count(seen: Seen) -> None:
    body(seen, 2)["counts"]["forward"]["car"] += 1


def wrong_total(seen: Seen) -> None:
    body(seen, 2)["total"]["backward"]["heavy"] += 1


def wrong_way(seen: Seen) -> None:
    counts = body(seen, 2)["counts"]
    counts["forward"], counts["backward"] = counts["backward"], counts["forward"]


def wrong_speeds(seen: Seen) -> None:
    body(seen, 5)["speed"]["backward"]["hist"][0][1] += 1


def wrong_mean_base(seen: Seen) -> None:
    body(seen, 5)["speed"]["forward"]["n"] = 0


def wrong_start(seen: Seen) -> None:
    body(seen, 8)["start"] = _text(seen.watcher.closed[8].start + 1)


def wrong_coverage(seen: Seen) -> None:
    body(seen, 8)["cov"] -= 1


def flip(seen: Seen, at: int) -> None:
    data = bytearray(seen.ring)
    data[at] ^= 1
    seen.ring = bytes(data)


def corrupt(seen: Seen) -> None:
    flip(seen, SMALL * 4096 + 32 + 12 + 3)


def corrupt_header(seen: Seen) -> None:
    flip(seen, SMALL * 4096 + 8)


def other_record(seen: Seen) -> None:
    records = dict(seen.watcher.closed)
    records[2] = replace(records[2], coverage=100)
    seen.ring = ring(records, 8)


def rewritten(seen: Seen) -> None:
    """The node closes another interval under a number that it has given already."""
    other = replace(seen.watcher.closed[2], coverage=1)
    data = entry(2, 1, packed(other))
    seen.watcher.on("flash:program", 7300 * S, struct.pack("<I", 0x300000 + 14 * 4096) + data)


def out_of_order(seen: Seen) -> None:
    seen.order[2:4] = [4, 3]


def totals_jump(seen: Seen) -> None:
    totals = list(seen.watcher.closed[8].totals)
    totals[3] += 1
    closed(seen, 8, totals=totals)


def _count(seen: Seen, number: int, more: int) -> None:
    """Put cars into an interval, or take them, as if the totals had always been so."""
    records = seen.watcher.closed
    for later in range(number, 9):
        counts, totals = list(records[later].counts), list(records[later].totals)
        counts[2] += more * (later == number)
        totals[2] += more
        closed(seen, later, counts=counts, totals=totals)


def missed_passage(seen: Seen) -> None:
    _count(seen, 8, -1)


def phantom_passage(seen: Seen) -> None:
    _count(seen, 3, 1)


def moved_passage(seen: Seen) -> None:
    _count(seen, 3, 1)
    _count(seen, 4, -1)


def covered_more_than_long(seen: Seen) -> None:
    closed(seen, 8, coverage=901)


def covered_while_off(seen: Seen) -> None:
    end_us = 8 * LENGTH_S * S
    seen.watcher.alive[:] = [[0, end_us - 500 * S], [end_us - 100 * S, -1]]


def covered_less_without_a_reason(seen: Seen) -> None:
    closed(seen, 5, coverage=800)


def overlapping(seen: Seen) -> None:
    closed(seen, 5, start=seen.watcher.closed[5].start - 10)


def gap_in_time(seen: Seen) -> None:
    closed(seen, 5, length=600, coverage=600)


def unconfirmed(seen: Seen) -> None:
    seen.confirmed = 7


def flash_rule(seen: Seen) -> None:
    seen.flash_violations.append("flash: programmed over programmed bytes at 0x303008")


def deaf(seen: Seen) -> None:
    """A connection that is kept although nothing comes any more."""
    seen.watcher.on("net:open", 60 * S, "ok")
    seen.watcher.on("net:rx", 100 * S, b"x")
    seen.watcher.on("net:close", 194 * S, "by the node")


def deaf_for_ever(seen: Seen) -> None:
    seen.watcher.on("net:open", 60 * S, "ok")


def fault(seen: Seen) -> None:
    seen.watcher.on("log", 5, "Traceback (most recent call last):\nOSError: 5")


def reset(seen: Seen) -> None:
    seen.watcher.on("reset:watchdog", 7200 * S, "")


def quarantined(seen: Seen) -> None:
    seen.held.notes["quarantine"] = 2


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
    (rewritten, r"numbers given twice: \[2\]"),
    (out_of_order, "intervals arrived out of order"),
    (totals_jump, "interval 8: totals are not those before plus what was counted"),
    (missed_passage, "interval 8: 3 passages noted, 3 safe, 2 counted"),
    (phantom_passage, "interval 3: 3 passages noted, 3 safe, 4 counted"),
    (moved_passage, "interval 3: 3 passages noted, 3 safe, 4 counted"),
    (covered_more_than_long, "interval 8: coverage 901 s of 900 s"),
    (covered_while_off, "interval 8: 900 s observed, 500 s alive"),
    (covered_less_without_a_reason, "interval 5: only 800 of 900 s, no reason"),
    (gap_in_time, "between intervals 5 and 6 300 s alive are in no interval"),
    (unconfirmed, "confirmed up to 7, newest closed interval is 8"),
    (flash_rule, "flash: programmed over programmed bytes at 0x303008"),
    (deaf, "the connection of 60 s was kept for 94 s of silence"),
    (deaf_for_ever, "the connection of 60 s was kept for 7140 s of silence"),
    (fault, "fault on the console: OSError: 5"),
    (reset, "resets that nobody asked for: {'reset:watchdog': 1}"),
    (quarantined, "the backend noted 2 x quarantine"),
)
