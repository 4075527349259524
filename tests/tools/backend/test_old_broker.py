"""A broker that does not know MQTT 5 is spoken to in MQTT 3.1.1."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tallypost import cli

Capture = pytest.CaptureFixture[str]
CONNECT, SUBSCRIBE = 0x10, 0x82
OLD_REFUSAL, NEW_REFUSAL = b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"


class OldBroker:
    """Accepts protocol level 4 alone. refusal: its answer to any other; b"": it hangs up.

    granted: the code of SUBACK for each topic.
    """

    def __init__(self, refusal: bytes, granted: int = 1) -> None:
        self._refusal, self._granted = refusal, granted
        self.levels: list[int] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with closing(connection), suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        packet = connection.recv(4096)
        assert packet[0] == CONNECT
        self.levels.append(packet[packet.index(b"MQTT") + 4])
        if self.levels[-1] != 4:
            connection.sendall(self._refusal)
            return
        connection.sendall(b"\x20\x02\x00\x00")
        while packet := connection.recv(4096):
            if packet[0] == SUBSCRIBE:
                topics = packet.count(b"tallypost/v1/")
                codes = bytes([self._granted]) * topics
                connection.sendall(bytes([0x90, 2 + topics]) + packet[2:4] + codes)

    def close(self) -> None:
        self._server.close()


@pytest.fixture(params=(b"", OLD_REFUSAL, NEW_REFUSAL), ids=("silent", "3.1.1", "5"))
def broker(request: pytest.FixtureRequest) -> Iterator[OldBroker]:
    made = OldBroker(request.param)
    yield made
    made.close()


def listen(port: int, folder: Path) -> int:
    words = ["listen", "--host", "127.0.0.1", "--port", str(port), "--seconds", "0.5"]
    return cli.main([*words, "--db", str(folder / "db")])


def test_listen_falls_back_to_the_older_protocol(
    broker: OldBroker, tmp_path: Path, capsys: Capture
) -> None:
    assert listen(broker.port, tmp_path) == 0
    err = capsys.readouterr().err
    assert broker.levels[:2] == [5, 4] and "listening to" in err and "warning" not in err


def test_a_refused_subscription_is_named(tmp_path: Path, capsys: Capture) -> None:
    broker = OldBroker(b"", granted=0x80)
    assert listen(broker.port, tmp_path) == 1
    broker.close()
    err = capsys.readouterr().err
    assert "the broker refuses to send tallypost/v1/+/counts" in err, err
    assert "access list" in err and err.count("\n") == 1
