"""Majority vote over recent tracks. A fault of nearly every track is a fault of the radar.

A vote is two neighbours in an array: the number of tracks with the fault, and without it.
"""


def cast(votes, at, is_faulty, votes_max):
    """Count one track. At `votes_max` tracks both numbers are halved, so old tracks fade."""
    votes[at if is_faulty else at + 1] += 1
    if votes[at] + votes[at + 1] >= votes_max:
        votes[at] >>= 1
        votes[at + 1] >>= 1


def is_majority(votes, at, votes_min, tenths):
    """True if at least `votes_min` tracks were counted and so many tenths of them are faulty."""
    total = votes[at] + votes[at + 1]
    return total >= votes_min and votes[at] * 10 >= total * tenths
