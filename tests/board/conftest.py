"""Boards on the bench."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.bench import Make

from simulator.board.board import VirtualBoard
from simulator.board.stock import blank, flashed
from tallypost.hardware import boards


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Switches a board on: `make("esp32_generic", is_blank=True, speed=None)`."""
    with ExitStack() as stack:

        def made(name: str = "esp32_generic", is_blank: bool = False, **how: Any) -> VirtualBoard:
            path = tmp_path / f"{name}.bin"
            if not path.exists():
                (blank if is_blank else flashed)(boards.load(name), path)
            # A name of its own: the numbers of pseudo-terminals are given anew.
            how.setdefault("terminal", tmp_path / f"tty-{name}")
            return stack.enter_context(VirtualBoard(name, path, **how))

        yield made
