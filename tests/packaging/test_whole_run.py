"""A run of all tests says at its start how long it takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests import whole_run

SOURCE = pytest.Config.ArgsSource


def config(source: object = SOURCE.TESTPATHS, **changed: Any) -> Any:
    options = {"keyword": "", "markexpr": "", "collectonly": False} | changed
    return SimpleNamespace(args_source=source, option=SimpleNamespace(**options))


def test_the_first_run_gets_a_usual_time_and_a_later_one_that_of_the_last(tmp_path: Path) -> None:
    note = tmp_path / "test-seconds"
    assert "about 11 min, on two cores" in whole_run.announcement(note)
    note.write_text("395\n")
    assert "about 7 min, as the last time here" in whole_run.announcement(note)
    note.write_text("soon\n")
    assert "on two cores" in whole_run.announcement(note)


def test_only_a_run_of_all_tests_is_announced(request: pytest.FixtureRequest) -> None:
    assert whole_run.is_whole(config())
    assert not whole_run.is_whole(config(SOURCE.ARGS))
    for one in ({"keyword": "ring"}, {"markexpr": "slow"}, {"collectonly": True}):
        assert not whole_run.is_whole(config(**one))
    worker = config()
    worker.workerinput = {}
    assert not whole_run.is_whole(worker)
    assert request.config.pluginmanager.has_plugin("tests.whole_run")
