"""Waits before the restart that follows a failed start. Loaded for that alone."""

import time

from micropython import const
from ring import RingError

_FIRST_S = const(10)
_DOUBLED_MAX = const(8)  # 43 min
_WATCHDOG_MS = const(60_000)


def pause(board, error):
    """Show why the start failed, and wait: 10 s, twice as long after each failed start in a row.

    When the log is the reason, the next start counts in memory.
    """
    board.print_exception(error)
    watchdog = board.watchdog(_WATCHDOG_MS)
    for _ in range(_FIRST_S << min(_failed(board, error), _DOUBLED_MAX)):
        watchdog.feed()
        time.sleep(1)


def _failed(board, error):
    """The number of failed starts before this one. 2 if NVS does not say it."""
    try:
        nvs = board.nvs("tallypost")
        if isinstance(error, (RingError, OSError)):
            nvs.set_i32("ring_bad", 1)
            nvs.commit()
        return nvs.get_i32("failed")
    except OSError:
        return 2
