"""The log of the service: a line for each event, with a level, on stderr.

text    `LEVEL message`. Below systemd the level is the number in front that the journal reads
json    an object in each line: at (RFC 3339, UTC), level, message, and the fields of the news

An interval has the level debug, because a city has a million a day. Records are in the database.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

LEVELS = {
    "interval": logging.DEBUG, "health": logging.DEBUG, "config": logging.DEBUG,
    "gone": logging.WARNING, "doubt": logging.WARNING, "corrected": logging.WARNING,
    "quarantine": logging.WARNING,
}  # fmt: skip
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
Fields = dict[str, Any]


class Log:
    """form: text or json. level: the least one, as in `--log-level`."""

    def __init__(self, form: str, level: str, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._least = logging.getLevelName(level.upper())
        self._line: Callable[[int, str, Fields], str] = _json if form == "json" else _text
        if form == "text" and "JOURNAL_STREAM" in os.environ:
            self._line = _journal

    def write(self, level: int, message: str, **fields: Any) -> None:
        """Write a line. A reader that has gone away does not end the service."""
        if level < self._least:
            return
        try:
            self._out.write(self._line(level, message, fields) + "\n")
            self._out.flush()
        except OSError:
            return

    def info(self, message: str, **fields: Any) -> None:
        self.write(logging.INFO, message, **fields)

    def warning(self, message: str, **fields: Any) -> None:
        self.write(logging.WARNING, message, **fields)

    def error(self, message: str, **fields: Any) -> None:
        self.write(logging.ERROR, message, **fields)

    def news(self, news: Fields, text: str) -> None:
        """A piece of news of the collector. text: for people."""
        level = LEVELS.get(news["what"], logging.INFO)
        self.write(level, f"{news['node']} {text}" if news["node"] else text, **news)


def _text(level: int, message: str, _fields: Fields) -> str:
    return f"{logging.getLevelName(level)} {_one_line(message)}"


def _journal(level: int, message: str, _fields: Fields) -> str:
    return f"<{_PRIORITIES[level]}>{_one_line(message)}"


def _json(level: int, message: str, fields: Fields) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    head = {"at": at, "level": logging.getLevelName(level).lower(), "message": message}
    return json.dumps(fields | head, default=str)


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))
