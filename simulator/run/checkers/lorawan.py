"""Checks the frames that a node sent over LoRaWAN, and the intervals that came of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from simulator.run.backends.backend_log import Transmission
from simulator.run.checkers.decode import DIRECTIONS, Record, as_tally
from simulator.run.processes.node import Evidence
from simulator.world.lorawan import regions
from simulator.world.lorawan.regions import Region

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
JOIN_S = (36.0, 36.0, 8.7)  # of the first hour, the next ten, and each day after (TS001-1.0.4, 7)
START_SHARE = 0.25  # of a day's budget may be used at once after a start
BIN_KMH, MEAN_KMH = 4, 0.5  # a bin of the histogram, a step of the mean


def contents(evidence: Evidence) -> Iterator[str]:
    """The backend's copy of one or several intervals equals their records in flash."""
    short = {n: body for n, body in evidence.delivered.items() if "total" not in body}
    for last, body in short.items():
        first = int(body.get("first", last))
        records = [evidence.observer.closed.get(n) for n in range(first, last + 1)]
        whole = [record for record in records if record]
        if len(whole) == len(records) and (difference := _difference(whole, body)):
            yield f"intervals {first} to {last}: {difference}"


def _difference(records: list[Record], body: dict[str, Any]) -> str:
    counts = [sum(record.counts[i] for record in records) for i in range(10)]
    if body["counts"] != as_tally(counts):
        return "counts differ between flash and backend"
    length = sum(record.length for record in records)
    coverage = sum(record.coverage for record in records)
    if (body["len"], body["cov"]) != (length, coverage):
        return "length or coverage differ between flash and backend"
    start = body["start"] and int(datetime.fromisoformat(body["start"]).timestamp())
    if records[0].start and start != records[0].start:
        return "start differs between flash and backend"
    for i, direction in enumerate(DIRECTIONS):
        if not _speeds_fit(records, i, body["speed"][direction]):
            return f"speeds {direction} differ between flash and backend"
    return ""


def _speeds_fit(records: list[Record], direction: int, sent: dict[str, Any] | None) -> bool:
    total = sum(record.speeds[direction][0] for record in records)
    number = sum(record.speeds[direction][1] for record in records)
    if not number or not sent:
        return not number and not sent
    bins = [0] * 32
    for record in records:
        for i, count in record.histograms[direction].items():
            bins[i] += count
    reached = next(i for i in range(32) if sum(bins[: i + 1]) >= 0.85 * number)
    v85_fits = abs(sent["v85"] - (reached + 0.5) * BIN_KMH) <= BIN_KMH
    return v85_fits and bool(abs(sent["mean"] - total / 10 / number) <= MEAN_KMH)


def airtime(evidence: Evidence) -> Iterator[str]:
    """The node keeps its own budget, and the duty cycle of the bands in any hour."""
    frames = evidence.backend.transmissions
    budget_s = float(str(evidence.plan.config.get("lora_airtime_s", 30)))
    starts = 1 + evidence.observer.resets.get("cut", 0)
    region = regions.by_name(str(evidence.plan.config.get("lora_region", "EU868")))
    most_s = budget_s * (1 + START_SHARE * starts) + JOIN_S[0] + JOIN_S[1]
    for i, frame in enumerate(frames):
        day_us = sum(f.length_us for f in _within(frames, i, DAY_US))
        if day_us > most_s * 1e6:
            yield f"{day_us / 1e6:.1f} s on the air in the day from {frame.begin_us / 1e6:.0f} s"
            return
        band, share = _band(region, frame), region.duty_cycle(round(frame.freq_hz, -2))
        same = [f for f in _within(frames, i, HOUR_US) if _band(region, f) == band]
        if sum(f.length_us for f in same) > share * HOUR_US:
            yield f"sub-band {band}: more than {share:.1%} of the hour from {frame.begin_us} us"
            return


def _band(region: Region, frame: Transmission) -> int:
    return region.band(round(frame.freq_hz, -2))


def _within(frames: list[Any], i: int, span_us: int) -> Iterator[Any]:
    for frame in frames[i:]:
        if frame.begin_us >= frames[i].begin_us + span_us:
            return
        yield frame


def radio(evidence: Evidence) -> Iterator[str]:
    """Neither chip nor network saw an action that a conformant device does not do."""
    yield from evidence.backend.faults[:3]


CHECKS = (contents, airtime, radio)
