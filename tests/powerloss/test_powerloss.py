"""Every flash operation of the ring log, cut in every way, and a sample of second cuts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.long import LONG
from tests.powerloss.harness import (
    CUT_MODES, REST, SABOTAGES, STUCK, Plan, reproduction, rest_plans, run, sweep_plans,
)  # fmt: skip

ONE_IN = (5, 24) if LONG else (9, 48)  # of the second cuts, for the first workloads


def test_no_cut_loses_changes_or_resurrects_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    total = run(sweep_plans(ONE_IN))
    with capsys.disabled():
        print(f"\n{total.summary()}")
    assert total.clean, "\n".join([*total.failures, total.summary()])
    assert total.operations > 600
    assert total.cuts > total.operations * len(CUT_MODES)


def test_damage_at_rest_costs_its_sector_and_no_number_comes_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    total = run(rest_plans((6, 24)))
    with capsys.disabled():
        print(f"\nat rest: {total.summary()}")
    assert total.clean, "\n".join([*total.failures, total.summary()])
    assert total.cuts > 7000


def test_damage_that_a_log_without_checksum_misses_is_found() -> None:
    total = run([Plan(0, one_in=7, sabotage="no-checksum", program=REST, emit="bytecode")])
    assert total.wrong and "--rest --cut" in total.failures[0]
    number = int(total.failures[0].split("--cut ")[1].split()[0])
    again = run([Plan(0, cut=number, sabotage="no-checksum", program=REST)])
    assert again.cuts == 1 and again.failures == [total.failures[0]]


def test_bytecode_makes_the_same_operations_as_machine_code() -> None:
    """The sweeps run as machine code. On the chip the log is bytecode."""
    plan = Plan(0, modes=("half", "done"), one_in=100)
    totals = [run([replace(plan, emit=emit)]) for emit in ("bytecode", "native")]
    assert all(total.clean for total in totals), totals
    assert totals[0].cuts == totals[1].cuts > 600
    assert totals[0].operations == totals[1].operations


# Cuts that once found something: workload, operation and mode, the same of the second cut.
ONCE_FOUND = (
    (0, 42, "done", 0, ""),
    (0, 225, "done", 1, "part"),
    (1, 35, STUCK, 38, "tail"),
)


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_broken_log_is_found(sabotage: str) -> None:
    plan = Plan(0, one_in=60, stop=True, sabotage=sabotage, emit="bytecode")
    total = run([plan])
    assert total.lost + total.wrong + total.resurrected
    assert f"--sabotage {sabotage}" in total.failures[0]
    assert "Error:" not in total.failures[0], "the log is broken, not unable to run"


@pytest.mark.parametrize(("workload", "cut", "mode", "second", "second_mode"), ONCE_FOUND)
def test_a_cut_that_once_found_a_failure_finds_none(
    workload: int, cut: int, mode: str, second: int, second_mode: str
) -> None:
    modes = (second_mode,) if second else ()
    plan = Plan(workload, (mode,), modes, cut=cut, second=second or -1, emit="bytecode")
    total = run([plan])
    assert total.clean and total.cuts, total.failures


def test_a_failure_is_repeated_by_its_command() -> None:
    """The same two cuts find the same failure, and no other cut is made."""
    plan = Plan(0, modes=("half",), second=-1, stop=True, sabotage="no-checksum")
    first = run([plan]).failures[0]
    words = first.split()
    cut = int(words[words.index("--cut") + 1])
    again = run([Plan(0, modes=("half",), cut=cut, second=-1, sabotage="no-checksum")])
    assert again.cuts == 1
    assert again.failures == [first]


def test_the_command_names_both_cuts() -> None:
    assert reproduction(Plan(1), [(12, STUCK), (15, "half")]) == (
        "python -m tests.powerloss --workload 1 --cut 12 --mode stuck --second 15"
        " --second-mode half"
    )
