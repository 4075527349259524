"""The checkers of time find what no clock of the node can have said, and gaps within a life."""

from __future__ import annotations

from dataclasses import replace

from tests.support.runs.doctored import closed
from tests.support.runs.made_run import LENGTH_S, S, clean, message

from simulator.run.checkers import records
from simulator.run.processes.node import Seen
from simulator.world.network.access_network import Weather

DAY_S = 86_400


def lived(*steps: tuple[int, int]) -> Seen:
    """The clean run, with what the node said of its boot; steps of the time server (s, s)."""
    seen = clean()
    weather = Weather(ntp_offset_s=[(at_s * S, seconds) for at_s, seconds in steps])
    seen.plan = replace(seen.plan, weather=weather)
    seen.watcher.on("log", 1, "0 info radar-1 0.1.0 boot 1 on esp32_generic")
    for number, record in seen.watcher.closed.items():
        closed(seen, number, uptime=record.uptime - LENGTH_S)
    return seen


def shifted(seen: Seen, first: int, seconds: int) -> None:
    """From interval `first` on they claim to be so much later."""
    for number in range(first, 9):
        closed(seen, number, start=seen.watcher.closed[number].start + seconds)


def test_a_clean_run_has_no_violations() -> None:
    seen = lived()
    assert seen.watcher.boot_us == {1: 0}
    assert records.violations(seen) == []


def test_an_interval_may_follow_a_wrong_time_server() -> None:
    seen = lived((3 * LENGTH_S, DAY_S))
    shifted(seen, 4, DAY_S)
    assert records.violations(seen) == []


def test_but_no_other_time_and_not_before_it_was_wrong() -> None:
    for first, seconds in ((4, DAY_S + 2000), (3, DAY_S), (4, -DAY_S)):
        seen = lived((3 * LENGTH_S, DAY_S))
        shifted(seen, first, seconds)
        found = records.violations(seen)
        assert any(f"interval {first} lies" in text for text in found), (first, seconds, found)


def test_what_was_resolved_wrongly_is_found() -> None:
    seen = lived()
    record = seen.watcher.closed[5]
    closed(seen, 5, start=0)
    assert records.violations(seen) == []
    seen.delivered[5]["start"] = message(5, replace(record, start=record.start + 2000))["start"]
    assert any("interval 5 lies" in text for text in records.violations(seen))


def test_an_interval_that_begins_late_leaves_a_gap() -> None:
    for seconds in (-10, 10):
        seen = lived()
        closed(seen, 5, uptime=seen.watcher.closed[5].uptime + seconds)
        found = records.violations(seen)
        text = f"radar-1: interval 5 begins {seconds} s after 4 was closed"
        assert text in found, found


def test_with_a_stepped_clock_coverage_is_held_against_the_true_time() -> None:
    seen = lived((3 * LENGTH_S, DAY_S))
    shifted(seen, 4, DAY_S)
    closed(seen, 6, coverage=800)
    assert records.violations(seen) == ["radar-1: interval 6: 800 s of 900 s, no reason"]
    closed(seen, 6, coverage=800, why=2)
    assert records.violations(seen) == []
    closed(seen, 6, coverage=910, length=920, why=0)
    assert "radar-1: interval 6: 910 s observed in 900 s" in records.violations(seen)


def test_overlaps_are_found_whatever_the_clock_did() -> None:
    seen = lived((3 * LENGTH_S, DAY_S), (5 * LENGTH_S, -DAY_S))
    shifted(seen, 4, DAY_S)
    shifted(seen, 6, -DAY_S - 3 * LENGTH_S)
    assert any("overlap" in text for text in records.violations(seen))


def test_only_the_resets_of_the_plan_are_asked_for() -> None:
    seen = lived()
    seen.plan = replace(seen.plan, rtc_steps=[(S, -DAY_S)])
    assert records.violations(seen) == ["radar-1: resets that nobody asked for: {}"]
    seen.watcher.on("reset:hard", S, "")
    seen.watcher.on("boot", 2 * S, "hard")
    assert not any("resets" in text for text in records.violations(seen))
