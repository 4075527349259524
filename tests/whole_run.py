"""Says before a run of all tests how long it takes, and notes afterwards how long it took.

A plugin of pytest, loaded by conftest.py. A run of some tests says nothing.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

NOTE = Path(__file__).resolve().parents[1] / ".build" / "test-seconds"
FIRST_S = 660  # on a machine with two cores
_began = time.monotonic()


def is_whole(config: pytest.Config) -> bool:
    """Whether all tests run, and this process is the one that a person watches."""
    some = config.option.keyword or config.option.markexpr or config.option.collectonly
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return everything and not some and not hasattr(config, "workerinput")


def announcement(note: Path = NOTE) -> str:
    """The line at the start: the time of the last run on this machine, else a usual one."""
    try:
        seconds, how = float(note.read_text()), "as the last time here"
    except (OSError, ValueError):
        seconds, how = FIRST_S, "on two cores"
    minutes = max(1, round(seconds / 60))
    return f"all tests: about {minutes} min, {how}; the figures in brackets show the progress"


def pytest_sessionstart(session: pytest.Session) -> None:
    if is_whole(session.config):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal:
            terminal.write_line(announcement())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if is_whole(session.config) and exitstatus == pytest.ExitCode.OK and NOTE.parent.is_dir():
        NOTE.write_text(f"{time.monotonic() - _began:.0f}\n")
