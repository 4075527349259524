"""Files with secrets as editors of other systems write them, and names of hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallypost.faults import ToolError
from tallypost.provisioning import secrets_input
from tallypost.provisioning import settings

Capture = pytest.CaptureFixture[str]
BLANKS = "blanks around the secret in the first line were left out"


@pytest.mark.parametrize(
    ("data", "doubts"),
    (
        (b"gl\xc3\xbcck 4711", []),
        (b"gl\xc3\xbcck 4711\r\n", []),
        (b"\xef\xbb\xbfgl\xc3\xbcck 4711\n", []),
        (b" gl\xc3\xbcck 4711 \t\r\n", [BLANKS]),
        ("glück 4711\r\n".encode("utf-16"), ["the file is in UTF-16, it was converted"]),
        (b"\xfe\xff" + "glück 4711".encode("utf-16-be"), ["the file is in UTF-16"]),
        (b"gl\xc3\xbcck 4711\n\n", []),
        (b"gl\xc3\xbcck 4711\nold one\n", ["only the first line is used, but there are more"]),
    ),
)
def test_the_secret_alone_is_read_and_each_doubt_is_told(
    data: bytes, doubts: list[str], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "secret.txt"
    path.write_bytes(data)
    assert secrets_input.read_secret(path) == "glück 4711"
    told = capsys.readouterr().err
    assert told.count("warning: ") == len(doubts) and all(doubt in told for doubt in doubts)
    assert "4711" not in told


@pytest.mark.parametrize(
    ("data", "error"),
    (
        (b"gl\xfcck 4711", "not text in UTF-8. Save it as plain text in UTF-8."),
        (b" \t\r\n4711", "the first line is empty"),
        (b"\xef\xbb\xbf\n", "the first line is empty"),
        ("47\u200b11".encode(), "character 3 of the first line is invisible (U+200B)"),
        (b"47\t11", "character 3 of the first line is invisible (U+0009)"),
        ("4711\u2028x".encode(), "character 5 of the first line is invisible (U+2028)"),
    ),
)
def test_a_secret_that_cannot_be_meant_is_refused(data: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_bytes(data)
    with pytest.raises(ToolError) as caught:
        secrets_input.read_secret(path)
    assert error in str(caught.value) and "4711" not in str(caught.value).replace(str(path), "")


def test_json_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(json.dumps({"site": "gate"}).encode(encoding))
        assert secrets_input.read_config(path, []) == {"site": "gate"}


@pytest.mark.parametrize(
    ("host", "advice"),
    (
        ("mqtt://broker.example.org", "Give the name alone, without the part before and with ://"),
        ("broker.example.org:8883", "The port has a setting of its own"),
        ("broker.example.org/", "Use a name such as broker.example.org"),
        ("broker example", "Use a name such as broker.example.org"),
        (" broker", "Use a name such as broker.example.org"),
        ("bröker.example.org", "Use a name such as broker.example.org"),
        ("-broker", "Use a name such as broker.example.org"),
        ("broker..example", "Use a name such as broker.example.org"),
        ("192.168.1.300", "An IPv4 address has four numbers up to 255"),
        ("192.168.1", "An IPv4 address has four numbers up to 255"),
    ),
)
def test_a_text_that_is_no_host_is_refused_everywhere(
    host: str, advice: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    for key in ("mqtt_host", "ntp_host", "ntp_host2"):
        path.write_text(json.dumps({key: host}))
        for given in ((path, []), (None, [f"{key}={host}"])):
            with pytest.raises(ToolError, match=f"{key} = .*is not allowed") as caught:
                secrets_input.read_config(*given)
            assert advice in str(caught.value)


@pytest.mark.parametrize("host", ("localhost", "b", "broker_1.example.org", "192.0.2.7"))
def test_a_host_is_taken(host: str) -> None:
    assert settings.from_text("mqtt_host", host) == host
