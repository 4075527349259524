"""`tallypost list`: what is behind the ports, without a reset unless that is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.mock_board import own_answers

from tallypost import ports
from tallypost.faults import ToolError
from tallypost.ports import Port
from tallypost.cli import main
from tallypost.connection import line
from tallypost.technician import list_verb

NODE = {
    "node": "bridge-7", "board": "lilygo_t3_v1_6_1", "version": "1.2.3", "boot": 4,
    "mac": "24:0a:c4:00:00:07",
}  # fmt: skip
CP210X = Port("/dev/ttyTEST0", "10c4:ea60", "CP2102", "")


class Answers:
    """A line on which a node answers."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def ask(self, cmd: str) -> dict[str, Any]:
        assert cmd == "identity"
        return self._body


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What answers at which port: a body, or the text of an error."""
    there: dict[str, Any] = {}

    def connect(name: str, **_: object) -> Answers:
        if isinstance(there.get(name), dict):
            return Answers(there[name])
        raise ToolError(f"{name}: {there.get(name, 'no such port')}")

    monkeypatch.setattr(line, "connect", connect)
    monkeypatch.setattr(list_verb.ports, "holders", lambda _device: [])
    yield there


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    assert main(["list", *words, "--json"]) == 0
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
    return found


def test_a_node_of_ours_says_who_it_is(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "found", lambda: [CP210X])
    bench["/dev/ttyTEST0"] = NODE
    [row] = listed(capsys)
    assert row == {
        "port": "/dev/ttyTEST0", "usb": "10c4:ea60", "what": "CP2102", "chip": "esp32",
        "mac": "24:0a:c4:00:00:07", "node": "bridge-7", "board": "lilygo_t3_v1_6_1",
        "version": "1.2.3", "note": "",
    }  # fmt: skip
    assert main(["list"]) == 0
    assert "bridge-7" in capsys.readouterr().out


def test_a_board_without_identity_is_told(
    bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bench["/dev/a"] = NODE | {"node": ""}
    [row] = listed(capsys, "/dev/a")
    assert row["note"] == "not provisioned: tallypost provision" and row["chip"] == "esp32"


def test_ports_that_are_busy_or_not_for_boards_are_left_alone(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Port("/dev/ttyACM9", "1199:68a2", "a modem", "")
    monkeypatch.setattr(ports, "found", lambda: [CP210X, other])
    monkeypatch.setattr(
        ports, "holders", lambda device: [(7, "mpremote")] if device == CP210X.device else []
    )

    def connect(*_: object, **__: object) -> None:
        pytest.fail("somebody was spoken to")

    monkeypatch.setattr(line, "connect", connect)
    busy, foreign = listed(capsys)
    assert busy["note"] == "in use by mpremote (7)"
    assert foreign["note"] == "not asked: no chip of a board; name the port to ask"
    assert listed(capsys, "--probe") == [busy, foreign]


def test_what_is_there_instead_is_said(
    bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bench["/dev/a"] = "MicroPython, and no node on it"
    [row] = listed(capsys, "/dev/a")
    assert row["note"] == "MicroPython, and no node on it" and row["chip"] == ""


def test_no_port_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "found", lambda: [])
    assert main(["list"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "no serial port behind USB: tallypost doctor" in err
    assert listed(capsys) == []


def test_a_silent_chip_is_reset_only_when_that_is_asked_for(
    bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with own_answers():
        board = FlashBoard("esp32c3_rak3172")
        try:
            bench[board.url] = "silent"
            [row] = listed(capsys, board.url)
            assert row["chip"] == row["mac"] == ""
            [row] = listed(capsys, board.url, "--probe")
        finally:
            board.close()
    assert row["chip"] == "esp32c3" and row["mac"] == "24:0a:c4:00:00:01"
    assert row["note"] == "flash of 4 MB, no node answers"
