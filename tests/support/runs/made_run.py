"""A run that never happened: the evidence of a node that does everything right, made by hand.

Two hours, one boot, eight closed intervals of 15 minutes with three passages each. The packing
here is a third one, beside the firmware's and the checker's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from simulator.run.backends.backend_log import BackendContents
from simulator.run.checkers.decode import Record, as_tally
from simulator.run.plans import plan as plans
from simulator.run.processes.node import Evidence
from simulator.run.processes.observer import NodeObserver, Passage

RING_AT, SECTOR, SMALL = 0x300000, 4096, 12
RING_SIZE = 16 * SECTOR
INTERVALS, LENGTH_S = 8, 900
LOG_ID = 0x0BADCAFE
S = 1_000_000


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def sparse(values: list[int]) -> bytes:
    mask = sum(1 << i for i, value in enumerate(values) if value)
    return varint(mask) + b"".join(varint(value) for value in values if value)


def digits(values: Iterable[int]) -> bytes:
    """Numbers to base 8, least digit first, in the nibbles of bytes. 8 = another follows."""
    text = ""
    for value in values:
        octal = f"{value:o}"[::-1]
        text += "".join(f"{int(digit) + 8:x}" for digit in octal[:-1]) + octal[-1]
    text += "0" * (len(text) % 2)
    return bytes(int(text[i + 1] + text[i], 16) for i in range(0, len(text), 2))


def packed(record: Record) -> bytes:
    head = struct.pack("<BIHHIb", 1, record.start, record.boot, 0x112, 0xABCD, 21)
    missed = (record.length - record.coverage) & 0xFFFF
    for value in (record.uptime, record.length, missed, record.why, 5, 3300):
        head += varint(value)
    body = sparse(record.counts) + sparse(record.totals)
    for (total, _number), bins in zip(record.speeds, record.histograms):
        body += varint(total) + varint(sum(1 << i for i in bins)) + digits(bins.values())
    return head + body


def entry(number: int, kind: int, payload: bytes) -> bytes:
    head = struct.pack("<HBBI", len(payload), kind, 0x5A, number)
    whole = head + struct.pack("<I", zlib.crc32(head + payload)) + payload
    return whole + b"\xff" * (-len(whole) % 4)


def sector(magic: bytes, opened: int, entries: list[bytes], log: int = LOG_ID) -> bytes:
    head = struct.pack("<4sHHIIIII", magic, 1, SECTOR, log, opened, 1, 0, 0)
    return (head + struct.pack("<I", zlib.crc32(head)) + b"".join(entries)).ljust(SECTOR, b"\xff")


def rtc(record: Record, last: int = 0) -> bytes:
    body = packed(record)
    head = struct.pack("<4sIIH", b"TPO1", LOG_ID, last, len(body))
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def ring(records: dict[int, Record], confirmed: int) -> bytes:
    """The log's partition: two small sectors with cursors, one with the intervals."""
    cursors = entry(4, 2, struct.pack("<IIII", confirmed, confirmed, 0, 0))
    older = entry(3, 2, struct.pack("<IIII", 1, 1, 0, 0))
    closed = [entry(number, 1, packed(record)) for number, record in records.items()]
    parts = {SMALL: sector(b"TPR1", 0, closed)}
    parts |= {0: sector(b"TPC1", 12, [cursors]), 1: sector(b"TPC1", 1, [older])}  # once around
    return b"".join(parts.get(i, b"\xff" * SECTOR) for i in range(RING_SIZE // SECTOR))


def record(number: int, start: int, totals: list[int]) -> Record:
    """Interval `number`: a car forward, a bicycle and a pedestrian backward."""
    counts = [0, 0, 1, 0, 0, 1, 1, 0, 0, 0]
    for slot, count in enumerate(counts):
        totals[slot] += count
    return Record(
        start + LENGTH_S * (number - 1), 1, LENGTH_S * number, LENGTH_S, LENGTH_S, 0,
        counts, list(totals), [(452, 1), (231, 2)], [{11: 1}, {1: 1, 4: 1}],
    )  # fmt: skip


def message(number: int, record: Record) -> dict[str, Any]:
    """The interval as the backend holds it."""
    start = datetime.fromtimestamp(record.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    speed = {
        direction: {
            "mean": 1.0,
            "raw": s / 10 / n,
            "n": n,
            "hist": [list(pair) for pair in bins.items()],
        }
        for direction, (s, n), bins in zip(
            ("forward", "backward"), record.speeds, record.histograms
        )
    }
    return {
        "seq": number, "start": start if record.start else None, "len": record.length,
        "cov": record.coverage, "counts": as_tally(record.counts),
        "total": as_tally(record.totals), "speed": speed,
    }  # fmt: skip


def live(observer: NodeObserver, start_utc: int) -> tuple[dict[int, Record], list[Passage]]:
    """Let the observer see two hours of a node. Return the closed intervals and the truth."""
    totals = [0] * 10
    truth = []
    records = {}
    open_record = Record(0, 1, 0, 0, 0, 0, [0] * 10, list(totals), [(0, 0)] * 2, [{}, {}])
    observer.on("boot", 0, "power on")
    observer.on("rtc", 100, rtc(open_record))
    at = RING_AT + SMALL * SECTOR + 32
    for number in range(1, INTERVALS + 1):
        began_us = (number - 1) * LENGTH_S * S
        for i, slot in enumerate((2, 5, 6)):
            open_record.totals[slot] += 1
            t_us = began_us + (i + 1) * 200 * S
            observer.on("rtc", t_us, rtc(open_record, number - 1))
            direction, cls = (
                ("forward", "car"),
                ("backward", "pedestrian"),
                ("backward", "bicycle"),
            )[i]
            truth.append(Passage(t_us - S // 2, direction, cls))
        records[number] = record(number, start_utc, totals)
        data = entry(number, 1, packed(records[number]))
        observer.on("flash:program", number * LENGTH_S * S, struct.pack("<I", at) + data)
        at += len(data)
    return records, truth


def clean(scenario: str = "moderate") -> Evidence:
    """The evidence of a run without faults."""
    plan = plans.draw(plans.RunOptions(hours=2.0, seed=7, nodes="1", scenario=scenario))[0]
    plan = replace(plan, config={**plan.config, "privacy_k": 1})  # three road users an interval
    observer = NodeObserver((RING_AT, RING_SIZE))
    records, truth = live(observer, plan.start_utc)
    return Evidence(
        plan=plan,
        observer=observer,
        truth=truth,
        ring=ring(records, INTERVALS),
        end_us=plan.end_us,
        backend=BackendContents(
            {number: message(number, record) for number, record in records.items()},
            {"gone": 0, "doubts": 0, "quarantine": 0},
        ),
        order=list(records),
        confirmed=INTERVALS,
        flash_violations=[],
        heap_free_min=90_000,
        memory={
            "gc_free_min": 12_000,
            "idf_free_min": 28_000,
            "idf_largest_min": 27_000,
            "gc_growth_after_60s": 0,
        },
        requests=1,
        frames=1,
    )
