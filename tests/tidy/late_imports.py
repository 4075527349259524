"""Late imports of the firmware and the heap that each takes: `python -m tests.tidy.late_imports`.

A late import stands in a function. Its comment says how many bytes of heap the module takes, with
the modules that it loads. They are measured on the unix interpreter: 64-bit words, twice those of
the chip. The names of a module stay on the heap for good, so the module is loaded once before.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.source import ROOT, files, name

_FIRMWARE = ROOT / "firmware"
_SEARCH = ("firmware", "lib", "boards/common", ".build/third_party")
_STATED = re.compile(r"# ([\d,]+) bytes")
_HEAP = "3m"
# In memory before the import: the parts that a running node has.
_NODE = ("app", "console.reader")
_MEASURE = """
import gc, sys

def free():
    gc.collect()
    gc.collect()
    return gc.mem_free()

def load(names):
    for name in names:
        __import__(name)

before, late = {before!r}, {late!r}
load(before)
kept = set(sys.modules)
load(late)
for name in list(sys.modules):
    if name not in kept:
        sys.modules.pop(name)
        package, _, short = name.rpartition(".")
        if package in sys.modules and hasattr(sys.modules[package], short):
            delattr(sys.modules[package], short)
bytes_free = free()
load(late)
print(bytes_free - free())
"""


@dataclass(frozen=True)
class LateImport:
    """modules: loaded by it. stated: bytes by its comment, None without one."""

    place: str
    modules: tuple[str, ...]
    stated: int | None

    def before(self) -> tuple[str, ...]:
        """Modules that are in memory when it runs."""
        path = self.place.partition(".py")[0].removeprefix("firmware/")
        own = path.replace("/", ".")
        if own == "build":
            return (own,)
        link = "lorawan" if "/lorawan/" in path else "mqtt"
        return (*_NODE, f"delivery.{link}.build", own)


def late_imports() -> list[LateImport]:
    return [found for path in files("firmware/*.py") for found in of(name(path), path.read_text())]


def of(place: str, source: str) -> Iterator[LateImport]:
    """The late imports of a source."""
    lines = source.splitlines()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            found = _STATED.search(lines[node.lineno - 1])
            stated = int(found[1].replace(",", "")) if found else None
            yield LateImport(f"{place}:{node.lineno}", tuple(_modules(node)), stated)


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    for alias in node.names:
        full = f"{node.module}.{alias.name}"
        yield full if _is_module(full) else str(node.module)


def _is_module(full: str) -> bool:
    path = f"{full.replace('.', '/')}.py"
    return any((ROOT / folder / path).exists() for folder in ("firmware", "lib"))


def measure(found: LateImport) -> int:
    """Bytes of heap that the import takes."""
    micropython = Path(sys.executable).parent / "micropython"
    script = _MEASURE.format(before=found.before(), late=found.modules)
    with tempfile.TemporaryDirectory() as folder:
        search = [*(str(ROOT / part) for part in _SEARCH), folder, ".frozen"]
        result = subprocess.run(
            [str(micropython), "-X", f"heapsize={_HEAP}", "-c", script],
            env={**os.environ, "MICROPYPATH": ":".join(search)},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    return int(result.stdout)


def main() -> int:
    for found in late_imports():
        stated = "none" if found.stated is None else f"{found.stated:,}"
        modules = ", ".join(found.modules)
        sys.stdout.write(f"{found.place}: {modules}: {measure(found):,} bytes, stated {stated}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
