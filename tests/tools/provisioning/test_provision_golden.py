"""What `provision` says, word by word: help, and the errors of a port.

The help is in tests/tools/golden; `tallypost VERB --help` with COLUMNS=100 makes it anew.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from tests.support.boards.mock_board import MockBoard, own_answers

from tallypost import cli
from tallypost.flashing import rom

GOLDEN = Path(__file__).parents[1] / "golden"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("verb", ("provision",))
def test_the_help_is_as_it_was(
    verb: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == (GOLDEN / f"{verb}.txt").read_text()


@pytest.fixture
def said(tmp_path: Path, capsys: Capture) -> Iterator[Callable[..., str]]:
    """The one line that an attempt ends with, the port being called PORT."""
    (tmp_path / "mqtt").write_text("between-us-two\n")

    def run(port: str, *words: str) -> str:
        fixed = ["provision", "--port", port, "--node", "n1"]
        fixed += ["--mqtt-password-file", str(tmp_path / "mqtt")]
        assert cli.main([*fixed, *words]) == 1
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        return captured.err.replace(port, "PORT").strip()

    with own_answers():
        yield run


@pytest.mark.parametrize(
    ("number", "line"),
    (
        (errno.ENOENT, "no such port. tallypost list shows the ports; is the cable in?"),
        (errno.EACCES, "no permission. sudo usermod -aG dialout $USER, then log in again"),
        (errno.EBUSY, "in use by another program. close it; tallypost doctor finds it"),
        (errno.EAGAIN, "in use by another program. close it; tallypost doctor finds it"),
        (errno.EIO, "[Errno 5] could not open it. tallypost list shows the ports"),
    ),
)
def test_a_port_that_cannot_be_opened(
    number: int, line: str, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: Any, **_options: Any) -> None:
        raise serial.SerialException(number, "could not open it")

    monkeypatch.setattr(rom.serial, "serial_for_url", refuse)
    assert said("/dev/ttyUSB0") in (
        f"error: PORT: {line}",
        f"error: PORT: [Errno {number}] {line}",
    )


def test_a_port_with_nobody_behind_it(said: Callable[..., str], tmp_path: Path) -> None:
    line = "no such port. tallypost list shows the ports; is the cable in?"
    assert said(str(tmp_path / "ttyUSB0")) == f"error: PORT: {line}"


def test_a_board_of_another_chip(said: Callable[..., str]) -> None:
    board = MockBoard("esp32_generic", chip="esp32s3")
    try:
        line = "the chip is an esp32s3, esp32_generic has an esp32. name the right --board"
        assert said(board.url) == f"error: PORT: {line}"
    finally:
        board.close()
