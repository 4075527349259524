"""The output of `tallypost flash`, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.flashing import LOG, RING, Say, release
from tests.tools import golden_output

from tallypost.i18n import LANGUAGES

pytestmark = pytest.mark.usefixtures("answers")
FILES = {"boot.py": b"boot()", "main.py": b"main()", "a/app.mpy": b"M" * 9000}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of a fixed size, independent of the firmware."""
    release(monkeypatch, FILES)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(language: str, blank: FlashBoard, file: Path, say: Say) -> None:
    """A new board: refused without MicroPython, planned, flashed twice, its counts erased."""
    words = ("--lang", language, "--port", blank.url)
    text = ""
    for more in (
        (),
        ("--micropython", str(file), "--dry-run"),
        ("--micropython", str(file)),
        (),
        ("--erase-counts", "--dry-run"),
        ("--erase-counts",),
    ):
        if "--erase-counts" in more:
            blank.put(RING.offset, LOG)
        status, out, err = say(*words, *more)
        text += f"{out}{err}--- {status}\n"
    golden_output.check(language, "flash", text.replace(blank.url, "PORT"))
