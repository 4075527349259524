"""`tallypost list`: the boards at the ports, without a reset unless --probe asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.boards.flash_board import FlashBoard
from tests.support.boards.mock_board import own_answers
from tests.tools import golden_output

from tallypost import ports
from tallypost.cli import main
from tallypost.connection import line
from tallypost.faults import ToolError
from tallypost.i18n import LANGUAGES
from tallypost.ports import Port

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
    """The answer at each port: the identity of a node, or the text of an error."""
    there: dict[str, Any] = {}

    def connect(name: str, **_: object) -> Answers:
        if isinstance(there.get(name), dict):
            return Answers(there[name])
        raise ToolError(f"{name}: {there.get(name, 'no such port')}")

    monkeypatch.setattr(line, "connect", connect)
    monkeypatch.setattr(ports, "processes_using", lambda _device: [])
    yield there


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    assert main(["list", *words, "--json"]) == 0
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
    return found


def test_a_node_is_listed_with_its_identity(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "usb_ports", lambda: [CP210X])
    bench["/dev/ttyTEST0"] = NODE
    [row] = listed(capsys)
    assert row == {
        "port": "/dev/ttyTEST0", "usb": "10c4:ea60", "what": "CP2102", "chip": "esp32",
        "mac": "24:0a:c4:00:00:07", "node": "bridge-7", "board": "lilygo_t3_v1_6_1",
        "version": "1.2.3", "note": "",
    }  # fmt: skip
    assert main(["list"]) == 0
    assert "bridge-7" in capsys.readouterr().out


def test_a_board_without_identity_is_listed_with_the_command_to_provision(
    bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bench["/dev/a"] = NODE | {"node": ""}
    [row] = listed(capsys, "/dev/a")
    assert row["note"] == "not provisioned, run: tallypost provision" and row["chip"] == "esp32"


def test_ports_that_are_busy_or_of_other_devices_are_left_alone(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Port("/dev/ttyACM9", "1199:68a2", "a modem", "")
    monkeypatch.setattr(ports, "usb_ports", lambda: [CP210X, other])
    monkeypatch.setattr(
        ports,
        "processes_using",
        lambda device: [(7, "mpremote")] if device == CP210X.device else [],
    )

    def connect(*_: object, **__: object) -> None:
        pytest.fail("a port was opened")

    monkeypatch.setattr(line, "connect", connect)
    busy, foreign = listed(capsys)
    assert busy["note"] == "in use by mpremote (7)"
    assert foreign["note"] == ("not asked, because no board has such a chip. Name the port.")
    assert listed(capsys, "--probe") == [busy, foreign]


def test_another_device_is_listed_by_its_name(
    bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bench["/dev/a"] = "MicroPython, and no node on it"
    [row] = listed(capsys, "/dev/a")
    assert row["note"] == "MicroPython, and no node on it" and row["chip"] == ""


def test_without_a_port_the_list_is_empty(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "usb_ports", lambda: [])
    assert main(["list"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "There is no serial port behind USB." in err
    assert listed(capsys) == []


def test_a_silent_board_is_reset_with_probe_alone(
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
    assert row["note"] == (
        "4 MB of flash, no node answers: there is no partition table. Run: tallypost flash"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(
    language: str, bench: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bench["/dev/a"], bench["/dev/b"] = NODE, NODE | {"node": ""}
    assert main(["list", "/dev/a", "/dev/b", "--lang", language]) == 0
    golden_output.check(language, "list", capsys.readouterr().out)
