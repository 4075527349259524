"""The results of a run: a table for people, and JSON for `boards/MEASURED.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError

VERSION = 1
PASS, FAIL, SKIP = "pass", "fail", "skip"
_STEP, _STATE = 14, 6
Figures = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One step. figures: by name with the unit last. text: why it failed or was skipped."""

    step: str
    state: str
    figures: Figures = field(default_factory=dict)
    text: str = ""


def table(results: list[Result]) -> Iterator[str]:
    for one in results:
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in one.figures.items())
        parts = [part for part in (one.text, shown) if part]
        yield f"{one.step:{_STEP}}{one.state:{_STATE}}{': '.join(parts)}".rstrip()


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def failed(results: list[Result]) -> bool:
    return any(one.state == FAIL for one in results)


def write(path: Path, title: str, date: str, results: list[Result]) -> None:
    """The results for machines. Raises ToolError."""
    rows = [asdict(one) for one in results]
    found = {
        "v": VERSION,
        "title": title,
        "date": date,
        "pass": not failed(results),
        "steps": rows,
    }
    try:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "Name a file that can be written.") from error
