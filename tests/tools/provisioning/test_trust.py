"""TLS is the default of `provision`, and plain text needs a word."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.boards.mock_board import MockBoard, own_answers
from tests.tools.provisioning.test_provision import blob, flash, nvs

from tallypost import cli
from tallypost.security.authority import Authority, names_of
from tallypost.security.fleet_keys import FleetKeys, modulus

__all__ = ("flash",)
Capture = pytest.CaptureFixture[str]
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(flash: Path, tmp_path: Path, capsys: Capture) -> Call:
    """Provision the flash file. Returns (status, stderr)."""
    (tmp_path / "mqtt").write_text("between-us-two\n")

    def run(*words: str) -> tuple[int, str]:
        fixed = ["provision", str(flash), "--node", "n1"]
        fixed += ["--mqtt-password-file", str(tmp_path / "mqtt")]
        return cli.main([*fixed, *words]), capsys.readouterr().err

    return run


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    Authority.open(tmp_path / "city")
    return tmp_path / "city" / "ca.pem"


def test_without_an_authority_nothing_is_written(call: Call, flash: Path) -> None:
    before = flash.read_bytes()
    status, err = call()
    assert status == 2 and "--out FOLDER" in err and "--insecure-plain" in err
    assert flash.read_bytes() == before


def test_an_authority_turns_tls_on(call: Call, flash: Path, authority: Path) -> None:
    assert call("--mqtt-ca", str(authority), "--set", "mqtt_host=b")[0] == 0
    assert json.loads(blob(flash, "config")) == {
        "mqtt_host": "b", "mqtt_port": 8883, "mqtt_tls": 1
    }  # fmt: skip
    assert blob(flash, "mqtt_ca") == ssl.PEM_cert_to_DER_cert(authority.read_text())
    assert call("--mqtt-ca", str(authority), "--set", "mqtt_port=1884")[0] == 0
    assert json.loads(blob(flash, "config"))["mqtt_port"] == 1884


@pytest.mark.parametrize("word", ((), ("--insecure-plain",)))
def test_plain_text_needs_a_word_and_is_warned_of(
    call: Call, authority: Path, word: tuple[str, ...]
) -> None:
    status, err = call("--mqtt-ca", str(authority), "--set", "mqtt_tls=0", *word)
    assert status == (0 if word else 2)
    assert ("MQTT is in plain text" if word else "add --insecure-plain") in err


def test_an_open_network_is_warned_of(call: Call) -> None:
    assert "The Wi-Fi 'city' has no password" in call("--insecure-plain", "--wifi-ssid", "city")[1]


def test_a_node_with_lorawan_alone_needs_no_authority(call: Call, tmp_path: Path) -> None:
    keys = {"dev_eui": "70b3d57ed0000001", "join_eui": "70b3d57ed0000002", "app_key": "5e" * 16}
    (tmp_path / "lora.json").write_text(json.dumps(keys))
    assert call("--lorawan", str(tmp_path / "lora.json"))[0] == 0


@pytest.mark.parametrize("user", ("x\ntopic readwrite #", "a:b", "#x", " x", "tallypost-listen"))
def test_a_user_that_would_become_another_line_is_refused(
    call: Call, flash: Path, user: str
) -> None:
    before = flash.read_bytes()
    status, err = call("--insecure-plain", "--mqtt-user", user)
    assert status == 1 and "mqtt_user" in err and err.count("\n") == 1
    assert flash.read_bytes() == before


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "out"


def provision(out: Path, *words: str) -> int:
    with own_answers():
        board = MockBoard("esp32_generic")
        fixed = ["provision", "--port", board.url, "--node", "n1", "--out", str(out)]
        try:
            return cli.main([*fixed, "--set", "mqtt_host=b.example", *words])
        finally:
            board.close()


def test_a_folder_gets_an_authority_a_certificate_and_keys(out: Path) -> None:
    assert provision(out) == 0
    authority = Authority(out)
    certificate = authority.broker_certificate()
    assert certificate and names_of(certificate) == ["b.example"]
    for private in ("authority/1.key", "broker/broker.key", "fleet/1.pem", "listen.password"):
        assert stat.S_IMODE((out / private).stat().st_mode) == 0o600, private
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert provision(out) == 0
    changed = {path.name for path in before if path.read_bytes() != before[path]}
    assert changed == {"inventory.csv"}, "a second call makes nothing anew"


def test_a_dry_run_makes_no_authority(out: Path) -> None:
    assert provision(out, "--dry-run") == 0
    assert not out.exists()


def test_an_authority_of_the_city_is_kept_for_later_calls(out: Path, authority: Path) -> None:
    assert provision(out, "--mqtt-ca", str(authority)) == 0
    assert not (out / "authority").exists() and not (out / "broker" / "broker.pem").exists()
    assert (out / "ca.pem").read_text() == authority.read_text()
    assert provision(out) == 0 and not (out / "authority").exists()


def test_a_folder_does_not_change_its_authority(
    out: Path, authority: Path, capsys: Capture
) -> None:
    assert provision(out) == 0
    assert provision(out, "--mqtt-ca", str(authority)) == 2
    assert "the folder has an authority of its own" in capsys.readouterr().err


def test_a_certificate_keeps_its_names_and_gets_new_ones(out: Path) -> None:
    assert provision(out) == 0
    assert provision(out, "--set", "mqtt_host=192.0.2.7") == 0
    certificate = Authority(out).broker_certificate()
    assert certificate and names_of(certificate) == ["b.example", "192.0.2.7"]


def test_the_keys_of_the_fleet_reach_the_node(call: Call, out: Path, flash: Path) -> None:
    keys = FleetKeys.open(out)
    keys.rotate()
    with own_answers():
        board = MockBoard("esp32_generic")
        words = ["provision", "--port", board.url, "--node", "n1", "--out", str(out)]
        assert cli.main(words) == 0
        flash.write_bytes(bytes(board.flash.data))
        board.close()
    assert blob(flash, "fleet_key") == modulus(keys.public(1))
    assert blob(flash, "fleet_key2") == modulus(keys.public(2))
    assert nvs(flash).get_i32("tallypost", "cfg_serial") > 0
