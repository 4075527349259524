"""Left out by rule, since no test could judge it: log texts, assertions, freed memory."""

from __future__ import annotations

import ast

from tests.mutants.source import Module

_LEVELS = {"debug", "info", "warn", "error"}
_MEMORY = {"keep_modules", "unload_modules"}


def is_left_out(node: ast.stmt, module: Module) -> bool:
    """Statements that are not changed at all."""
    if isinstance(node, (ast.Assert, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return is_pruned(node.value) or _frees_memory(node.value)
    return _is_freed(node, module)


def is_pruned(node: ast.expr) -> bool:
    """Expressions in which nothing is changed: calls of the log, and texts with braces, of which
    Python does not know the places."""
    if isinstance(node, ast.JoinedStr):
        return True
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in _LEVELS and _name(node.func.value) in ("log", "_log")


def _name(node: ast.expr) -> str:
    """The last name of `log`, `self._log`, `app.log`."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _frees_memory(call: ast.Call) -> bool:
    """`gc.collect()` and the like: heap is measured by `make bench` and `make sim`."""
    if isinstance(call.func, ast.Attribute) and _name(call.func.value) == "gc":
        return True
    return _name(call.func) in _MEMORY


def _is_freed(node: ast.stmt, module: Module) -> bool:
    """`self.tasks = None  # RAM`."""
    is_none = (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and node.value.value is None
    )
    comment = module.lines[node.lineno - 1].partition("#")[2]
    return is_none and "RAM" in comment
