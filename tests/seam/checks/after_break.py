"""After Ctrl-C: the interpreter is the same one, and the program knows."""

from prelude import expect


def ctrl_c_is_an_exception():
    """Ctrl-C on the console raises KeyboardInterrupt in the program that runs.

    Source: docs/reference/repl.rst, "Interrupting a running program"
    Leans: mpremote and technicians; firmware/app.py must not swallow it
    """
    expect(globals().get("caught"), "KeyboardInterrupt")
