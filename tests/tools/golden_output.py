"""Golden output in both languages: tests/tools/golden/LANGUAGE/NAME.txt.

`GOLDEN=write .venv/bin/python -m pytest tests/tools` writes the files anew. Read the difference in
git before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).with_name("golden")


def check(language: str, name: str, text: str) -> None:
    """Compare an output with its file. Spaces at the ends of lines do not count."""
    path = GOLDEN / language / f"{name}.txt"
    text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), path
