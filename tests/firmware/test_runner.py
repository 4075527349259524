"""The runner itself: tests must run on the node's interpreter and must be able to fail."""

import sys


def test_runs_in_micropython():
    assert sys.implementation.name == "micropython"


def test_an_assertion_is_an_exception():
    try:
        assert sys.implementation.name == "cpython"
    except AssertionError:
        return
    raise ValueError("assert is compiled away")
