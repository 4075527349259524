"""A serial line: a node is found in noise, and any other device is named in one line."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from tests.support.nodes.fake_node import LOG, NOISE, FakeNode, Refuse, Stream, tidy

from tallypost.cli import main
from tallypost.connection import line
from tallypost.faults import ToolError

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node has time to answer, however busy this machine is."""
    monkeypatch.setattr(line, "CONNECT_TIMEOUT_S", 60.0)
    monkeypatch.setattr(line, "_REPLY_TIMEOUT_S", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, patient: None) -> None:
    """For devices that never answer."""
    monkeypatch.setattr(line, "CONNECT_TIMEOUT_S", 0.6)
    monkeypatch.setattr(line, "_PING_INTERVAL_S", 0.2)


def said(port: str, capsys: Capture) -> str:
    """The one line of an error, of a verb that needs a node."""
    assert main(["config", "get", "--port", port]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return tidy(err)


# The bytes that a device sends, and the error that names it.
OTHERS = {
    b"": "PORT: nothing answers, no byte was received. Check the power of the board and the"
    " name of the port. See: tallypost list",
    b"\r\nMicroPython v1.25.0 on 2025-04-15; Generic ESP32 module with ESP32\r\n>>> ":
    "PORT: a MicroPython prompt answers, the firmware is not running."
    " Press EN (reset). If the prompt comes again, run: tallypost flash --port PORT",
    b"raw REPL; CTRL-B to exit\r\n>": "PORT: a MicroPython prompt answers, the firmware is not"
    " running. Press EN (reset). If the prompt comes again, run: tallypost flash --port PORT",
    b"rst:0x1 (POWERON_RESET),boot:0x13\r\ninvalid header: 0xffffffff\r\n": "PORT: the flash"
    " of the board holds no firmware. Run: tallypost flash --port PORT --micropython FILE",
    b"The filesystem appears to be corrupted. If you had important data": "PORT: the file"
    " system of the board is damaged. This command writes it anew and keeps the counts: tallypost"
    " flash --port PORT",
    b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n": "PORT: the"
    " board waits in its bootloader. Release BOOT, press EN (reset), then run the same command"
    " again.",
    b"rst:0xc (SW_CPU_RESET)\r\nentry 0x400805e4\r\n" * 3: "PORT: the board resets again and"
    " again. Check its power supply. If that is good, run: tallypost flash --port PORT",
    LOG * 3: "PORT: the node writes its log but does not answer. Its firmware is old, or its RX"
    " wire is open. Run: tallypost flash --port PORT",
    bytes(range(128, 256)): "PORT: 128 bytes came that are no text, so this is no node. It is"
    " another device, such as a radar, or --baud is wrong: a node has 115200.",
    b"$GPGGA,123519,4807.038,N\r\n": "PORT: no node answers, the device sent:"
    " '$GPGGA,123519,4807.038,N'. Check that this is the port of the node. See: tallypost list",
}  # fmt: skip


def test_a_node_that_starts_is_waited_for_and_the_wait_is_explained(
    capsys: Capture, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "_START_TIMEOUT_S", 2.0)
    banner = b"1 info tp-1 1.0.0 boot 7 on esp32_generic\r\n"
    with FakeNode(banner=banner, deaf=True) as node:
        begin = time.monotonic()
        assert main(["config", "get", "--port", node.port]) == 1
    assert time.monotonic() - begin >= 2.0  # 0.6 s without the line
    assert "PORT: the node is starting, waiting" in tidy(capsys.readouterr().err)


@pytest.mark.parametrize("banner", OTHERS, ids=lambda banner: repr(banner[:20]))
def test_a_device_that_is_no_node_is_named_with_the_next_step(
    banner: bytes, capsys: Capture, impatient: None
) -> None:
    with FakeNode(banner=banner, deaf=True) as node:
        assert said(node.port, capsys) == f"error: {OTHERS[banner]}"


def test_an_address_without_a_server_is_refused(capsys: Capture) -> None:
    with FakeNode() as node:
        port = node.port
    expected = (
        "error: PORT: no server answers at this address. Start the server of the board, or correct"
        " host and port."
    )
    assert said(port, capsys) == expected
    assert said("rfc2217://127.0.0.1:1", capsys) == expected.replace(
        "PORT", "rfc2217://127.0.0.1:1"
    )


@pytest.mark.parametrize(
    ("port", "text"),
    (
        ("/dev/ttyGONE9", "there is no such port. See the ports with: tallypost list"),
        ("nonsense://x", "protocol 'nonsense' not known. A port is a device, rfc2217://HOST:PORT"),
        ("/dev/null", "A port is a device, rfc2217://HOST:PORT or socket://HOST:PORT."),
    ),
)
def test_a_name_that_is_no_port_is_refused(port: str, text: str, capsys: Capture) -> None:
    told = said(port, capsys)
    assert told.startswith(f"error: {port}: ") and text in told


def test_a_port_without_permission_is_refused_with_the_command_for_the_group(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidden(serial.Serial):  # type: ignore[misc]
        def open(self) -> None:
            raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(
        serial, "serial_for_url", lambda _name, do_not_open, **settings: Forbidden(**settings)
    )
    assert said("/dev/ttyUSB0", capsys) == (
        "error: /dev/ttyUSB0: permission denied. Run: sudo usermod -aG dialout $USER, then log out"
        " and in again."
    )


@pytest.fixture
def tty() -> Iterator[tuple[int, str]]:
    """Our end of a serial line, and the name of the other one."""
    ours, theirs = pty.openpty()
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_a_port_that_another_program_has_open_is_refused(
    tty: tuple[int, str], capsys: Capture
) -> None:
    with open(tty[1], "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert said(tty[1], capsys) == (
            f"error: {tty[1]}: another program has the port open."
            " Close that program. To find it, run: tallypost doctor"
        )


def test_opening_a_port_does_not_reset_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both lines stay as the operating system sets them: to change one alone is a reset."""
    changes: list[tuple[str, bool]] = []

    class Watched(serial.Serial):  # type: ignore[misc]
        def open(self) -> None:
            changes.append(("open", True))

        def _update_dtr_state(self) -> None:
            changes.append(("dtr", self._dtr_state))

        def _update_rts_state(self) -> None:
            changes.append(("rts", self._rts_state))

    monkeypatch.setattr(
        serial, "serial_for_url", lambda _name, do_not_open, **settings: Watched(**settings)
    )
    port = line.open_port("/dev/ttyUSB0")
    assert port.dtr is True and port.rts is True and ("open", True) in changes
    assert all(level for _name, level in changes)


# --- a node


def test_a_node_is_found_among_log_lines_and_noise() -> None:
    for around in (b"", LOG, NOISE, b"x" * 9000, b'7 info {"id": 1}\r\n', b"\n\n\n"):
        with FakeNode(banner=around, around=around) as node, line.connect(node.port) as found:
            assert found.ask("identity")["node"] == "gate-1", around


def test_a_refusal_of_the_node_is_an_error_with_its_reason() -> None:
    answers = {"config_set": Refuse("config: site = 1, wanted str")}
    with FakeNode(answers) as node, line.connect(node.port) as found:
        with pytest.raises(line.Refused, match="wanted str"):
            found.ask("config_set", config={"site": 1})


def test_a_command_that_arrived_damaged_is_sent_again() -> None:
    class Deafened(FakeNode):
        def _reply(self, body: dict[str, object]) -> bytes:
            reply = super()._reply(body)
            first = self.names().count("identity") == 1 and body["cmd"] == "identity"
            return b'{"v":1,"id":null,"ok":false,"error":"not JSON"}\n' if first else reply

    with Deafened() as node, line.connect(node.port) as found:
        assert found.ask("identity")["node"] == "gate-1"
        assert node.names() == ["identity", "identity"]


def test_a_command_that_met_a_full_heap_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_NO_MEMORY_PAUSE_S", 0.01)

    class Busy(FakeNode):
        def _reply(self, body: dict[str, object]) -> bytes:
            reply = super()._reply(body)
            full = f'{{"v":1,"id":"{body["id"]}","ok":false,"error":"no memory"}}\n'.encode()
            first = self.names().count("identity") == 1 and body["cmd"] == "identity"
            return full if first else reply

    with Busy() as node, line.connect(node.port) as found:
        assert found.ask("identity")["node"] == "gate-1"
        assert node.names() == ["identity", "identity"]


def test_a_node_that_is_short_of_memory_refuses_after_three_attempts() -> None:
    full = b'\r\n{"v":1,"id":null,"ok":false,"error":"no memory"}\r\n'

    class Full(FakeNode):
        def _reply(self, body: dict[str, object]) -> bytes:
            reply = super()._reply(body)
            return full if body["cmd"] == "check" else reply

    with Full({"aim": Stream("begun", {"n": 1}, full)}) as node, line.connect(node.port) as found:
        with pytest.raises(line.Refused, match="no memory"):
            found.ask("check")
        assert node.names() == ["check"] * 3
        _, lines = found.stream("aim")
        with pytest.raises(line.Refused, match="no memory"):
            list(lines)


def test_a_board_that_is_unplugged_in_the_middle_is_an_error(capsys: Capture) -> None:
    for commands in (0, 1, 2):
        with FakeNode({"config_get": {"site": ""}}, pulled_after=commands) as node:
            assert main(["config", "get", "--port", node.port]) == 1
            assert tidy(capsys.readouterr().err) == (
                "error: PORT: the connection is lost."
                " Plug the board in, then run the same command again."
            )


def test_a_stream_ends_at_its_end_and_marks_damaged_lines() -> None:
    stream = Stream("begun", {"n": 1}, b'{"id":"%s","n":2\r\n', LOG, {"n": 3}, {"end": True})
    with FakeNode({"aim": stream}) as node, line.connect(node.port) as found:
        result, lines = found.stream("aim", seconds=1)
        bodies = [body for body, _text in lines]
    assert result == "begun" and bodies[1] == {"broken": True}
    assert [body.get("n") for body in bodies] == [1, None, 3, None] and bodies[-1]["end"]


def test_a_pseudo_terminal_is_a_port(tty: tuple[int, str]) -> None:
    port = line.open_port(tty[1])
    os.write(tty[0], b"5 info hello\r\n")
    assert next(line.Line(port, "tty").lines(5)) == "5 info hello"
    port.close()


def test_a_long_command_is_sent_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_CHUNK_PAUSE_S", 0.001)
    with FakeNode({"config_set": lambda body: len(body["config"]["site"])}) as node:
        with line.connect(node.port) as found:
            assert found.ask("config_set", config={"site": "x" * 1500}) == 1500


def test_a_port_that_does_not_exist_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="there is no such port"):
        line.open_port(str(tmp_path / "none"))
