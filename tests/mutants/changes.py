"""Every change of one line that a module offers: comparisons, constants, conditions, statements.

A change is valid MicroPython and, in most cases, wrong. `skipped.py` leaves out the places that
no test can judge.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutants.skipped import is_left_out, is_pruned
from tests.mutants.source import FUNCTIONS, Module, Statement, own_expressions

_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
_BOOLEANS: dict[type[ast.boolop], tuple[str, str]] = {
    ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
# A decimal number from here on is a quantity, such as a time-out. It changes by a quarter: no test
# should tell 1500 ms from 1501. Its edge is changed by the comparison that uses it.
_QUANTITY = 100


@dataclass(frozen=True)
class Change:
    """Bytes start..end of a module become `text`.

    line: where the change is. kind: comparison, constant, and/or, condition or statement.
    place: the statement it is in.
    """

    path: str
    line: int
    start: int
    end: int
    text: str
    kind: str
    place: Statement

    def applied(self, module: Module) -> str:
        return module.replaced(self.start, self.end, self.text)

    def lines(self, module: Module) -> tuple[list[str], list[str]]:
        """The lines that the change touches, before and after it."""
        last = module.line_of(self.end - 1)
        before = module.lines[self.line - 1 : last]
        after = self.applied(module).splitlines()
        return before, after[self.line - 1 : len(after) - (len(module.lines) - last)]


def changes(module: Module) -> list[Change]:
    """All changes of a module, in order of the text."""
    found = []
    for place in module.statements():
        if not is_left_out(place.node, module):
            found += list(_of(place, module))
    return sorted(set(found), key=lambda one: (one.start, one.end, one.text))


def _of(place: Statement, module: Module) -> Iterator[Change]:
    edits = list(_statement(place, module))
    for expression in own_expressions(place.node):
        for node in _walk(expression):
            edits += _expression(node, module)
    test = getattr(place.node, "test", None)
    if test is not None:
        edits += _negated(test, module)
    for start, end, text, kind in edits:
        yield Change(module.path, module.line_of(start), start, end, text, kind, place)


Edit = tuple[int, int, str, str]


def _walk(node: ast.expr) -> Iterator[ast.expr]:
    """The expression and all below it, except the places that no test can judge."""
    if is_pruned(node):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from _walk(child)
        elif isinstance(child, ast.keyword):
            yield from _walk(child.value)
        elif isinstance(child, ast.comprehension):
            for part in (child.iter, *child.ifs):
                yield from _walk(part)


def _expression(node: ast.expr, module: Module) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for i, operator in enumerate(node.ops):
            old, new = _COMPARISONS[type(operator)]
            yield from _operator(operands[i : i + 2], old, (new, "comparison"), module)
    elif isinstance(node, ast.BoolOp):
        old, new = _BOOLEANS[type(node.op)]
        for i in range(len(node.values) - 1):
            yield from _operator(node.values[i : i + 2], old, (new, "and/or"), module)
    elif isinstance(node, ast.IfExp):
        yield from _negated(node.test, module)
    elif isinstance(node, ast.Constant):
        yield from _constant(node, module)


def _operator(
    operands: list[ast.expr], old: str, change: tuple[str, str], module: Module
) -> Iterator[Edit]:
    """The operator between two operands becomes another one."""
    new, kind = change
    gap, end = module.span(operands[0])[1], module.span(operands[1])[0]
    pattern = r"\s+".join(re.escape(word) for word in old.split())
    if match := re.search(pattern, module.between(gap, end)):
        yield gap + match.start(), gap + match.end(), new, kind


def _constant(node: ast.Constant, module: Module) -> Iterator[Edit]:
    start, end = module.span(node)
    if isinstance(node.value, bool):
        yield start, end, str(not node.value), "constant"
    elif isinstance(node.value, int):
        text = module.between(start, end)
        is_hex = text.lower().startswith("0x")
        by = 1 if is_hex or node.value < _QUANTITY else node.value // 4
        for value in (node.value + by, node.value - by):
            yield start, end, hex(value) if is_hex else str(value), "constant"


def _negated(test: ast.expr, module: Module) -> Iterator[Edit]:
    start, end = module.span(test)
    if isinstance(test, ast.Constant) or is_pruned(test):
        return
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = module.between(*module.span(test.operand))
        yield start, end, f"({inner})", "condition"
    else:
        yield start, end, f"not ({module.between(start, end)})", "condition"


def _statement(place: Statement, module: Module) -> Iterator[Edit]:
    """The statement left out; only inside of functions, where something is done."""
    node = place.node
    if place.function is None or isinstance(node, FUNCTIONS):
        return
    start, end = module.span(node)
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))
    if is_call or isinstance(
        node, (ast.Assign, ast.AugAssign, ast.Raise, ast.Break, ast.Continue)
    ):
        yield start, end, "pass", "statement"
    elif isinstance(node, ast.Return) and not _is_none(node.value):
        if not _is_false(node.value):
            yield start, end, "return None", "statement"
    elif isinstance(node, ast.Return) and place.function.body[-1] is not node:
        yield start, end, "pass", "statement"


def _is_false(node: ast.expr | None) -> bool:
    """`False`, which becomes True. None would be just as untrue."""
    return isinstance(node, ast.Constant) and node.value is False


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)
