"""Runs the tests of device code inside MicroPython, one pytest item a test function: `ON_DEVICE`.

The files are read as text here (names of top-level `test_*` functions) and executed by the
interpreter only: a unit test that passes has passed on the dialect and the number ranges of the
node. `runner.py` is the other half.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

pytest_plugins = ("tests.whole_run",)
os.environ["LC_ALL"] = "C.UTF-8"  # the tools speak English to a test, whatever the locale is

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
ON_DEVICE = tuple(TESTS / name for name in ("firmware", "lib", "fakes", "alloc"))
SEARCH = ("lib", "firmware", "tests/fakes", ".build/third_party")
HEAP = "384k"  # 64-bit words: about 190 KB of the chip's; a file may ask for more: `# heap: 4m`
LIMIT_S = 240


class DeviceFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        for node in ast.parse(self.path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield DeviceTest.from_parent(self, name=node.name)


class DeviceTest(pytest.Item):
    def runtest(self) -> None:
        micropython = Path(sys.executable).parent / "micropython"
        env = dict(os.environ)
        env["MICROPYPATH"] = ":".join([*(str(ROOT / p) for p in SEARCH), ".frozen"])
        first = self.path.read_text().split("\n", 1)[0]
        heap = first.removeprefix("# heap: ") if first.startswith("# heap: ") else HEAP
        command = [str(micropython), "-X", f"heapsize={heap}", str(TESTS / "runner.py")]
        result = subprocess.run(
            [*command, str(self.path), self.name],
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if result.returncode or not result.stdout.rstrip().endswith("passed"):
            raise AssertionError(f"{self.name}:\n{result.stdout[-4000:]}{result.stderr[-4000:]}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name}::{self.name} (MicroPython)"


def _is_on_device(path: Path) -> bool:
    return any(folder in path.parents for folder in ON_DEVICE)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".py" and file_path.name.startswith("test_"):
        if _is_on_device(file_path):
            return DeviceFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keeps pytest's own importer away from helpers of the device tests."""
    if collection_path.suffix == ".py" and _is_on_device(collection_path):
        return None if collection_path.name.startswith("test_") else True
    return None


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Device tests are not Python modules for CPython: an empty stand-in is collected."""
    if _is_on_device(module_path):
        return EmptyFile.from_parent(parent, path=module_path)
    return None


class EmptyFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        return iter(())
