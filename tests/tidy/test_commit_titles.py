"""Titles of commits: a path, a sentence, at most 60 characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tidy import titles

HERE = "tests/tidy/test_commit_titles.py"  # older commits cannot be changed


def test_the_last_titles_are_short_sentences() -> None:
    found = {title: titles.fault(title) for title in titles.since(HERE, 50)}
    assert {title: why for title, why in found.items() if why} == {}


@pytest.mark.parametrize(
    "title",
    (
        "lib/ring: " + "A" * 50 + ".",
        "lib/ring: A sentence without its full stop",
        "lib/ring: a sentence in small letters.",
        "A sentence without a path.",
        "lib/ring:No space.",
    ),
)
def test_a_bad_title_is_refused(title: str) -> None:
    assert titles.fault(title)


@pytest.mark.parametrize(
    "title",
    ("lib/ring: A sentence.", "lib, firmware: Two places.", "Merge branch 'fw'", "a: 20 B less."),
)
def test_a_good_title_passes(title: str) -> None:
    assert titles.fault(title) == ""


def test_the_hook_reads_the_first_line_of_the_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = tmp_path / "message"
    message.write_text("lib/ring: A sentence.\n\nthe body\n")
    assert titles.main([str(message)]) == 0
    message.write_text("no path\n")
    assert titles.main([str(message)]) == 1
    assert "The title 'no path' is refused: it is not of the form" in capsys.readouterr().err
