"""The checkers of time find a time that no clock of the node had, and gaps within a boot."""

from __future__ import annotations

from dataclasses import replace

from simulator.run.checkers import records
from simulator.run.processes.node import Evidence
from simulator.world.network.access_network import NetworkFaults
from tests.support.runs.doctored import closed
from tests.support.runs.made_run import LENGTH_S, S, clean, message

DAY_S = 86_400


def lived(*steps: tuple[int, int]) -> Evidence:
    """The clean run with a boot message, and steps of the time server (s, s)."""
    evidence = clean()
    network_faults = NetworkFaults(ntp_offset_s=[(at_s * S, seconds) for at_s, seconds in steps])
    evidence.plan = replace(evidence.plan, network_faults=network_faults)
    evidence.observer.on("log", 1, "0 info radar-1 0.1.0 boot 1 on esp32_generic")
    for number, record in evidence.observer.closed.items():
        closed(evidence, number, uptime=record.uptime - LENGTH_S)
    return evidence


def shifted(evidence: Evidence, first: int, seconds: int) -> None:
    """Intervals from `first` on, moved by that many seconds."""
    for number in range(first, 9):
        closed(evidence, number, start=evidence.observer.closed[number].start + seconds)


def test_a_clean_run_has_no_violations() -> None:
    evidence = lived()
    assert evidence.observer.boot_us == {1: 0}
    assert records.violations(evidence) == []


def test_an_interval_may_follow_a_wrong_time_server() -> None:
    evidence = lived((3 * LENGTH_S, DAY_S))
    shifted(evidence, 4, DAY_S)
    assert records.violations(evidence) == []


def test_a_time_that_no_server_gave_is_a_violation() -> None:
    for first, seconds in ((4, DAY_S + 2000), (3, DAY_S), (4, -DAY_S)):
        evidence = lived((3 * LENGTH_S, DAY_S))
        shifted(evidence, first, seconds)
        found = records.violations(evidence)
        assert any(f"interval {first} is" in text for text in found), (first, seconds, found)


def test_a_start_that_was_resolved_wrongly_is_found() -> None:
    evidence = lived()
    record = evidence.observer.closed[5]
    closed(evidence, 5, start=0)
    assert records.violations(evidence) == ["radar-1: 1 intervals without a time, the first is 5"]
    evidence.delivered[5]["start"] = message(5, replace(record, start=record.start + 2000))[
        "start"
    ]
    assert any("interval 5 is" in text for text in records.violations(evidence))


def test_an_interval_that_begins_late_leaves_a_gap() -> None:
    for seconds in (-10, 10):
        evidence = lived()
        closed(evidence, 5, uptime=evidence.observer.closed[5].uptime + seconds)
        found = records.violations(evidence)
        text = f"radar-1: interval 5 begins {seconds} s after 4 was closed"
        assert text in found, found


def test_with_a_stepped_clock_coverage_is_held_against_the_true_time() -> None:
    evidence = lived((3 * LENGTH_S, DAY_S))
    shifted(evidence, 4, DAY_S)
    closed(evidence, 6, coverage=800)
    assert records.violations(evidence) == ["radar-1: interval 6: 800 s of 900 s, no reason"]
    closed(evidence, 6, coverage=800, why=2)
    assert records.violations(evidence) == []
    closed(evidence, 6, coverage=910, length=920, why=0)
    assert "radar-1: interval 6: 910 s observed in 900 s" in records.violations(evidence)


def test_overlaps_are_found_whatever_the_clock_did() -> None:
    evidence = lived((3 * LENGTH_S, DAY_S), (5 * LENGTH_S, -DAY_S))
    shifted(evidence, 4, DAY_S)
    shifted(evidence, 6, -DAY_S)
    assert records.violations(evidence) == []
    shifted(evidence, 7, -10)
    assert any("overlap" in text for text in records.violations(evidence))


def test_only_the_resets_of_the_plan_are_asked_for() -> None:
    evidence = lived()
    evidence.plan = replace(evidence.plan, rtc_steps=[(S, -DAY_S)])
    assert records.violations(evidence) == ["radar-1: unexpected resets: {}"]
    evidence.observer.on("reset:hard", S, "")
    evidence.observer.on("boot", 2 * S, "hard")
    assert not any("resets" in text for text in records.violations(evidence))
