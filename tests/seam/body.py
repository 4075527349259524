"""The body of checks: their list, their descriptions, and the scripts made of them.

An area is a file of `checks/`. Its functions without a leading underscore are its checks, in the
order of the file. A docstring begins with the checked fact. Then comes `Source:` (where the fact
is written), then `Leans:` (the part of the product that would break).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).resolve().parent / "checks"
AREAS = (
    "clock", "pins", "serial", "flash", "nvs", "files", "system", "values", "streams", "net",
    "tls",
)  # fmt: skip
KINDS = ("soft", "hard", "watchdog")  # of resets
AFTER_RESET, AFTER_BREAK = "restarts/after_reset", "restarts/after_break"


@dataclass(frozen=True)
class Check:
    """name: the function's. says: the checked fact, in a sentence or two."""

    name: str
    says: str
    source: str
    leans: str

    @property
    def from_memory(self) -> bool:
        return self.source.startswith("memory")


@cache
def checks(area: str, folder: Path = CHECKS) -> tuple[Check, ...]:
    """The checks of an area. Raises ValueError for a check without source."""
    tree = ast.parse((folder / f"{area}.py").read_text())
    return tuple(
        _check(area, node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    )


def _check(area: str, node: ast.FunctionDef) -> Check:
    text = " ".join((ast.get_docstring(node) or "").split())
    says, _, rest = text.partition(" Source: ")
    source, _, leans = rest.partition(" Leans: ")
    if not (says and source and leans):
        raise ValueError(f"{area}.{node.name}: its docstring needs a sentence, Source:, Leans:")
    return Check(node.name, says, source, leans)


def script(area: str, params: dict[str, Any], name: str = "", folder: Path = CHECKS) -> str:
    """The text for the board. name: the results are filed under it, if not under the area."""
    listed = ", ".join(f"({check.name!r}, {check.name})" for check in checks(area, folder))
    return f"{_begin(params, folder)}{_text(area, folder)}\nrun({name or area!r}, ({listed},))\n"


def action(area: str, params: dict[str, Any], folder: Path = CHECKS) -> str:
    """The text of the step before a reset."""
    return f"{_begin(params, folder)}{_text(area, folder)}\ngo()\n"


def _begin(params: dict[str, Any], folder: Path) -> str:
    return _text("prelude", folder).replace("P = {}", f"P = {params!r}", 1)


def _text(area: str, folder: Path) -> str:
    return (folder / f"{area}.py").read_text()


def where(name: str) -> tuple[str, str]:
    """The area and the function behind the name of a result ("hard.nvs_is_kept")."""
    area, _, function = name.partition(".")
    if area in KINDS:
        return AFTER_RESET, function
    return (AFTER_BREAK if area == "break" else area), function


def described(name: str, folder: Path = CHECKS) -> Check | None:
    """The description of the check behind the name of a result."""
    area, function = where(name)
    found = [check for check in checks(area, folder) if check.name == function]
    return found[0] if found else None


def names() -> list[str]:
    """Every result that a whole run gives, in its order."""
    filed = [(area, area) for area in AREAS]
    filed += [(kind, AFTER_RESET) for kind in KINDS] + [("break", AFTER_BREAK)]
    return [f"{under}.{check.name}" for under, area in filed for check in checks(area)]
