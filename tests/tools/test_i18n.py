"""The language of the command: which one is spoken, and that machine output stays English."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tallypost import cli, i18n
from tallypost.faults import os_reason
from tallypost.i18n import _, ngettext

TOOLS = Path(__file__).resolve().parents[2] / "tools"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("environ", "language"),
    (
        ({}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de"}, "de"),
        ({"LANG": "de@euro"}, "de"),
        ({"LANG": "de_AT", "LC_MESSAGES": "C"}, "en"),
        ({"LANG": "en_GB", "LC_MESSAGES": "de_CH.UTF-8"}, "de"),
        ({"LC_ALL": "C.UTF-8", "LC_MESSAGES": "de_DE", "LANG": "de_DE"}, "en"),
        ({"LC_ALL": "", "LANG": "de_DE"}, "de"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
    ),
)
def test_the_locale_gives_the_language(environ: dict[str, str], language: str) -> None:
    assert i18n.of_locale(environ) == language


@pytest.mark.parametrize(
    ("words", "language", "rest"),
    (
        (["--lang", "de", "list"], "de", ["list"]),
        (["list", "--lang", "de", "p"], "de", ["list", "p"]),
        (["list", "--lang=de"], "de", ["list"]),
        (["--lang", "de", "list", "--lang", "en"], "en", ["list"]),
        (["list", "--lang", "fr"], "en", ["list", "--lang", "fr"]),
        (["list", "--lang"], "en", ["list", "--lang"]),
        (["list", "de"], "en", ["list", "de"]),
    ),
)
def test_the_option_is_taken_from_any_place(
    words: list[str], language: str, rest: list[str]
) -> None:
    assert cli.split_language(words) == (language, rest)


@pytest.mark.parametrize(
    "words", (["--lang", "de", "list", "--help"], ["list", "-h", "--lang=de"])
)
def test_help_speaks_german(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    out = capsys.readouterr().out
    assert out.startswith("Aufruf: tallypost list") and "diese Hilfe zeigen" in out


def test_a_terminal_without_umlauts_shows_question_marks(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tallypost", "--lang", "de", "--help"]
    environ = {**os.environ, "PYTHONPATH": str(TOOLS), "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(words, capture_output=True, env=environ, cwd=tmp_path, check=True)
    assert b"Z?hlknoten" in shown.stdout and shown.stderr == b""


def test_argparse_reports_errors_in_german_and_then_in_english_again(capsys: Capture) -> None:
    for language, text in (
        ("de", "Fehler: diese Argumente fehlen: BEFEHL"),
        ("en", "error: the following arguments are required: VERB"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["--lang", language])
        assert text in capsys.readouterr().err


def test_an_unknown_language_is_refused_naming_the_known_ones(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["list", "--lang", "fr"])
    assert caught.value.code == 2 and "choose from 'en', 'de'" in capsys.readouterr().err


def test_a_message_without_german_is_shown_in_english() -> None:
    text = "no such message"  # in a variable: it is not to be collected
    i18n.use("de")
    assert _(text) == text and ngettext("1 apple", "{n} apples", 2) == "{n} apples"


def test_german_numbers_have_a_comma() -> None:
    assert i18n.decimal(12.345, 1) == "12.3" and i18n.grouped(1_234_567) == "1,234,567"
    i18n.use("de")
    assert i18n.decimal(12.345, 1) == "12,3" and i18n.decimal(7, 0) == "7"
    assert i18n.grouped(1_234_567) == "1.234.567" and i18n.grouped(999) == "999"


def test_the_reason_of_the_operating_system_is_translated() -> None:
    gone = FileNotFoundError(2, "No such file or directory")
    assert os_reason(gone) == "No such file or directory"
    i18n.use("de")
    assert os_reason(gone) == "Datei oder Verzeichnis nicht gefunden"
    assert os_reason(OSError("of a library")) == "of a library"
