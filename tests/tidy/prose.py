"""Figures of plain language for READMEs and docstrings.

Called as `python -m tests.tidy.prose [--list] [PATH ...]`.

A nominal clause begins with one of the words `who`, `what`, `whoever`, `whatever` and `nobody`
and stands in the place of a noun, such as `what is sent`. Relative clauses after a person and
questions do not count.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.tidy.source import ROOT, files, name

_WORD = re.compile(r"[A-Za-z][A-Za-z'\-]*|\d[\d.,:]*")
_NOMINAL = re.compile(r"\b(who|what|whoever|whatever|whose|nobody)\b", re.IGNORECASE)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\"])|\n\s*\n")
_FRAGMENT = "\0"  # begins what is no sentence: a heading, a cell of a table
_RELATIVE = {"those", "people", "person", "users", "user", "technicians", "readers", "developers",
             "somebody", "someone", "anybody", "anyone", "everybody", "everyone"}  # fmt: skip


@dataclass
class Figures:
    """Counts of a text: words, sentences, semicolons, and the nominal clauses found."""

    words: int = 0
    running_words: int = 0  # in sentences: headings and tables have none
    sentences: int = 0
    semicolons: int = 0
    nominal: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        self.words += other.words
        self.running_words += other.running_words
        self.sentences += other.sentences
        self.semicolons += other.semicolons
        self.nominal += other.nominal

    def per_thousand(self, count: int) -> float:
        return 1000 * count / self.words if self.words else 0.0

    @property
    def words_a_sentence(self) -> float:
        return self.running_words / self.sentences if self.sentences else 0.0


def measure(text: str, where: str = "") -> Figures:
    """Figures of plain text or Markdown; code, tables' frames and indented blocks do not count."""
    prose = _prose(text)
    found = Figures()
    for sentence in _SENTENCE.split(prose):
        words = _WORD.findall(sentence)
        if not words:
            continue
        found.words += len(words)
        if not sentence.lstrip().startswith(_FRAGMENT):
            found.running_words += len(words)
            found.sentences += 1
        found.semicolons += sentence.count(";")
        found.nominal += [f"{where}: {clause}" for clause in nominal(sentence)]
    return found


def nominal(sentence: str) -> list[str]:
    """The nominal clauses of one sentence, each with the words around it."""
    if sentence.rstrip().endswith("?"):
        return []
    found = []
    for match in _NOMINAL.finditer(sentence):
        before = _WORD.findall(sentence[: match.start()])
        if match[0].lower() in ("who", "whose") and before and before[-1].lower() in _RELATIVE:
            continue
        found.append(" ".join(sentence[max(0, match.start() - 30) : match.end() + 30].split()))
    return found


def _prose(text: str) -> str:
    kept = []
    for line in _CODE.sub("code", text).splitlines():
        if line.startswith("    ") or re.match(r"^\s*\|[-| :]+\|\s*$", line):
            kept.append("")
        elif line.lstrip().startswith("|"):
            cells = [cell.strip().rstrip(".") for cell in line.strip().strip("|").split("|")]
            kept += [part for cell in cells for part in ("", f"{_FRAGMENT} {cell}")] + [""]
        elif line.startswith("#"):
            kept += ["", f"{_FRAGMENT} {line.lstrip('# ')}", ""]
        elif re.match(r"^\s*([-*]|\d+\.)\s", line):
            kept += ["", line.lstrip("-* ")]
        else:
            kept.append(line)
    return "\n".join(kept)


def docstrings(path: Path) -> list[tuple[str, str]]:
    """(place, text) of every docstring of a module."""
    tree = ast.parse(path.read_text())
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            found.append((f"{name(path)}:{getattr(node, 'lineno', 1)}", text))
    return found


def of(paths: list[Path]) -> Figures:
    """Figures of Markdown files and of the docstrings of Python files, added up."""
    total = Figures()
    for path in paths:
        if path.suffix == ".py":
            for place, text in docstrings(path):
                total.add(measure(text, place))
        else:
            total.add(measure(path.read_text(), name(path)))
    return total


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="show every nominal clause")
    parser.add_argument("paths", nargs="*", default=["."])
    args = parser.parse_args(argv)
    for kind in ("*.md", "*.py"):
        wanted = [path for path in files(kind) if _below(path, args.paths)]
        total = of(wanted)
        if args.list:
            sys.stdout.write("".join(f"{line}\n" for line in total.nominal))
        sys.stdout.write(
            f"{kind}: {total.words} words, nominal {total.per_thousand(len(total.nominal)):.1f},"
            f" semicolons {total.per_thousand(total.semicolons):.1f} per 1,000,"
            f" {total.words_a_sentence:.1f} words a sentence\n"
        )
    return 0


def _below(path: Path, places: list[str]) -> bool:
    wanted = [(ROOT / place).resolve() for place in places]
    return any(path == place or place in path.parents for place in wanted)


if __name__ == "__main__":
    sys.exit(main())
