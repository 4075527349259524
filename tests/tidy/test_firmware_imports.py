"""Imports of the firmware: shallow, few of them late, each late one with its measured bytes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from tests.tidy.source import files, imports, name
from tests.tidy.test_imports import cycle

DEPTH_MAX = 8  # modules on the longest way from main.py down
LATE_MAX = 12
_BYTES = re.compile(r"#.*\b\d[\d,.]* ?(B|bytes|KB)\b")
BY_NAME = "getattr(__" + "import__"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def late(source: str) -> list[int]:
    """Lines of imports inside of functions."""
    found = {
        node.lineno
        for function in ast.walk(ast.parse(source))
        if isinstance(function, FUNCTIONS)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    return sorted(found)


def is_explained(source: str, line: int) -> bool:
    """Whether the line of an import, or the comment above it, gives its measured bytes."""
    lines = source.splitlines()
    if _BYTES.search(lines[line - 1]):
        return True
    for above in reversed(lines[: line - 1]):
        if not above.lstrip().startswith("#"):
            return False
        if _BYTES.search(above):
            return True
    return False


def all_late() -> Iterator[tuple[str, str, int]]:
    """(place, source, line) of every late import of the firmware."""
    for path in files("firmware/*.py"):
        source = path.read_text()
        yield from ((f"{name(path)}:{line}", source, line) for line in late(source))


def test_few_imports_are_late() -> None:
    assert len(list(all_late())) <= LATE_MAX, [place for place, _, _ in all_late()]


def test_every_late_import_gives_its_measured_bytes() -> None:
    assert [place for place, source, line in all_late() if not is_explained(source, line)] == []


def depth(graph: dict[str, set[str]], module: str) -> int:
    """Modules on the longest way down from a module, itself included."""
    return 1 + max((depth(graph, needs) for needs in graph[module]), default=0)


def test_firmware_is_shallow_and_has_no_circle() -> None:
    paths = {
        name(path).removeprefix("firmware/").removesuffix(".py").replace("/", "."): path
        for path in files("firmware/*.py")
    }
    graph = {
        module: {got for got in imports(path.read_text()) if got in paths}
        for module, path in paths.items()
    }
    assert cycle(graph) == []
    depths = {module: depth(graph, module) for module in graph}
    assert depths["main"] > 3 and max(depths.values()) <= DEPTH_MAX, depths


def test_no_module_is_loaded_by_a_name_that_is_put_together() -> None:
    assert [name(path) for path in files("*.py") if BY_NAME in path.read_text()] == []


@pytest.mark.parametrize(
    ("text", "is_good"),
    (
        ("import x  # 600 bytes", True),
        ("# saves 2.1 KB of heap\n    import x", True),
        ("import x  # RAM", False),
        ("import x", False),
    ),
)
def test_a_late_import_without_its_bytes_is_found(text: str, is_good: bool) -> None:
    source = f"def f():\n    {text}\n"
    [line] = late(source)
    assert is_explained(source, line) == is_good


def test_depth_is_counted_in_modules() -> None:
    assert depth({"a": {"b"}, "b": {"c"}, "c": set()}, "a") == 3
