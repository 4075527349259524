"""A majority of the last few: what is true of nearly every track says something of the radar.

Votes are two numbers in a row in an array: how many are for it, how many against.
"""


def vote(votes, at, is_so, most):
    """Add one; at `most` of them what is old counts half."""
    votes[at if is_so else at + 1] += 1
    if votes[at] + votes[at + 1] >= most:
        votes[at] >>= 1
        votes[at + 1] >>= 1


def say(votes, at, least, tenths):
    """True when so many of ten, or more, of at least `least` are for it."""
    total = votes[at] + votes[at + 1]
    return total >= least and votes[at] * 10 >= total * tenths
