"""Titles of commits, also as a `commit-msg` hook: `python -m tests.tidy.titles MESSAGE_FILE`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.tidy.source import ROOT

TITLE_MAX = 60
_FORM = re.compile(r"[^\s:]+(, [^\s:]+)*: [^\sa-z].*\.")
_BY_GIT = ("Merge ", "Revert ", "fixup! ", "squash! ")


def fault(title: str) -> str:
    """The reason why a title is refused, empty if it is good."""
    if title.startswith(_BY_GIT):
        return ""
    if len(title) > TITLE_MAX:
        return f"it has {len(title)} characters, {TITLE_MAX} at most"
    if not _FORM.fullmatch(title):
        return "it is not of the form 'path: Sentence with a full stop.'"
    return ""


def since(path: str, count: int) -> list[str]:
    """The last titles, newest first, of commits after the one that added a file."""
    added = _git("log", "--diff-filter=A", "--format=%H", "--", path)
    if not added:
        return []
    return _git("log", "--no-merges", "--format=%s", f"-{count}", f"{added[-1]}..HEAD")


def _git(*words: str) -> list[str]:
    command = ["git", "-c", f"safe.directory={ROOT}", *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.splitlines() if result.returncode == 0 else []


def main(argv: list[str]) -> int:
    title = Path(argv[0]).read_text().split("\n", 1)[0]
    if reason := fault(title):
        sys.stderr.write(
            f"The title '{title}' is refused: {reason}.\nWrite it again: git commit\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
