"""The scores pair single passages with the truth: misses and phantoms do not cancel."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.run.processes.observer import Passage
from simulator.run.plans.sensors import WIDEST
from simulator.run.results.scoring import score

S = 1_000_000


def passage(t_s: float, direction: str = "forward", cls: str = "car") -> Passage:
    return Passage(int(t_s * S), direction, cls)


TRUTH = [passage(10 * i, ("forward", "backward")[i % 2]) for i in range(1, 11)]


def test_equal_passages_are_a_perfect_match() -> None:
    found = score(TRUTH, list(TRUTH))
    assert (found.matched, found.precision, found.recall) == (10, 1.0, 1.0)
    assert found.direction_errors == 0 and found.confusion == {"car": {"car": 10}}


def test_scores_without_passages_are_zero_or_one() -> None:
    assert score([], []).recall == score([], []).precision == 1.0
    assert (score(TRUTH, []).recall, score(TRUTH, []).precision) == (0.0, 1.0)
    assert (score([], TRUTH).recall, score([], TRUTH).precision) == (1.0, 0.0)


def test_a_miss_and_a_phantom_do_not_cancel() -> None:
    counted = [*TRUTH[1:], passage(200)]
    found = score(TRUTH, counted)
    assert found.truth == found.counted == 10 and found.matched == 9
    assert found.precision == found.recall == 0.9


def test_a_passage_that_is_counted_twice_is_a_phantom() -> None:
    found = score(TRUTH, [*TRUTH, TRUTH[4]])
    assert found.matched == 10 and found.recall == 1.0 and found.precision == 10 / 11


def test_a_passage_may_be_noted_late_and_a_little_early() -> None:
    truth = [passage(100)]
    for off_us, matched in (
        (WIDEST.late_us, 1),
        (WIDEST.late_us + 1, 0),
        (-WIDEST.early_us, 1),
        (-WIDEST.early_us - 1, 0),
    ):
        assert score(truth, [Passage(100 * S + off_us, "forward", "car")]).matched == matched


def test_another_direction_is_an_error_and_no_match() -> None:
    found = score(TRUTH, [passage(10, "forward"), *TRUTH[1:]])  # the first is backward
    assert (found.matched, found.direction_errors) == (9, 1)
    assert found.recall == found.precision == 0.9


def test_the_right_direction_goes_first() -> None:
    truth = [passage(10, "forward"), passage(11, "backward")]
    found = score(truth, [passage(10.9, "forward"), passage(10.1, "backward")])
    assert (found.matched, found.direction_errors) == (2, 0)


def test_close_followers_keep_their_order() -> None:
    truth = [passage(10, cls="car"), passage(12, cls="heavy")]
    found = score(truth, [passage(11.8, cls="car"), passage(11.9, cls="heavy")])
    assert found.confusion == {"heavy": {"heavy": 1}, "car": {"car": 1}}


def test_a_wrong_class_is_matched_and_shown() -> None:
    found = score([passage(1, cls="bicycle")] * 2, [passage(1, cls="unknown")] * 2)
    assert found.matched == 2 and found.confusion == {"bicycle": {"unknown": 2}}


TIMES = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(("forward", "backward"))))


@given(TIMES, TIMES)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_no_passage_is_used_twice(
    there: list[tuple[int, str]], evidence: list[tuple[int, str]]
) -> None:
    truth = [passage(t, direction) for t, direction in sorted(there)]
    found = score(truth, [passage(t, direction) for t, direction in evidence])
    pairs = found.matched + found.direction_errors
    assert pairs <= min(found.truth, found.counted)
    assert sum(sum(row.values()) for row in found.confusion.values()) == found.matched
    assert 0 <= found.recall <= 1 and 0 <= found.precision <= 1


def test_a_dense_row_that_is_noted_late_is_paired_in_order() -> None:
    truth = [passage(2 * i) for i in range(50)]
    late = [passage(2 * i + 1.2) for i in range(50)]  # each one nearer to the one behind
    assert score(truth, late).matched == 50
