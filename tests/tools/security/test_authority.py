"""Authorities: their change, the certificate of the broker, and a node that trusts two."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.support.runs.running import free_port

from tallypost import cli
from tallypost.faults import ToolError
from tallypost.hardware.boards import ROOT
from tallypost.security.authority import Authority, names_of

Capture = pytest.CaptureFixture[str]
# On the node: its own TLS with the authorities in these files. A write does the handshake.
NODE = """
import socket, sys, time
sys.path += ["firmware", "lib"]
from delivery.mqtt.tls import wrapper
port, *files = sys.argv[1:]
authorities = []
for path in files:
    with open(path, "rb") as file:
        authorities.append(file.read())
sock = socket.socket()
sock.connect(socket.getaddrinfo("127.0.0.1", int(port))[0][-1])
stream = wrapper(authorities, "localhost")(sock)
try:
    while not stream.write(b"x"):
        time.sleep_ms(5)
    print("connected")
except (OSError, ValueError) as error:
    print("refused")
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.open(tmp_path)
    made.certify_broker(["localhost"])
    return made


def connect(folder: Path, *cas: bytes) -> str:
    """What a node with these authorities says about the broker."""
    paths = []
    for number, der in enumerate(cas):
        paths.append(folder / f"{number}.der")
        paths[-1].write_bytes(der)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "broker" / "broker.pem", folder / "broker" / "broker.key")
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=_serve, args=(server, context), daemon=True)
        thread.start()
        done = subprocess.run(
            [str(Path(sys.executable).parent / "micropython"), "-c", NODE, str(port),
             *map(str, paths)],
            env={**os.environ, "MICROPYPATH": ".frozen"}, cwd=ROOT, text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        thread.join(30)
    return done.stdout.strip() or done.stderr


def _serve(server: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = server.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)
    except (ssl.SSLError, OSError):
        pass


def test_a_node_with_two_authorities_accepts_both(authority: Authority, tmp_path: Path) -> None:
    [old] = authority.trusted()
    authority.rotate()
    [first, new] = authority.trusted()
    assert first == old
    assert connect(tmp_path, old, new) == "connected"
    assert connect(tmp_path, new) == "refused"
    authority.switch()
    authority.certify_broker([], again=True)
    assert authority.trusted() == [new, old], "the issuer comes first"
    assert connect(tmp_path, old, new) == "connected"
    assert connect(tmp_path, old) == "refused"


def test_a_third_authority_ends_the_first(authority: Authority) -> None:
    authority.rotate()
    with pytest.raises(ToolError, match="authority 1 still signs, and authority 2 waits"):
        authority.rotate()
    authority.switch()
    assert authority.rotate() == 3 and authority.numbers() == [2, 3]


def test_a_certificate_is_kept_until_a_name_is_new(authority: Authority) -> None:
    assert not authority.certify_broker(["localhost"])
    assert authority.certify_broker(["192.0.2.1"])
    certificate = authority.broker_certificate()
    assert certificate and names_of(certificate) == ["localhost", "192.0.2.1"]


def test_a_certificate_of_another_authority_is_not_touched(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.open(tmp_path / "other")
    other.certify_broker(["b"])
    theirs = tmp_path / "other" / "broker" / "broker.pem"
    ours = tmp_path / "broker" / "broker.pem"
    ours.write_bytes(theirs.read_bytes())
    assert not authority.certify_broker(["c"], again=True)
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_name_that_no_certificate_can_have_is_named(authority: Authority) -> None:
    with pytest.raises(ToolError, match="mqtt_host = 'löwe.example'"):
        authority.certify_broker(["löwe.example"])


def test_the_verb_shows_changes_and_renews(tmp_path: Path, capsys: Capture) -> None:
    out = ("--out", str(tmp_path))
    assert cli.main(["authority", "list", *out]) == 1
    assert "there is no authority" in capsys.readouterr().err
    Authority.open(tmp_path)
    assert cli.main(["authority", "renew", *out]) == 1
    assert "Name the broker with --name HOST." in capsys.readouterr().err
    for words in (("renew", "--name", "b.example"), ("rotate",), ("switch",), ("list",)):
        assert cli.main(["authority", *words, *out]) == 0, words
    said = capsys.readouterr()
    assert "authority 2" in said.out and "b.example" in said.out
    assert "PRIVATE" not in said.out + said.err


@pytest.mark.parametrize("name", ("issuer", "1.key", "1.pem"))
def test_a_damaged_file_is_named(authority: Authority, tmp_path: Path, name: str) -> None:
    (tmp_path / "authority" / name).write_text("x")
    with pytest.raises(ToolError, match=name):
        authority.certify_broker(["new.example"])
