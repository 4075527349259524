"""The output of `tallypost provision`, word by word: results and the errors of a port."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from tests.support.boards.mock_board import MockBoard, own_answers
from tests.tools import golden_output
from tests.tools.provisioning.test_provision import flash

from tallypost import cli
from tallypost.flashing import rom
from tallypost.i18n import LANGUAGES

__all__ = ("flash",)
Capture = pytest.CaptureFixture[str]
IN_USE = "in use by another program. Close that program. To find it, run: tallypost doctor"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(
    language: str, flash: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Two calls: a new node, then another node in its place, with a warning."""
    (tmp_path / "mqtt").write_text("between-us-two\n")
    secret = ("--mqtt-password-file", str(tmp_path / "mqtt"))
    fixed = ["provision", "--lang", language, str(flash), "--insecure-plain", *secret]
    assert cli.main([*fixed, "--node", "n1", "--wifi-ssid", "city", "--set", "mqtt_host=b"]) == 0
    program_counts(flash)
    assert cli.main([*fixed, "--node", "n2"]) == 2
    assert cli.main([*fixed, "--node", "n2", "--log", "erase", "--dry-run"]) == 0
    assert cli.main([*fixed, "--node", "n2", "--log", "erase"]) == 0
    captured = capsys.readouterr()
    text = f"{captured.out}--- stderr\n{captured.err}".replace(str(flash), "FLASHFILE")
    golden_output.check(language, "provision", text)


def program_counts(flash: Path) -> None:
    """Put some bytes into the log of a flash file."""
    data = bytearray(flash.read_bytes())
    data[0x300000:0x300006] = b"counts"
    flash.write_bytes(data)


@pytest.fixture
def said(tmp_path: Path, capsys: Capture) -> Iterator[Callable[..., str]]:
    """The one line that an attempt ends with, the port being called PORT."""
    (tmp_path / "mqtt").write_text("between-us-two\n")

    def run(port: str, *words: str) -> str:
        fixed = ["provision", "--port", port, "--node", "n1", "--insecure-plain"]
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
        (errno.ENOENT, "no such port. Check the cable, then run: tallypost list"),
        (
            errno.EACCES,
            "permission denied. Run: sudo usermod -aG dialout $USER, then log in again.",
        ),
        (errno.EBUSY, IN_USE),
        (errno.EAGAIN, IN_USE),
        (errno.EIO, "[Errno 5] could not open it. To see the ports, run: tallypost list"),
    ),
)
def test_a_port_that_cannot_be_opened_is_reported(
    number: int, line: str, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: Any, **_options: Any) -> None:
        raise serial.SerialException(number, "could not open it")

    monkeypatch.setattr(rom.serial, "serial_for_url", refuse)
    assert said("/dev/ttyUSB0") in (
        f"error: PORT: {line}",
        f"error: PORT: [Errno {number}] {line}",
    )


def test_a_port_that_does_not_exist_is_reported(said: Callable[..., str], tmp_path: Path) -> None:
    line = "no such port. Check the cable, then run: tallypost list"
    assert said(str(tmp_path / "ttyUSB0")) == f"error: PORT: {line}"


def test_a_board_with_another_chip_is_refused(said: Callable[..., str]) -> None:
    board = MockBoard("esp32_generic", chip="esp32s3")
    try:
        line = "the chip is an esp32s3, but esp32_generic has an esp32."
        advice = "Name the right board with --board."
        assert said(board.url) == f"error: PORT: {line} {advice}"
    finally:
        board.close()
