"""Survivors that no test can find, each with the reason: `explained.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import Change
from tests.mutants.source import Module

FILE = Path(__file__).with_name("explained.toml")


@dataclass(frozen=True)
class Explained:
    """entries: (file, line as it is, line as it becomes) -> reason; lines without their indent."""

    entries: dict[tuple[str, str, str], str]

    @classmethod
    def load(cls) -> Explained:
        data = tomllib.loads(FILE.read_text())
        found = {(one["file"], one["was"], one["becomes"]): one["why"] for one in data["survivor"]}
        return cls(found)

    def reason(self, change: Change, module: Module) -> str | None:
        was, becomes = change.lines(module)
        return self.entries.get((change.path, was[0].strip(), becomes[0].strip()))
