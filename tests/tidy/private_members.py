"""Finds private members that are used from outside: `x._name`, where x is neither self nor cls."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def private_members(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each use. Names with two leading underscores belong to Python."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        if node.attr.startswith("__") or _is_own(node.value):
            continue
        yield node.lineno, ast.unparse(node)


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
