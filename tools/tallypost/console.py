"""The terminal: results on stdout, narration on stderr. The one file that knows rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_out = Console(soft_wrap=True, highlight=False, markup=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def result(text: str) -> None:
    """A line of what was asked for."""
    _out.print(text)


def result_json(value: Any) -> None:
    """The same for machines: one JSON document a line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """What is being done, for whoever watches."""
    _err.print(text)


def progress(text: str) -> None:
    """How far it is: one line of a terminal that is written over; "" takes it away."""
    if _err.is_terminal:
        sys.stderr.write(f"\r\033[K{text[: _err.width - 1]}")
        sys.stderr.flush()


def is_terminal() -> bool:
    """Whether results go to somebody who watches."""
    return _out.is_terminal


@contextmanager
def picture() -> Iterator[Callable[[str], None]]:
    """A picture that moves, on a terminal: give it text, each replaces the one before."""
    with Live(console=_out, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)


def error(text: str) -> None:
    _err.print(f"error: {text}", style="bold red" if _err.is_terminal else None)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Columns whose name begins with '>' are numbers."""
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        grid.add_column(column.removeprefix(">"), justify="right" if right else "left")
    for row in rows:
        grid.add_row(*row)
    _out.print(grid)
