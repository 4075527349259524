"""`tallypost truth`: the tally sheet for a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tallypost.cli import main
from tallypost.field.matching import CLASSES, DIRECTIONS
from tallypost.field.truth import PAGE

TEXT = PAGE.read_text(encoding="utf-8")


def texts(language: str) -> dict[str, str]:
    body = TEXT.split(f"  {language}: {{")[1].split("\n  }")[0]
    return dict(re.findall(r'(\w+): "([^"]+)"', body))


def test_the_page_is_written_and_never_overwritten_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.html"
    assert main(["truth", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == TEXT and "START" in capsys.readouterr().out
    out.write_text("mine")
    assert main(["truth", "--out", str(out)]) == 1 and out.read_text() == "mine"
    assert main(["truth", "--out", str(out), "--force"]) == 0 and out.read_text() != "mine"


def test_both_languages_have_every_text() -> None:
    english, german = texts("en"), texts("de")
    assert set(english) == set(german) and len(english) >= 14
    assert {*CLASSES, *DIRECTIONS, "start", "stop"} <= set(english)
    differ = {key for key in english if english[key] != german[key]}
    assert set(english) - differ <= {"start"}


def test_the_page_needs_no_network_and_loads_nothing() -> None:
    assert not re.search(r"https?:|src=|@import|<link|fetch\(|XMLHttp", TEXT)


def test_the_page_writes_what_compare_reads() -> None:
    assert '"utc,direction,class"' in TEXT
    assert '"# started: "' in TEXT and '"# stopped: "' in TEXT
    assert 'const CLASSES = ["pedestrian", "bicycle", "car", "heavy", "unknown"];' in TEXT


def test_buttons_are_large_enough_for_a_thumb() -> None:
    assert int(re.findall(r"min-height: (\d+)px", TEXT)[0]) >= 48
