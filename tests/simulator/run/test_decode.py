"""The checkers' own decoder of the node's storage, and the observer that uses it."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.run.checkers import decode
from simulator.run.checkers.decode import Spacing
from simulator.run.processes.observer import NodeObserver, Passage
from tests.support.nodes.reports import on_node
from tests.support.runs.made_run import (
    RING_AT,
    RING_SIZE,
    SECTOR,
    SMALL,
    S,
    entry,
    packed,
    record,
    ring,
    rtc,
    sector,
)  # fmt: skip

few = settings(max_examples=150, derandomize=True, deadline=None)
RECORD = record(3, 1_780_272_000, [7, 0, 300, 0, 0, 1, 70_000, 0, 0, 1 << 29])

_ON_NODE = """
from binascii import hexlify
from nor import Nor
from ring import INTERVAL, EVENT, Ring
from wire.record import Interval
import random
random.seed(5)
flash = Nor(16, 4096)
ring = Ring(flash, random.getrandbits)
ring.open()
rec = Interval()
buf = bytearray(400)
for n in range(1, 61):
    rec.reset(1780272000 + 900 * n, 900 * n)
    rec.length, rec.coverage, rec.why, rec.boot = 900, 900 - n, n, 2
    for i in range(3 * n):
        rec.add(i % 2, i % 5, 13 * i - 20, i if n > 30 else 0)
        rec.add_headway(i % 2, 100 * i, 90 * i if i % 2 else -1, 40 if i % 2 else -1)
    ring.append(INTERVAL, buf, rec.pack_into(buf))
    if n % 7 == 0:
        ring.append(EVENT, b"something else")
    ring.checkpoint(buf, rec.pack_into(buf))
    ring.set_cursor(0, n, n - 1)
print(ring.log_id)
print(hexlify(flash.cells).decode())
"""


def test_a_log_of_the_firmware_is_decoded() -> None:
    log, cells = on_node(_ON_NODE, "tests/fakes").split()
    partition = bytes.fromhex(cells)
    held = decode.intervals(partition)
    assert len(held) == 60 and decode.log_id(partition) == int(log)
    assert decode.confirmed(partition) == 59
    totals = [0] * 10
    for n, found in enumerate((held[number] for number in sorted(held)), 1):
        wanted = [0] * 10
        for i in range(3 * n):
            wanted[i % 2 * 5 + i % 5] += 1
        totals = [a + b for a, b in zip(totals, wanted)]
        assert (found.counts, found.totals) == (wanted, totals)
        assert (found.start, found.coverage) == (1780272000 + 900 * n, 900 - n)
        assert (found.length, found.why, found.boot) == (900, n, 2)
        known = [13 * i - 20 for i in range(3 * n) if 13 * i - 20 >= 0 and i % 2 == 0]
        assert found.speeds[0] == (sum(known), len(known))
        assert sum(found.histograms[0].values()) == len(known)
        evens, odds = (list(range(direction, 3 * n, 2)) for direction in range(2))
        gaps = sum((90 * i + 50) // 100 for i in odds)
        assert found.spacing == [
            Spacing(len(evens), sum(evens)), Spacing(len(odds), sum(odds), gaps, 4 * len(odds))
        ]  # fmt: skip


def test_a_record_comes_back() -> None:
    assert decode.record(packed(RECORD)) == RECORD


@pytest.mark.parametrize("cut", range(0, len(packed(RECORD))))
def test_a_short_record_is_none(cut: int) -> None:
    with pytest.raises((ValueError, IndexError, struct.error)):
        decode.record(packed(RECORD)[:cut])


@pytest.mark.parametrize("data", (packed(RECORD) + b"\0", b"\x04" + packed(RECORD)[1:]))
def test_another_length_or_version_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="bytes left over|record version 4"):
        decode.record(data)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=10, max_size=10), st.integers(0, 65535))
@few
def test_counters_at_their_limits_come_back(totals: list[int], why: int) -> None:
    speeds = [(452, 65535), (231, 0)]
    changed = replace(RECORD, totals=totals, why=why, speeds=speeds, histograms=[{31: 65535}, {}])
    assert decode.record(packed(changed)) == changed


@pytest.mark.parametrize("at", range(len(entry(5, 1, b"payload"))))
def test_a_flipped_bit_makes_an_entry_none(at: int) -> None:
    data = bytearray(entry(5, 1, b"payload"))
    assert decode.entry(bytes(data)) == (5, 1, b"payload")
    data[at] ^= 0x20
    assert (decode.entry(bytes(data)) is None) == (at < 19)  # behind it is padding


def test_a_torn_entry_is_none() -> None:
    data = entry(5, 1, b"payload")
    for cut in range(19):
        assert decode.entry(data[:cut]) is None
        assert decode.entry(data[:cut].ljust(60, b"\xff")) is None


@given(st.binary(max_size=80))
@few
def test_random_bytes_are_no_entry(data: bytes) -> None:
    assert decode.entry(data) is None and decode.rtc_copy(data) is None


def test_a_damaged_record_costs_itself_and_a_damaged_header_its_sector() -> None:
    records = {n: record(n, 1_780_272_000, [0] * 10) for n in range(1, 6)}
    data = bytearray(ring(records, 4))
    assert decode.intervals(bytes(data)) == records
    at = SMALL * SECTOR + 32 + len(entry(1, 1, packed(records[1]))) + 20
    data[at] ^= 0x40
    assert sorted(decode.intervals(bytes(data))) == [1, 3, 4, 5]
    data[SMALL * SECTOR + 12] ^= 1
    assert decode.intervals(bytes(data)) == {} and decode.log_id(bytes(data)) == 0
    assert decode.confirmed(bytes(data)) == 4


def test_a_blank_log_holds_nothing() -> None:
    blank = b"\xff" * RING_SIZE
    assert decode.intervals(blank) == {} and decode.confirmed(blank) == decode.log_id(blank) == 0


def test_events_are_no_intervals_and_the_newest_header_names_the_log() -> None:
    data = sector(b"TPR1", 0, [entry(1, 3, b"event")], 5) + sector(b"TPR1", 1, [], 6)
    assert decode.intervals(data) == {} and decode.log_id(data) == 6


def test_the_copy_in_rtc_memory() -> None:
    data = rtc(RECORD, 2)
    assert decode.rtc_copy(data) == RECORD and decode.rtc_copy(data + bytes(50)) == RECORD
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        assert decode.rtc_copy(bytes(damaged)) is None
    assert decode.rtc_copy(b"") is None and decode.rtc_copy(data[:-1]) is None


def program(number: int, coverage: int = 900, at: int = SMALL * SECTOR + 32) -> bytes:
    record_ = replace(RECORD, coverage=coverage)
    return struct.pack("<I", RING_AT + at) + entry(number, 1, packed(record_))


def test_the_observer_sees_closed_intervals_and_repeated_numbers() -> None:
    observer = NodeObserver((RING_AT, RING_SIZE))
    observer.on("flash:program", 1, program(3))
    observer.on("flash:program", 2, program(3))  # written again: it did not read back
    assert list(observer.closed) == [3] and observer.rewritten == []
    observer.on("flash:program", 3, program(3, 899))
    assert observer.rewritten == [3] and observer.closed[3].coverage == 900
    for elsewhere in (32, SMALL * SECTOR - 4, RING_SIZE):  # checkpoints, another partition
        observer.on("flash:program", 4, program(9, at=elsewhere))
    assert list(observer.closed) == [3]


def test_the_observer_counts_passages_one_by_one() -> None:
    observer = NodeObserver((RING_AT, RING_SIZE))
    observer.on("boot", 0, "")
    totals, car = [0] * 10, (452, 1)
    steps: list[tuple[int, int, tuple[int, int]]] = [
        (0, -1, car), (5, 2, (752, 2)), (6, 2, (752, 2)), (9, 9, (752, 2)),
    ]  # fmt: skip
    for t_us, slot, speeds in steps:
        if slot >= 0:
            totals[slot] += 1
        now = replace(
            RECORD,
            totals=list(totals), speeds=[speeds, (231, 2)],
            histograms=[{11: speeds[1]}, {1: 1, 4: 1}],
        )  # fmt: skip
        observer.on("rtc", t_us, rtc(now))
    observer.on("rtc", 10, b"damaged")
    assert observer.passages == [
        Passage(5, "forward", "car", 30.0), Passage(6, "forward", "car"),
        Passage(9, "backward", "unknown"),
    ]  # fmt: skip
    totals[2] += 1
    of_the_next = replace(
        RECORD,
        totals=totals, counts=[0, 0, 1] + [0] * 7, speeds=[car, (0, 0)],
        histograms=[{11: 1}, {}],
    )  # fmt: skip
    observer.on("rtc", 11, rtc(of_the_next))
    assert observer.passages[3:] == [Passage(11, "forward", "car", 45.2)]
    observer.on("boot", 12, "")
    observer.on("rtc", 13, rtc(replace(RECORD, totals=[50] * 10)))
    assert len(observer.passages) == 4, "what is restored after a boot was counted before it"


def test_the_observer_knows_when_the_node_was_alive() -> None:
    observer = NodeObserver((RING_AT, RING_SIZE))
    for kind, t_us in (("boot", 1), ("cut", 4), ("boot", 6), ("reset:soft", 8), ("boot", 8)):
        observer.on(kind, t_us * S, "")
    assert observer.alive_us(0, 10 * S) == 7 * S
    assert observer.alive_us(3 * S, 7 * S) == 2 * S and observer.alive_us(4 * S, 6 * S) == 0
    assert (observer.boots, observer.cuts, observer.resets) == (3, 1, {"cut": 1, "reset:soft": 1})


def test_the_digest_tells_any_difference() -> None:
    def digest(*events: tuple[str, int, bytes]) -> str:
        observer = NodeObserver((RING_AT, RING_SIZE))
        for event in events:
            observer.on(*event)
        return observer.digest()

    one = ("log", 5, b"a")
    assert digest(one) == digest(one)
    assert len({digest(one), digest(one, one), digest(("log", 6, b"a")), digest()}) == 4
