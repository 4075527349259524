"""The results for people, side by side with those of another board, and for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tests.seam import body
from tests.seam.run import FAIL, Board, Result

VERSION = 1
_NAME, _CELL = 50, 24
Results = dict[str, Result]


def rows(title: str, results: Results, other: tuple[str, Results] | None = None) -> Iterator[str]:
    """A line for each check. other: title and results of the second column."""
    titles = [title, *([other[0]] if other else [])]
    cells = "".join(text[: _CELL - 1].ljust(_CELL) for text in titles)
    yield "check".ljust(_NAME) + cells.rstrip()
    names = dict.fromkeys([*results, *(other[1] if other else ())])
    for name in names:
        mine = results.get(name)
        line = name.ljust(_NAME - 1) + " " + _cell(mine)
        if other:
            theirs = other[1].get(name)
            line += _cell(theirs) + ("differs" if _differ(mine, theirs) else "")
        yield line.rstrip()


def _cell(result: Result | None) -> str:
    if result is None:
        return "-".ljust(_CELL)
    seen = f"{result.state} {result.text}" if result.state == "pass" else result.state
    return seen.strip()[: _CELL - 1].ljust(_CELL)


def _differ(mine: Result | None, theirs: Result | None) -> bool:
    """A skipped check is not compared."""
    if mine is None or theirs is None or "skip" in (mine.state, theirs.state):
        return False
    return mine.state != theirs.state or (mine.state == "pass" and mine.text != theirs.text)


def remarks(results: Results) -> Iterator[str]:
    """Failed checks, skipped checks with the reason, and the count."""
    for name, result in results.items():
        check = body.described(name)
        if result.state == FAIL and check:
            yield f"FAIL {name}: {result.text}"
            yield f"     {check.says}"
            yield f"     source: {check.source}"
            yield f"     leans on it: {check.leans}"
    skipped: dict[str, list[str]] = {}
    for name, result in results.items():
        if result.state == "skip":
            skipped.setdefault(result.text, []).append(name)
    for why, names in skipped.items():
        yield f"skipped, {why}: {', '.join(names)}"
    count = Counter(result.state for result in results.values())
    counts = f"{count['pass']} pass, {count[FAIL]} fail, {count['skip']} skipped"
    yield f"{len(results)} checks: {counts}"


def write(path: Path, title: str, board: Board, results: Results) -> None:
    """The results for machines. Raises ToolError."""
    found: dict[str, Any] = {"v": VERSION, "title": title, "board": asdict(board), "checks": {}}
    for name, result in results.items():
        check = body.described(name)
        assert check, name
        found["checks"][name] = asdict(result) | {
            "says": check.says, "source": check.source, "leans": check.leans,
            "from_memory": check.from_memory,
        }  # fmt: skip
    try:
        path.write_text(json.dumps(found, indent=1) + "\n")
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "--json wants a file") from error


def read(path: Path) -> tuple[str, Results]:
    """Title and results of an earlier run. Raises ToolError."""
    try:
        found = json.loads(path.read_text())
        if found["v"] != VERSION:
            raise ValueError(f"version {found['v']}, {VERSION} is wanted")
        checks = found["checks"].items()
        return found["title"], {name: Result(c["state"], c["text"]) for name, c in checks}
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "--json of a run writes one") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"{path}: no results of a run: {error}", "--json writes them") from error
