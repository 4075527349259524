"""Runs in MicroPython: one byte for every statement of the device code, 1 once it has run.

At the end of the process they are appended to the file that MARKS_FILE names. A mark allocates
nothing, so that the tests under a locked heap can be marked, too.
"""

import os
import sys

_FILE = os.getenv("MARKS_FILE")
marks = bytearray(int(os.getenv("MARKS_COUNT") or 0))


def _write():
    with open(_FILE, "ab") as file:
        file.write(marks)


if _FILE:
    sys.atexit(_write)
