"""Public constants become private ones of each module that uses them.

A public constant takes an entry in its module and in each module that imports it, and a look-up at
each use. mpy-cross folds a name with one underscore to which `const()` gives an integer, and keeps
nothing of it. So `FRAMES = 3` turns into `_FRAMES = const(3)`, and so does an import of it. Lines
stay where they are.

What a source reads as an attribute (`table.RATE`), or what stands in a text, stays public.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

Sources = dict[str, str]  # file in the image -> source
_CONST = "from micropython import const\n"
_PARTS = (
    ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.operator, ast.unaryop, ast.Load,
)  # fmt: skip


@dataclass
class _Module:
    """numbers: its integers, private ones too. own: those of them that become private. known:
    those, and what it imports of others."""

    text: str
    tree: ast.Module
    numbers: dict[str, int]
    own: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    imports: list[tuple[ast.ImportFrom, str]] = field(default_factory=list)


def inlined(sources: Sources, kept: set[str]) -> Sources:
    """The sources without public constants of integers. kept: names that must stay."""
    modules = {}
    for file, text in sources.items():
        tree = ast.parse(text)
        modules[_import_name(file)] = _Module(text, tree, _integers(tree))
        kept = kept | set(_exposed(tree))
    for module in modules.values():
        kept = kept | _in_company(module.tree, module.numbers, kept)
    for module in modules.values():
        module.own = {name: n for name, n in module.numbers.items() if _may_go(name, kept)}
        module.known = dict(module.own)
    while any([_take_imports(module, modules) for module in modules.values()]):
        pass  # a package may pass on what it imports
    return {file: _rewritten(modules[_import_name(file)]) for file in sources}


def _import_name(file: str) -> str:
    """The dotted name by which modules import a file of the image."""
    name = file.removeprefix("a/").removesuffix(".mpy").removesuffix("/__init__")
    return name.replace("/", ".")


def _may_go(name: str, kept: set[str]) -> bool:
    return name.isupper() and not name.startswith("_") and name not in kept


def _exposed(tree: ast.Module) -> Iterator[str]:
    """Names that a module reads as attributes, or imports by another name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.name


def _in_company(tree: ast.Module, numbers: dict[str, int], kept: set[str]) -> set[str]:
    """Names of statements with several, of which one must stay."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            names = {name.id for name, _ in _pairs(statement)}
            if not all(name in numbers and _may_go(name, kept) for name in names):
                found |= names
    return found


def _integers(tree: ast.Module) -> dict[str, int]:
    """Names of a module that are integers for good: given once, at its top, before their use."""
    met: dict[str, list[ast.Name]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            met.setdefault(node.id, []).append(node)
    found: dict[str, int] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and statement.lineno == statement.end_lineno:
            for target, value in _pairs(statement):
                stored = [node for node in met[target.id] if not isinstance(node.ctx, ast.Load)]
                is_first = all(node.lineno >= statement.lineno for node in met[target.id])
                number = _integer(value, found)
                if len(stored) == 1 and is_first and number is not None:
                    found[target.id] = number
    return found


def _pairs(statement: ast.Assign) -> list[tuple[ast.Name, ast.expr]]:
    """Names and their values, of `A = 1` and of `A, B = 1, 2`."""
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Name) and value.col_offset == len(target.id) + 3:
        return [(target, value)]  # a value in parentheses is not folded
    if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
        return []
    names = [part for part in target.elts if isinstance(part, ast.Name)]
    return list(zip(names, value.elts, strict=True)) if len(names) == len(value.elts) else []


def _integer(node: ast.expr, known: dict[str, int]) -> int | None:
    """The value of an expression of integers and of names known before, None if it is no such."""
    if isinstance(node, ast.Call) and _is_const(node):
        return _integer(node.args[0], known)
    if not all(isinstance(part, _PARTS) for part in ast.walk(node)):
        return None
    try:
        value = eval(ast.unparse(node), {"__builtins__": {}}, dict(known))
    except (NameError, TypeError, ArithmeticError):
        return None
    return value if type(value) is int else None


def _is_const(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "const" and len(node.args) == 1


def _take_imports(module: _Module, modules: dict[str, _Module]) -> bool:
    """Note the constants that a module imports. True if there are new ones."""
    before = len(module.imports)
    module.imports = []
    for node in ast.walk(module.tree):
        source = modules.get(node.module or "") if isinstance(node, ast.ImportFrom) else None
        if source and isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in source.known:
                    module.known[alias.name] = source.known[alias.name]
                    module.imports.append((node, alias.name))
    return len(module.imports) > before


def _rewritten(module: _Module) -> str:
    used = {token.string for token in _tokens(module.text)}
    private = {}
    for name in module.known:
        private[name] = f"_{name}"
        while private[name] in used:
            private[name] += "_"
    lines = module.text.splitlines(keepends=True)
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign):
            _fold(lines, statement, module.own)
    for node in {id(node): node for node, _ in module.imports}.values():
        _replace_import(lines, node, private, module.known)
    text = _renamed("".join(lines), private)
    return text.replace(_CONST, "\n", 1) if _all_folded(module) else text


def _fold(lines: list[str], statement: ast.Assign, own: dict[str, int]) -> None:
    """Give the public constants of a statement their values by `const()`, in place."""
    names = [target.id for target, _ in _pairs(statement)]
    if not names or not set(names) <= set(own) or isinstance(statement.value, ast.Call):
        return
    row, end = statement.lineno - 1, statement.end_col_offset
    text = "; ".join(f"{name} = const({own[name]})" for name in names)
    lines[row] = text + lines[row].encode()[end:].decode()


def _replace_import(
    lines: list[str], node: ast.ImportFrom, private: dict[str, str], values: dict[str, int]
) -> None:
    """One line instead of the statement, in place, and empty ones if it had more."""
    rest = [ast.unparse(alias) for alias in node.names if alias.name not in private]
    parts = [f"from {node.module} import {', '.join(rest)}"] if rest else []
    for alias in node.names:
        if alias.name in private:
            parts.append(f"{private[alias.name]} = const({values[alias.name]})")
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    lines[first : last + 1] = [" " * node.col_offset + "; ".join(parts) + "\n"]
    lines[first + 1 : first + 1] = ["\n"] * (last - first)


def _renamed(text: str, names: dict[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for token in reversed(list(_tokens(text))):
        if token.type == tokenize.NAME and token.string in names:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + names[token.string] + line[token.end[1] :]
    return "".join(lines)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _all_folded(module: _Module) -> bool:
    """Whether the compiler folds each `const()`, so that nothing imports the name at run time."""
    numbers = module.numbers | module.known
    return all(
        _integer(node.args[0], numbers) is not None
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and _is_const(node)
    )
