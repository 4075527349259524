"""The checkers find every kind of fault in a doctored run, and none in a clean one."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace

import pytest

from simulator.run.checkers import records
from simulator.run.results.report import node_result, total
from tests.support.runs.doctored import (
    FAULTS,
    Doctor,
    body,
    closed,
    corrupt,
    double,
    flash_rule,
    lose,
    missed_passage,
    out_of_order,
    overlapping,
    phantom_passage,
    wrong_total,
)  # fmt: skip
from tests.support.runs.made_run import LENGTH_S, S, clean


def test_a_clean_run_has_no_violations() -> None:
    evidence = clean()
    assert records.violations(evidence) == []
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert total(records.counted(evidence)) == total(records.delivered(evidence)) == 24
    assert records.counted(evidence)["backward"]["bicycle"] == 8


def test_the_result_of_a_clean_run() -> None:
    result = node_result(clean())
    assert result["violations"] == []
    assert result["intervals"] == {
        "closed": 8, "delivered": 8, "confirmed": 8, "lost": 0, "duplicated": 0
    }  # fmt: skip
    assert result["matched"]["precision"] == result["matched"]["recall"] == 1.0
    assert result["coverage"] == {"observed_s": 7200, "closed_s": 7200, "alive_s": 7200}
    assert result["truth"] == result["counted"] == result["delivered"]


@pytest.mark.parametrize(("doctor", "text"), FAULTS, ids=[f[0].__name__ for f in FAULTS])
def test_a_fault_is_one_violation(doctor: Doctor, text: str) -> None:
    evidence = clean()
    doctor(evidence)
    found = records.violations(evidence)
    assert any(re.fullmatch(f"radar-1: {text}.*", line) for line in found), found
    allowed = 2 if doctor in (double,) else 1  # a doubled one was never closed either
    assert len(found) == allowed, found


def test_intervals_that_overlap_in_time_are_found_on_both_sides() -> None:
    evidence = clean()
    overlapping(evidence)
    found = records.violations(evidence)
    assert "radar-1: intervals 4 and 5 overlap by 10 s" in found
    assert "radar-1: 1 intervals in the backend overlap others, the first is 5" in found


def test_faults_do_not_hide_each_other() -> None:
    evidence = clean()
    for doctor in (phantom_passage, lose, wrong_total, corrupt, flash_rule):
        doctor(evidence)
    assert len(records.violations(evidence)) == 5


def test_intervals_within_a_long_one_are_duplicates() -> None:
    evidence = clean()
    body(evidence, 1)["len"] = 4 * LENGTH_S
    assert records.duplicated(evidence) == [2, 3, 4]


def test_a_power_cut_may_take_what_was_noted_since_the_checkpoint() -> None:
    """The last passages of interval 8 are at 6500, 6700 and 6900 s."""
    for cut_s, excused in ((6930, True), (6970, False), (6890, False)):
        evidence = clean()
        missed_passage(evidence)
        evidence.observer.on("cut", cut_s * S, "")
        evidence.observer.alive[0][1] = -1  # it is back at once
        assert (records.violations(evidence) == []) is excused, cut_s


def test_a_power_cut_makes_no_passage() -> None:
    evidence = clean()
    phantom_passage(evidence)
    evidence.observer.cuts_us += [t_s * S for t_s in range(0, 7200, 30)]
    assert len(records.violations(evidence)) == 1


def test_a_connection_may_be_silent_for_one_and_a_half_keep_alives() -> None:
    evidence = clean()
    evidence.observer.on("net:open", 60 * S, "ok")
    for t_s in range(149, 7200, 89):
        evidence.observer.on("net:rx", t_s * S, b"x")
    assert records.violations(evidence) == []


def test_a_connection_ends_with_the_power() -> None:
    evidence = clean()
    evidence.observer.on("net:open", 60 * S, "ok")
    evidence.observer.on("cut", 61 * S, "")
    evidence.observer.alive[0][1] = -1
    assert records.violations(evidence) == []


def test_a_reason_excuses_missing_coverage() -> None:
    evidence = clean()
    closed(evidence, 5, coverage=800, why=2)
    assert records.violations(evidence) == []


def test_order_may_change_when_the_backend_was_away() -> None:
    evidence = clean("backend_away")
    assert evidence.plan.backend_away
    out_of_order(evidence)
    assert records.violations(evidence) == []


def test_an_interval_without_a_time_is_found_where_the_clock_was_known() -> None:
    evidence = clean()
    closed(evidence, 4, start=0)
    assert records.violations(evidence) == ["radar-1: 1 intervals without a time, the first is 4"]
    for number in evidence.observer.closed:
        closed(evidence, number, start=0)
    assert records.violations(evidence) == [], "this boot never knew the time"


def test_checking_changes_nothing() -> None:
    evidence = clean()
    before = deepcopy(
        (evidence.delivered, evidence.order, evidence.observer.closed, evidence.ring)
    )
    records.violations(evidence)
    assert before == (evidence.delivered, evidence.order, evidence.observer.closed, evidence.ring)


def test_totals_may_lack_the_record_that_damage_has_taken_and_no_other() -> None:
    evidence = clean()
    taken = evidence.observer.closed[1].counts
    for number in range(2, 9):
        totals = evidence.observer.closed[number].totals
        less = [total - count for total, count in zip(totals, taken, strict=True)]
        closed(evidence, number, totals=less)
    corrupt(evidence)

    def jumps() -> list[str]:
        return [text for text in records.violations(evidence) if "totals are not" in text]

    assert len(jumps()) == 1 and "interval 2" in jumps()[0]
    evidence.plan = replace(evidence.plan, rot=1)
    assert jumps() == []
    closed(evidence, 5, totals=[total + 1 for total in evidence.observer.closed[5].totals])
    corrupt(evidence)
    assert len(jumps()) == 1 and "interval 5" in jumps()[0]
