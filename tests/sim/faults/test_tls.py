"""TLS between a node, a real mosquitto and the backend: only the right certificate is accepted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallypost import cli
from tallypost.faults import ToolError
from tallypost.provisioning.secrets_input import read_certificates
from tests.support.runs.running import mosquitto

ROOT = Path(__file__).resolve().parents[3]
# On the node: the client and the TLS of the firmware against a broker; prints how it went.
NODE = """
import asyncio, json, sys
from mqtt import Client, LinkDown
from delivery.mqtt.tls import wrapper

port, host, ca = sys.argv[1:4]

async def main():
    client = Client(
        "n1", host, int(port), user=None, password=None, keepalive=20, frame_bytes=4096
    )
    try:
        client.wrap = wrapper([open(ca, "rb").read()], host)
        await client.open()
        listener = asyncio.create_task(client.listen())
        for n in range(3):
            await client.publish(b"tallypost/v1/n1/x", lambda out: out.write("x" * 3000), qos=1)
        listener.cancel()
        print("published")
    except LinkDown as error:
        print("down:", error)

asyncio.run(main())
"""


def _openssl(folder: Path, *words: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    subprocess.run([program, *words], cwd=folder, check=True, capture_output=True, timeout=60)


def _authority(folder: Path, name: str) -> None:
    _openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}",
    )  # fmt: skip
    _openssl(folder, "x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `city` and `other`, and a broker's certificate of the city's."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("city", "other"):
        _authority(folder, name)
    _openssl(
        folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=localhost",
    )  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    _openssl(
        folder, "x509", "-req", "-in", "broker.csr", "-CA", "city.pem", "-CAkey", "city.key",
        "-CAcreateserial", "-out", "broker.pem", "-days", "30", "-extfile", "names",
    )  # fmt: skip
    return folder


@pytest.fixture
def port(keys: Path, tmp_path: Path) -> Iterator[int]:
    lines = [f"certfile {keys}/broker.pem", f"keyfile {keys}/broker.key", "allow_anonymous true"]
    with mosquitto(tmp_path, *lines, "user root") as number:  # the folder is this user's alone
        yield number


def _node(port: int, host: str, ca: Path) -> str:
    path = ":".join(str(ROOT / part) for part in ("lib", "firmware", ".build/third_party"))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "micropython"), "-X", "heapsize=512k", "-c", NODE,
         str(port), host, str(ca)],
        env={**os.environ, "MICROPYPATH": f"{path}:.frozen"}, cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_node_publishes_to_a_broker_of_its_authority(port: int, keys: Path) -> None:
    assert _node(port, "localhost", keys / "city.der") == "published"


def test_a_broker_of_another_authority_gets_nothing(port: int, keys: Path) -> None:
    output = _node(port, "localhost", keys / "other.der")
    assert output == "down: tls: The certificate is not correctly signed by the trusted CA"


def test_a_broker_of_another_name_gets_nothing(port: int, keys: Path) -> None:
    output = _node(port, "127.0.0.1", keys / "city.der")
    assert output.startswith("down: tls: The certificate Common Name (CN) does not match")


def test_a_broker_without_tls_gets_nothing(keys: Path, tmp_path: Path) -> None:
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        assert _node(port, "localhost", keys / "city.der").startswith("down: ")


def test_a_bad_certificate_is_named(port: int, tmp_path: Path) -> None:
    for data in (b"", b"no certificate", b"\x30\x82\x01\x00" + bytes(256)):
        (tmp_path / "bad").write_bytes(data)
        output = _node(port, "localhost", tmp_path / "bad")
        assert output == "down: tls: no usable certificate in NVS keys mqtt_ca, mqtt_ca2"


def _listen(folder: Path, port: int, *options: str) -> int:
    words = ["listen", "--port", str(port), "--db", str(folder / "db"), "--seconds", "1"]
    return cli.main([*words, *options])


def test_the_backend_listens_with_the_authority(
    port: int, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _listen(tmp_path, port, "--ca", str(keys / "city.pem")) == 0
    assert _listen(tmp_path, port, "--ca", str(keys / "other.pem")) == 1
    assert "TLS failed: " in capsys.readouterr().err
    assert _listen(tmp_path, port, "--ca", str(keys / "broker.key")) == 1
    assert "certificate of the authority, PEM." in capsys.readouterr().err


def test_certificates_are_read_from_pem_and_der(keys: Path, tmp_path: Path) -> None:
    der = (keys / "city.der").read_bytes()
    assert read_certificates(keys / "city.pem") == read_certificates(keys / "city.der") == [der]
    city, other = (keys / "city.pem").read_bytes(), (keys / "other.pem").read_bytes()
    two, three = tmp_path / "two.pem", tmp_path / "three.pem"
    two.write_bytes(city + other)
    three.write_bytes(city + other + city)
    assert read_certificates(two) == [der, (keys / "other.der").read_bytes()]
    for bad in (three, keys / "city.key", keys / "names", tmp_path / "none"):
        with pytest.raises(ToolError, match=bad.name):
            read_certificates(bad)


def test_a_bad_authority_is_refused_before_anything_is_written(
    keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["provision", str(tmp_path / "none.bin"), "--node", "n1", "--dry-run", "--json"]
    assert cli.main([*words, "--mqtt-ca", str(keys / "city.key")]) == 1
    assert "does not hold certificates" in capsys.readouterr().err
