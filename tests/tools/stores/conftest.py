"""A PostgreSQL server for the tests of the stores. Without one they are skipped by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.runs.postgres import Server, programs, server

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    if not programs():
        pytest.skip("no PostgreSQL server is installed: apt install postgresql")
    with server() as running:
        yield running


@pytest.fixture
def url(postgres: Server) -> str:
    """The address of an empty database."""
    return postgres.url(f"t{next(_NUMBERS)}")


@pytest.fixture(params=("sqlite", "postgresql"))
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The address of an empty store of each kind."""
    if request.param == "sqlite":
        return tmp_path / "db"
    found: str = request.getfixturevalue("url")
    return found
