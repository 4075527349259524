"""A change that a test sees is found, a change that no test sees is listed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.mutants.__main__ import draw, report, selected
from tests.mutants.changes import Change, changes
from tests.mutants.coverage import Reach
from tests.mutants.explained import Explained
from tests.mutants.judges import DEVICE, Judge, Tree, whole_runs
from tests.mutants.marking import Marking, Names
from tests.mutants.source import Module
from tests.mutants.verdict import Court, Verdict
from tests.tidy.source import ROOT

PATH = "tests/fakes/sample.py"
SAMPLE = '''"""Grades a number."""

from micropython import const

_LIMIT = const(10)
_UNUSED = const(3)
_STEP_MS = const(2000)


def grade(n, log=None):
    """Large from the limit on."""
    if log:
        log.info("grade %d", n + 1)
    elif n < 0 or n == 99:
        raise ValueError
    if n < _LIMIT:
        return "small"
    return "large"


def never(n):
    assert n > 0
    return n + 1
'''
TEST = """from sample import grade


def test_grade():
    assert grade(9) == "small"
    assert grade(11) == "large"
    try:
        grade(-1)
        assert False
    except ValueError:
        pass
"""
JUDGE = Judge(DEVICE, "tests/lib/test_sample.py", "test_grade")


@pytest.fixture(scope="module")
def sample() -> Module:
    return Module(PATH, SAMPLE)


def texts(module: Module) -> set[tuple[int, str]]:
    """Every change of a module as (line, the line as it becomes)."""
    return {(one.line, one.lines(module)[1][0].strip()) for one in changes(module)}


def tree_with_sample(folder: Path) -> Tree:
    tree = Tree(folder)
    (tree.root / PATH).write_text(SAMPLE)
    (tree.root / JUDGE.where).write_text(TEST)
    return tree


def change_to(module: Module, text: str) -> Change:
    [found] = [one for one in changes(module) if one.lines(module)[1][0].strip() == text]
    return found


def test_every_kind_of_change_is_offered(sample: Module) -> None:
    offered = texts(sample)
    assert (16, "if n <= _LIMIT:") in offered and (16, "if not (n < _LIMIT):") in offered
    assert (14, "elif n < 0 and n == 99:") in offered and (14, "elif n < 0 or n != 99:") in offered
    assert (15, "pass") in offered and (17, "return None") in offered
    assert (5, "_LIMIT = const(11)") in offered and (5, "_LIMIT = const(9)") in offered


def test_a_return_that_would_mean_the_same_stays() -> None:
    """`False` becomes True, not None. A bare return at the end of a function is no statement."""
    text = (
        "def f(n):\n    if n:\n        return\n    if n:\n        return False\n    return None\n"
    )
    offered = texts(Module(PATH, text))
    assert (3, "pass") in offered and (5, "return True") in offered
    assert (5, "return None") not in offered and (6, "pass") not in offered


def test_a_large_quantity_changes_by_a_quarter(sample: Module) -> None:
    offered = texts(sample)
    assert (7, "_STEP_MS = const(2500)") in offered and (7, "_STEP_MS = const(1500)") in offered
    assert (7, "_STEP_MS = const(2001)") not in offered
    mask = Module(PATH, "_MASK = 0x3FFF\n")
    assert texts(mask) == {(1, "_MASK = 0x4000"), (1, "_MASK = 0x3ffe")}


def test_log_texts_assertions_and_docstrings_stay(sample: Module) -> None:
    assert {line for line, _ in texts(sample)} & {1, 11, 13, 22} == set()


def test_a_constant_that_nothing_uses_is_not_judged(sample: Module) -> None:
    names = Names([sample])
    assert names.places(change_to(sample, "_UNUSED = const(4)")) == set()
    assert names.places(change_to(sample, "_LIMIT = const(9)")) == {(PATH, 16)}


def test_the_marks_of_a_test_are_the_statements_it_has_run(sample: Module, tmp_path: Path) -> None:
    marking = Marking([sample])
    tree = tree_with_sample(tmp_path / "tree")
    tree.write(sample, marking.marked(PATH))
    recorder = (ROOT / "tests" / "mutants" / "device" / "marks.py").read_text()
    (tree.root / "lib" / "marks.py").write_text(recorder)
    file = tmp_path / "marks"
    count = str(len(marking.places))
    assert tree.passes(JUDGE, 60.0, MARKS_FILE=str(file), MARKS_COUNT=count)
    reached = marking.read(file)[PATH]
    assert {12, 15, 16, 17, 18} <= reached
    assert not reached & {13, 23}  # the log, and the function that no test calls


@pytest.fixture(scope="module")
def verdicts(sample: Module) -> list[Verdict]:
    """Three changes: seen by the test, not seen by it, in a function that it never calls."""
    lines = {PATH: {0, 12, 14, 15, 16, 17, 18}}
    reached = [Reach(JUDGE, 0.1, lines, {}, "")]
    court = Court([sample], reached, tree_with_sample)
    drawn = [change_to(sample, text) for text in ("if n <= _LIMIT:", "return n + 2")]
    [dies] = [one for one in changes(sample) if one.line == 17 and one.kind == "statement"]
    return court.verdicts([dies, *drawn], lambda _: None)


def test_a_change_that_the_test_sees_dies(verdicts: list[Verdict]) -> None:
    assert verdicts[0].found_by == "tests/lib/test_sample.py::test_grade"
    assert verdicts[0].reached_by == 1


def test_survivors_are_listed_with_place_and_difference(
    verdicts: list[Verdict], sample: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    status = report(verdicts, [sample], argparse.Namespace(json=None, seed=1))
    shown = capsys.readouterr().out
    assert status == 1 and "3 changes, 2 survived, 33.3% found" in shown
    assert f"{PATH}:16: comparison; 1 tests reach it" in shown
    assert "  -     if n < _LIMIT:\n  +     if n <= _LIMIT:\n" in shown
    assert f"{PATH}:23: constant; no test reaches it" in shown


def test_enough_found_changes_are_a_success(verdicts: list[Verdict], sample: Module) -> None:
    options = argparse.Namespace(json=None, seed=1)
    assert report([verdicts[0]] * 9 + [verdicts[1]], [sample], options) == 0
    assert report([verdicts[0]] * 8 + [verdicts[1]], [sample], options) == 1


def test_the_same_seed_draws_the_same_changes(sample: Module) -> None:
    offered = changes(sample)
    assert draw(offered, 4, 7) == draw(list(offered), 4, 7)
    assert any(draw(offered, 4, 7) != draw(offered, 4, seed) for seed in range(5))
    assert len({one.line for one in draw(offered, 4, 7)}) == 4


def test_a_file_a_folder_or_a_line_can_be_chosen(sample: Module) -> None:
    offered = changes(sample)
    assert selected(offered, PATH) == selected(offered, "tests/fakes") == offered
    assert {one.line for one in selected(offered, f"{PATH}:16")} == {16}
    assert selected(offered, "tests/fake") == []


def test_what_only_runs_in_a_node_is_judged_by_a_whole_run() -> None:
    assert [judge.where for judge in whole_runs("firmware/app.py")] == ["radar,beam", "lora-beam"]
    assert whole_runs("tests/fakes/sample.py") == []


def test_every_explanation_belongs_to_a_line_that_is_there() -> None:
    for path, was, _becomes in Explained.load().entries:
        lines = [line.strip() for line in (ROOT / path).read_text().splitlines()]
        assert was in lines, f"{path}: {was}"
