"""The majority vote over recent tracks: who decides, from when on, and for how long."""

from array import array

from passage.outlier_vote import cast, is_majority


def _votes(faulty, sound):
    return array("H", (7, 7, faulty, sound))  # the first two belong to another vote


def test_each_track_counts_for_one_side_of_its_own_vote():
    votes = _votes(0, 0)
    for is_faulty in (True, True, False, True):
        cast(votes, 2, is_faulty, 100)
    assert list(votes) == [7, 7, 3, 1]


def test_both_sides_are_halved_at_the_limit_and_never_run_over():
    votes = _votes(0, 0)
    for i in range(99):
        cast(votes, 2, i < 60, 100)
    assert list(votes) == [7, 7, 60, 39]
    cast(votes, 2, False, 100)
    assert list(votes) == [7, 7, 30, 20]
    for _ in range(1000):
        cast(votes, 2, True, 100)
        assert votes[2] + votes[3] < 100
    assert votes[3] == 0, "the old tracks have faded"


def test_a_majority_needs_its_share_and_enough_tracks():
    assert not is_majority(_votes(19, 0), 2, 20, 8), "too few"
    assert is_majority(_votes(20, 0), 2, 20, 8)
    assert is_majority(_votes(16, 4), 2, 20, 8) and not is_majority(_votes(15, 5), 2, 20, 8)
    assert is_majority(_votes(80, 20), 2, 20, 8) and not is_majority(_votes(79, 21), 2, 20, 8)
    assert not is_majority(_votes(80, 20), 0, 20, 8), "that is the other vote"
