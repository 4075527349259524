"""`tallypost completion`: scripts for three shells that complete verbs and options."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tallypost import cli, completion

Capture = pytest.CaptureFixture[str]
ASK = """
{script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_tallypost
echo "${{COMPREPLY[@]}}"
"""


def script(shell: str, capsys: Capture) -> str:
    assert cli.main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "completed"),
    (
        ("tallypost fl", "flash"),
        ("tallypost re", "record replay report"),
        ("tallypost flash --er", "--erase-counts"),
        ("tallypost flash --port x --mi", "--micropython"),
        ("tallypost report --er", ""),
        ("tallypost --v", "--version"),
        ("tallypost flash some", ""),
    ),
)
def test_bash_completes(words: str, completed: str, capsys: Capture) -> None:
    program = ASK.format(script=script("bash", capsys), words=words)
    ran = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == (completed, "")


def test_each_shell_gets_every_verb_and_option(capsys: Capture) -> None:
    for shell in completion.SHELLS:
        text = script(shell, capsys)
        for verb in cli.VERBS:
            assert f" {verb}" in text
        assert "erase-counts" in text and "secrets-out" in text
    assert "bashcompinit" in script("zsh", capsys)


@pytest.mark.parametrize("shell", ("zsh", "fish"))
def test_a_shell_that_is_installed_reads_its_script(shell: str, capsys: Capture) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    text = script(shell, capsys)
    ran = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_fish_is_told_in_german_with_quotes_kept(capsys: Capture) -> None:
    assert cli.main(["--lang", "de", "completion", "fish"]) == 0
    assert "bei einem Fehler" in capsys.readouterr().out
    assert completion._quoted(r"a\b it's") == r"'a\\b it\'s'"
