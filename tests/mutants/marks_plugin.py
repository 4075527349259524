"""pytest plugin: gives the interpreters of every test a file of their own for their marks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


class _Times:
    """Seconds and outcome of the tests of this process."""

    seconds: dict[str, float] = {}
    outcome: dict[str, str] = {}


def _file(test: str) -> Path:
    return Path(os.environ["MARKS_FOLDER"]) / hashlib.sha256(test.encode()).hexdigest()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    os.environ["MARKS_FILE"] = str(_file(item.nodeid).with_suffix(".marks"))
    yield
    found = {
        "id": item.nodeid,
        "seconds": round(_Times.seconds.get(item.nodeid, 0.0), 2),
        "outcome": _Times.outcome.get(item.nodeid, "passed"),
    }
    _file(item.nodeid).with_suffix(".json").write_text(json.dumps(found))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return  # the process that only collects the reports of the others
    _Times.seconds[report.nodeid] = _Times.seconds.get(report.nodeid, 0.0) + report.duration
    if report.outcome != "passed":
        _Times.outcome[report.nodeid] = report.outcome
