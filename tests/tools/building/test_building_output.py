"""The output of `tallypost build`, `size` and `micropython`, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.boards.genuine import made_up
from tests.tools import golden_output

from tallypost.building import build
from tallypost.building.build import BuildResult
from tallypost.cli import main
from tallypost.hardware import boards
from tallypost.i18n import LANGUAGES

Capture = pytest.CaptureFixture[str]
NAME = "esp32_generic"
FILES = {"a/app.mpy": {"bytes": 41_203}, "boot.py": {"bytes": 312}}


def shown(capsys: Capture, folder: Path) -> str:
    captured = capsys.readouterr()
    return f"{captured.out}--- stderr\n{captured.err}".replace(str(folder), "FOLDER")


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildResult:
    """An image of a fixed size, independent of the firmware."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "vfs.bin").write_bytes(bytes(4096))
    result = BuildResult(tmp_path, {"board": NAME, "files": FILES}, True)
    monkeypatch.setattr(build, "build", lambda _name: result)
    return result


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_of_build_is_as_agreed(language: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(boards.load(NAME)))
    assert main(["build", "--lang", language]) == 0
    assert main(["build", "--lang", language, "--micropython", str(path)]) == 0
    assert main(["build", "--lang", language, "--board", "nope"]) == 2
    golden_output.check(language, "build", shown(capsys, tmp_path))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_of_size_is_as_agreed(
    language: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["size", "--lang", language]) == 0
    large = BuildResult(tmp_path, {"files": {"a/app.mpy": {"bytes": 900_000}}}, True)
    monkeypatch.setattr(build, "build", lambda _name: large)
    assert main(["size", "--lang", language]) == 1
    golden_output.check(language, "size", shown(capsys, tmp_path))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_of_micropython_is_as_agreed(
    language: str, tmp_path: Path, capsys: Capture
) -> None:
    board = boards.load("esp32c3_rak3172")
    path = tmp_path / board.micropython.file
    path.write_bytes(made_up(board))
    words = ["micropython", "--lang", language]
    assert main([*words, "add"]) == 2
    assert main([*words, "add", str(path), "--board", board.name]) == 0
    assert main([*words, "add", str(path)]) == 1
    assert main([*words, "list"]) == 0
    golden_output.check(language, "micropython", shown(capsys, tmp_path))
