"""A module of device code, its statements, and the places in its text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.source import ROOT, files

FOLDERS = ("firmware", "lib", "boards/common")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BODIES = ("body", "orelse", "finalbody", "handlers")


@dataclass(frozen=True)
class Statement:
    """A statement and where a run of it is noticed.

    mark: the line before which a marker stands, 0 outside of functions. function: the function it
    belongs to, None outside of functions.
    """

    node: ast.stmt
    mark: int
    function: ast.FunctionDef | ast.AsyncFunctionDef | None


class Module:
    """path: relative to the root of the tree, with slashes."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self._data = text.encode()
        self._starts = [0]
        for line in self._data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Byte offset in the file. The module ast counts columns in bytes."""
        return self._starts[line - 1] + column

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First byte of a node and the byte after its last."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def between(self, start: int, end: int) -> str:
        return self._data[start:end].decode()

    def replaced(self, start: int, end: int, text: str) -> str:
        """The whole text with the bytes from start to end replaced."""
        return (self._data[:start] + text.encode() + self._data[end:]).decode()

    def line_of(self, offset: int) -> int:
        return self._data.count(b"\n", 0, offset) + 1

    def statements(self) -> Iterator[Statement]:
        """All statements except docstrings, in order of the text."""
        yield from self._below(self.tree, Statement(ast.Pass(), 0, None))

    def _below(self, node: ast.AST, above: Statement) -> Iterator[Statement]:
        for field in _BODIES:
            for child in getattr(node, field, []):
                if isinstance(child, ast.ExceptHandler):
                    yield from self._below(child, above)
                elif not _is_docstring(child):
                    yield from self._one(child, above)

    def _one(self, node: ast.stmt, above: Statement) -> Iterator[Statement]:
        mark = 0
        if above.function is not None:
            mark = above.mark if self._is_elif(node) else _first_line(node)
        own = Statement(node, mark, above.function)
        yield own
        inner = Statement(node, 0, node) if isinstance(node, FUNCTIONS) else own
        yield from self._below(node, inner)

    def _is_elif(self, node: ast.stmt) -> bool:
        return self.lines[node.lineno - 1].lstrip().startswith("elif")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _first_line(node: ast.stmt) -> int:
    """Line of a statement, or of its first decorator."""
    decorators = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def own_expressions(node: ast.stmt) -> list[ast.expr]:
    """The expressions of a statement itself, not those of the statements in its body."""
    found = []
    for field, value in ast.iter_fields(node):
        if field in _BODIES:
            continue
        values = value if isinstance(value, list) else [value]
        found += [one for one in values if isinstance(one, ast.expr)]
        for item in values:
            if isinstance(item, ast.arguments):
                found += [one for one in [*item.defaults, *item.kw_defaults] if one is not None]
            elif isinstance(item, ast.withitem):
                found.append(item.context_expr)
    return found


def device_modules(root: Path = ROOT) -> list[Module]:
    """The device code of a tree that may be changed, in order of its path."""
    paths = files(*(f"{folder}/*.py" for folder in FOLDERS))
    relative = [path.relative_to(ROOT).as_posix() for path in paths]
    return [Module(path, (root / path).read_text()) for path in relative]
