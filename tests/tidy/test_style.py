"""The limits of the style guide, on every file of the repository."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tidy.source import ROOT, files, name

LINE, FUNCTION, MODULE, README, NESTING = 99, 40, 250, 120, 4
# The texts that are looked for are put together here, so that this file is not an offender.
MACHINE_PATHS = re.compile("(?<![\\w.])/(" + "|".join(("work", "root", "home", "Users")) + ")/")
MADE_TABLE = re.compile("<!-- table -->.*<!-- end of the table -->", re.DOTALL)
LATER = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|X" + "XX)\\b")
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try)
PRINTERS = {  # the last three run before, or without, the packages that the terminal needs
    "firmware/core/log.py", "simulator/board/__main__.py", "simulator/run/__main__.py",
    "simulator/city/__main__.py",
    "simulator/run/fuzz.py", "simulator/run/false_zeros.py", "simulator/run/accuracy/__main__.py",
    "simulator/run/crowd/__main__.py", "simulator/load/__main__.py",
    "simulator/run/processes/replay.py", "tools/environment.py",
    "tools/tallypost/building/third_party.py", "tools/tallypost/building/sources/dialect.py",
}  # fmt: skip
Rule = Callable[[str], list[str]]


def long_lines(text: str) -> list[str]:
    return [line[:50] for line in text.splitlines() if len(line) > LINE]


def long_functions(source: str) -> list[str]:
    """Functions by their lines of code, without docstrings and comments."""
    code = code_lines(source)
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and len(code.intersection(range(node.lineno, (node.end_lineno or 0) + 1))) > FUNCTION
    ]


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code."""
    quiet = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENCODING, tokenize.ENDMARKER,
    }  # fmt: skip
    lines: set[int] = set()
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        docstring = fresh and token.type == tokenize.STRING
        if token.type not in quiet and not docstring:
            lines.update(range(token.start[0], token.end[0] + 1))
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            fresh = token.type in (tokenize.NEWLINE, tokenize.ENCODING)
    return lines


def long_module(source: str) -> list[str]:
    return [f"{count} lines"] if (count := len(code_lines(source))) > MODULE else []


def deep(source: str) -> list[str]:
    """Lines of blocks nested deeper than allowed. `elif` is no level of its own."""
    found: list[str] = []

    def walk(node: ast.AST, depth: int) -> None:
        for field, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST):
                    continue
                chained = isinstance(node, ast.If) and field == "orelse" and len(value) == 1
                below = depth + (isinstance(child, BLOCKS) and not chained)
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    below = 0
                if below > NESTING:
                    found.append(f"line {getattr(child, 'lineno', 0)}")
                walk(child, below)

    walk(ast.parse(source), 0)
    return found


def bare_except(source: str) -> list[str]:
    handlers = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ExceptHandler))
    return [f"line {handler.lineno}" for handler in handlers if handler.type is None]


def star_import(source: str) -> list[str]:
    nodes = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom))
    return [str(node.module) for node in nodes if any(a.name == "*" for a in node.names)]


def prints(source: str) -> list[str]:
    return [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def later(text: str) -> list[str]:
    return LATER.findall(text)


def machine_path(text: str) -> list[str]:
    return MACHINE_PATHS.findall(text)


def lost_constants(source: str) -> list[str]:
    """`const()` in a tuple: mpy-cross takes it for a variable, which costs RAM and time."""
    return [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Tuple)
        and any(_is_const(value) for value in node.value.elts)
    ]


def _is_const(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "const"


PYTHON: dict[str, tuple[Rule, str]] = {
    "line": (long_lines, "x = '" + "a" * LINE + "'"),
    "function": (long_functions, "def f():\n" + "    x = 1\n" * (FUNCTION + 1)),
    "module": (long_module, "x = 1\n" * (MODULE + 1)),
    "nesting": (
        deep,
        "def f():\n if a:\n  for b in c:\n   while d:\n    if e:\n     with g:\n      pass\n",
    ),
    "except": (bare_except, "try:\n    pass\nexcept:\n    pass\n"),
    "star": (star_import, "from os import *\n"),
    "const": (lost_constants, "_A, _B = const(1), const(2)\n"),
    "later": (later, "# TO" + "DO: something\n"),
    "path": (machine_path, "where = '/ro" + "ot/thing'\n"),
}


@pytest.mark.parametrize("rule", PYTHON)
def test_every_module_keeps_the_rule(rule: str) -> None:
    check, offender = PYTHON[rule]
    assert check(offender), "the rule cannot fail"
    assert check('"""A text."""\n\nx = 1\n') == []
    found = {name(path): check(path.read_text()) for path in files("*.py")}
    assert {path: what for path, what in found.items() if what} == {}


def test_only_the_log_and_the_tools_entry_points_print() -> None:
    assert prints("print(1)") == ["line 1"]
    checked = files("firmware/*.py", "lib/*.py", "boards/*.py", "tools/*.py", "simulator/*.py")
    offenders = {name(path) for path in checked if prints(path.read_text())}
    assert offenders <= PRINTERS


def test_every_folder_says_what_it_is() -> None:
    silent = {
        name(path.parent)
        for path in files("*.py", "*.toml", "*.json")
        if path.parent != ROOT and not _is_described(path.parent)
    }
    assert silent == set()


def _is_described(folder: Path) -> bool:
    """By a README of its own, or from the third level on by the README of the folder above."""
    above = len(folder.relative_to(ROOT).parts) > 2 and (folder.parent / "README.md").exists()
    return above or (folder / "README.md").exists()


def test_texts_are_short_and_know_no_machine() -> None:
    for path in files("*.md"):
        text = path.read_text()
        prose = MADE_TABLE.sub("", text)  # a table that a command writes is no text
        assert len(prose.splitlines()) <= README, name(path)
        assert machine_path(text) == [] and later(text) == [], name(path)


def test_comments_and_docstrings_do_not_count_as_code() -> None:
    source = '"""Text\nand more."""\n\n# why\nx = 1\n\n\ndef f():\n    """Says."""\n'
    assert code_lines(source) == {5, 8}
