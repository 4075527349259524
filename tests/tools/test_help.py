"""The help of the command and of its verbs, word by word, in both languages."""

from __future__ import annotations

import pytest
from tests.tools import golden_output

from tallypost.cli import VERBS, main
from tallypost.i18n import LANGUAGES

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("verb", ["", *(verb for verb in VERBS if verb != "replay")])
@pytest.mark.parametrize("language", LANGUAGES)
def test_help_is_as_agreed(
    language: str, verb: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        main([*filter(None, [verb]), "--help", "--lang", language])
    assert caught.value.code == 0
    golden_output.check(language, f"help_{verb or 'tallypost'}", capsys.readouterr().out)
