"""Runs one test function of one file inside MicroPython: `runner.py FILE FUNCTION`."""

import sys


def main():
    path, name = sys.argv[1], sys.argv[2]
    scope = {"__name__": "test"}
    with open(path) as source:
        exec(compile(source.read(), path, "exec"), scope)
    outcome = scope[name]()
    if outcome is not None:  # a coroutine: the test forgot to run it
        raise TypeError(name + " returned " + repr(outcome))
    sys.stdout.write("passed\n")


main()
