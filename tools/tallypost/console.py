"""The terminal: results on stdout, notes on stderr. The only file that imports rich."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Literal

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tallypost.i18n import _

_out = Console(soft_wrap=True, highlight=False, markup=False)
# For tables in a file or a pipe: they are not folded to the width of a terminal.
_wide = Console(soft_wrap=True, highlight=False, markup=False, width=200)
_err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
# Categories of Unicode: controls, marks that change the direction of text, halves of characters,
# characters without a meaning, separators of lines and paragraphs.
_LAYOUT = "\n\t"  # what the commands themselves lay out their text with
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str, keep: str = "") -> str:
    """A text of a node or a file without power over the terminal: in one line, nothing hidden.

    Colours are dropped. Other control characters are shown as escapes such as \\x1b. keep: the
    characters that stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape", "surrogatepass").decode()
        if unicodedata.category(char) in _HIDDEN and char not in keep
        else char
        for char in _COLOUR.sub("", text)
    )


def result(text: str) -> None:
    """Print a line of the result."""
    _out.print(printable(text, _LAYOUT))


def result_json(value: Any) -> None:
    """Print a result for a program: one JSON document a line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Tell the user about the work that goes on."""
    _err.print(printable(text, _LAYOUT))


def progress(text: str) -> None:
    """Overwrite the progress line of a terminal. An empty text removes it."""
    if _err.is_terminal:
        sys.stderr.write(f"\r\033[K{printable(text)[: _err.width - 1]}")
        sys.stderr.flush()


def is_terminal() -> bool:
    """Whether results go to a terminal, not to a file or a pipe."""
    return _out.is_terminal


@contextmanager
def live_view() -> Iterator[Callable[[str], None]]:
    """A function that draws a text in the place of the text before."""
    with Live(console=_out, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(printable(text, _LAYOUT)), refresh=True)


def error(text: str) -> None:
    style = "bold red" if _err.is_terminal else None
    text = printable(text, _LAYOUT)
    _err.print(_("error: {text}").format(text=text), style=style)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table. A '>' before the name of a column aligns it right, for numbers."""
    grid = Table(title=printable(title), title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        justify: Literal["right", "left"] = "right" if right else "left"
        grid.add_column(column.removeprefix(">"), justify=justify, overflow="fold")
    for row in rows:
        grid.add_row(*(printable(cell, _LAYOUT) for cell in row))
    (_out if _out.is_terminal else _wide).print(grid)
