"""A marker before every statement of the device code, and the meaning of a test's marks."""

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from pathlib import Path

from tests.mutants.changes import Change
from tests.mutants.source import Module

Reached = dict[str, set[int]]  # of each file that was run the marked lines; the file alone: 0
_IMPORT = "from marks import marks as _marks"


class Marking:
    """The marks of all modules: number -> (path, line). Line 0: the module was imported."""

    def __init__(self, modules: list[Module]) -> None:
        self.modules = {module.path: module for module in modules}
        self.places: list[tuple[str, int]] = []
        self._number: dict[tuple[str, int], int] = {}
        for module in modules:
            lines = {place.mark for place in module.statements()} | {0}
            for line in sorted(lines):
                self._number[module.path, line] = len(self.places)
                self.places.append((module.path, line))

    def marked(self, path: str) -> str:
        """The text of a module with its markers."""
        module = self.modules[path]
        out = []
        first = _first_statement(module.tree)
        for number, line in enumerate([*module.lines, ""], 1):
            if number == first:
                out += [_IMPORT, f"_marks[{self._number[path, 0]}] = 1"]
            if number > 1 and (mark := self._number.get((path, number))) is not None:
                indent = line[: len(line) - len(line.lstrip())]
                out.append(f"{indent}_marks[{mark}] = 1")
            out.append(line)
        return "\n".join(out)

    def read(self, file: Path) -> Reached:
        """The statements that have run, from the file that a test's interpreters have written."""
        size = len(self.places)
        reached: Reached = defaultdict(set)
        data = file.read_bytes() if file.exists() else b""
        for start in range(0, len(data) - size + 1, size):
            for number in range(size):
                if data[start + number]:
                    path, line = self.places[number]
                    reached[path].add(line)
        return reached

    def digest(self, path: str) -> str:
        return hashlib.sha256(self.modules[path].text.encode()).hexdigest()[:16]


def _first_statement(tree: ast.Module) -> int:
    """Line of the first statement of a module after its docstring."""
    for node in tree.body:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return node.lineno
    return len(tree.body) + 1


class Names:
    """The places where constants of modules are used. Their tests judge a changed constant."""

    def __init__(self, modules: list[Module]) -> None:
        self._used: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self._means: dict[tuple[str, str], set[str]] = defaultdict(set)
        for module in modules:
            for place in module.statements():
                if isinstance(place.node, ast.Assert):
                    continue
                names = _names(place.node)
                for name in names if place.mark else ():
                    self._used[name].add((module.path, place.mark))
                for target in () if place.mark else _targets(place.node):
                    for name in names - {target}:
                        self._means[module.path, name].add(target)

    def places(self, change: Change) -> set[tuple[str, int]]:
        """Marked lines that a change acts on; empty if it acts on nothing that is run."""
        place = change.place
        if place.mark:
            return {(change.path, place.mark)}
        if isinstance(place.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return {(change.path, _first_mark(place.node))}
        found: set[tuple[str, int]] = set()
        left, seen = set(_targets(place.node)), set()
        while left:
            name = left.pop()
            seen.add(name)
            found |= {
                used for used in self._used[name] if used[0] == change.path or name[0] != "_"
            }
            left |= self._means[change.path, name] - seen
        return found


def _names(node: ast.stmt) -> set[str]:
    """Names and attributes that a statement mentions, without those of the statements in it."""
    found = set()
    left: list[ast.AST] = [node]
    while left:
        one = left.pop()
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.Attribute):
            found.add(one.attr)
        left += [
            child for child in ast.iter_child_nodes(one)
            if not isinstance(child, (ast.stmt, ast.ExceptHandler))
        ]  # fmt: skip
    return found


def _targets(node: ast.stmt) -> set[str]:
    """Names that an assignment outside of functions gives a value to."""
    targets = getattr(node, "targets", []) or [getattr(node, "target", None)]
    return {one.id for top in targets if top for one in ast.walk(top) if isinstance(one, ast.Name)}


def _first_mark(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = [
        one for one in node.body
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]  # fmt: skip
    return body[0].lineno if body else 0
