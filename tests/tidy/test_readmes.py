"""The tables of READMEs and the folders: every file is named, every named file is there."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from tests.tidy.source import ROOT, files, name

MODULES_MAX = 14  # in one folder
FIRST_CELLS = {
    "file",
    "files",
    "folder",
    "folders",
    "package",
    "where",
    "file or folder",
    "file of a board",
    "scenario",
}
SILENT = ("__init__.py", "README.md")  # every reader knows them
NOT_PROJECT = (".github", ".ci")
_TOKEN = re.compile(r"`([^`\s]+)`")


def rows(text: str) -> list[list[str]]:
    """Cells of the tables with file or folder names in the first column, without the headings."""
    found: list[list[str]] = []
    is_wanted = False
    before = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            is_wanted = False
        elif not before.startswith("|"):
            is_wanted = cells[0].lower() in FIRST_CELLS
        elif is_wanted and not set(line) <= set("|-: "):
            found.append(cells)
        before = line
    return found


def named(readme: Path) -> set[str]:
    """File names, folders and patterns of the first column."""
    return {token for cells in rows(readme.read_text()) for token in _TOKEN.findall(cells[0])}


def names_file(tokens: set[str], readme: Path, path: Path) -> bool:
    """Whether a README's table names a file: by name, path or pattern.

    The name of a folder stands for the tests and the data in it. Modules have names of their own.
    """
    relative = path.relative_to(readme.parent).as_posix()
    is_module = path.suffix == ".py" and not path.name.startswith("test_")
    for token in tokens:
        if token == path.stem or fnmatch(path.name, token) or fnmatch(relative, token):
            return True
        if token.endswith("/") and not is_module and fnmatch(relative, f"{token}*"):
            return True
    return False


def described(path: Path) -> list[Path]:
    """The READMEs that may name a file: the two nearest, from its folder upwards."""
    found = [folder / "README.md" for folder in path.parents if folder != ROOT]
    return [readme for readme in found if readme.exists() and ROOT in readme.parents][:2]


def test_every_file_is_named_in_a_table() -> None:
    tokens = {readme: named(readme) for readme in files("*README.md")}
    silent = [
        name(path)
        for path in files("*")
        if path.parent != ROOT
        and path.name not in SILENT
        and path.relative_to(ROOT).parts[0] not in NOT_PROJECT
        and not any(names_file(tokens[one], one, path) for one in described(path))
    ]
    assert silent == []


def is_there(token: str, folder: Path) -> bool:
    """Whether a file, folder or pattern exists below a folder or below the root."""
    wanted = token.rstrip("/")
    return any(folder.glob(wanted)) or any(folder.rglob(wanted)) or (ROOT / wanted).exists()


def test_every_named_file_is_there() -> None:
    lost = [
        f"{name(readme)}: {token}"
        for readme in files("*README.md")
        for token in sorted(named(readme))
        if not is_there(token, readme.parent)
    ]
    assert lost == []


def test_folders_are_small() -> None:
    counts = Counter(name(path.parent) for path in files("*.py"))
    assert {folder: count for folder, count in counts.items() if count > MODULES_MAX} == {}


def test_tables_are_read() -> None:
    text = "| file | what |\n|---|---|\n| `a.py`, `b_*.py` | x |\n\n"
    other = "| command | what |\n|---|---|\n| `c` | y |\n"
    assert rows(text + other) == [["`a.py`, `b_*.py`", "x"]]


def test_a_file_without_a_row_and_a_row_without_a_file_are_found() -> None:
    readme = ROOT / "tests" / "tidy" / "README.md"
    here = readme.parent / "test_readmes.py"
    assert names_file({"test_readmes.py"}, readme, here) and names_file({"*.py"}, readme, here)
    assert not names_file({"test_style.py", "deeper/"}, readme, here)
    assert names_file({"deeper/"}, readme, readme.parent / "deeper" / "test_x.py")
    assert names_file({"deeper/"}, readme, readme.parent / "deeper" / "more" / "x.txt")
    assert not names_file({"deeper/"}, readme, readme.parent / "deeper" / "x.py")
    assert is_there("source.py", readme.parent) and not is_there("no_such.py", readme.parent)
