"""The tool as other machines have it: built as a wheel, installed without checkout and network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.packaging.installed import TOOLS, Installed, build_package, install

from tallypost import i18n
from tallypost.locking import locked


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A test that speaks German leaves English behind."""
    yield
    i18n.use("en")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout. Workers of one run share it."""
    folder = tmp_path_factory.getbasetemp().parent / "wheel"
    with locked(folder.with_suffix(".lock")):
        if not list(folder.glob("*.whl")):
            build_package("wheel", TOOLS, folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def of_role(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installed]:
    """The tool in an environment with the packages of a role and no others."""
    made: dict[str, Installed] = {}

    def find(role: str) -> Installed:
        if role not in made:
            made[role] = install(wheel, role, tmp_path_factory.mktemp(role))
        return made[role]

    return find


@pytest.fixture
def tool(of_role: Callable[[str], Installed]) -> Installed:
    """The tool as a technician has it."""
    return of_role("technician")
