"""`tallypost provision`: options and their errors. No secret is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tools.provisioning.test_provision import PASSWORD, SECRET, blob, flash

from tallypost import cli

__all__ = ("flash",)
Call = Callable[..., tuple[int, str, str]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def call(flash: Path, tmp_path: Path, capsys: Capture) -> Call:
    """Run the verb on `flash`. Returns (status, stdout, stderr)."""
    (tmp_path / "wifi").write_text(PASSWORD + "\nsecond line\n")
    (tmp_path / "mqtt").write_text(SECRET + "\n")
    (tmp_path / "config.json").write_text('{"interval_min": 1, "detector": "beam"}')
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")

    def run(*words: str) -> tuple[int, str, str]:
        argv = ["provision", str(flash), "--node", "n1", "--insecure-plain"]
        argv += [word.replace("@", f"{tmp_path}/") for word in words]
        status = cli.main(argv)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


GIVEN = ("--mqtt-password-file", "@mqtt")


@pytest.mark.parametrize("more", ((), ("--json",), ("--dry-run",), ("--dry-run", "--json")))
def test_no_secret_is_printed(call: Call, flash: Path, more: tuple[str, ...]) -> None:
    status, out, err = call(
        *GIVEN, "--wifi-ssid", "street", "--wifi-password-file", "@wifi", *more
    )
    assert status == 0 and "n1" in out
    assert PASSWORD not in out + err and SECRET not in out + err
    if "--dry-run" not in more:
        assert blob(flash, "wifi_pass").decode() == PASSWORD
    if "--json" in more:
        row = json.loads(out)
        assert row["written"] == ("--dry-run" not in more) and row["wifi_ssid"] == "street"


def test_a_port_in_the_place_of_a_file_is_refused(tmp_path: Path, capsys: Capture) -> None:
    made = str(tmp_path / "made.json")
    plain = ("--insecure-plain", "--secrets-out", made)
    assert cli.main(["provision", "/dev/null", "--node", "n1", *plain]) == 1
    said = capsys.readouterr().err
    assert said == (
        "error: /dev/null: this is a device, not a flash file."
        " For a board at a port, use: --port /dev/null\n"
    )


def test_a_made_secret_is_in_its_file_only(call: Call, tmp_path: Path) -> None:
    status, out, err = call("--secrets-out", "@made.json", "--json")
    made = json.loads((tmp_path / "made.json").read_text())["password"]
    assert status == 0 and len(made) >= 24 and made not in out + err


def test_options_override_the_file(call: Call, flash: Path) -> None:
    status, _, _ = call(
        *GIVEN, "--config", "@config.json", "--set", "interval_min=5", "--set", "site=b=c"
    )
    config = json.loads(blob(flash, "config"))
    assert status == 0
    assert config == {"interval_min": 5, "detector": "beam", "site": "b=c"}


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        ((), 2, "known to the node alone. Add --secrets-out FILE"),
        (("--secrets-out", "@wifi"), 2, "the file exists, and secrets are not overwritten"),
        (
            (*GIVEN, "--set", "interval_min"),
            2,
            "--set interval_min: the key or the value is missing. Write it as --set KEY=VALUE",
        ),
        ((*GIVEN, "--set", "=3"), 2, "Write it as --set KEY=VALUE"),
        ((*GIVEN, "--config", "@gone.json"), 1, "gone.json"),
        ((*GIVEN, "--config", "@broken.json"), 1, "Name a file with one JSON object."),
        ((*GIVEN, "--config", "@list.json"), 1, "the file is not a JSON object"),
        (("--mqtt-password-file", "@gone"), 1, "Name a file with the secret in its first line."),
        (("--mqtt-password-file", "@empty"), 1, "the first line is empty"),
        ((*GIVEN, "--wifi-password-file", "@empty"), 1, "the first line is empty"),
        ((*GIVEN, "--node", "Not/An/Id"), 1, "the node id 'Not/An/Id' is not allowed"),
    ),
)
def test_wrong_usage_is_one_line_and_changes_nothing(
    call: Call, flash: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    before = flash.read_bytes()
    got, out, err = call(*words)
    assert (got, out) == (status, "") and text in err and err.count("\n") == 1
    assert err.startswith("error: ") and flash.read_bytes() == before


def test_a_secrets_file_that_cannot_be_written_is_noticed_before(call: Call, flash: Path) -> None:
    before = flash.read_bytes()
    try:
        status, _, err = call("--secrets-out", "@gone/secret.json")
    finally:
        assert flash.read_bytes() == before
    assert status != 0 and "secret.json" in err


def test_no_secrets_file_is_left_by_a_failure(call: Call, flash: Path, tmp_path: Path) -> None:
    flash.write_bytes(b"no flash")
    assert call("--secrets-out", "@made.json")[0] == 1
    assert not (tmp_path / "made.json").exists()


@pytest.mark.parametrize("words", (("--set", "x=\udce9"), ("--mqtt-user", "\udce9")))
def test_bytes_that_are_no_text_are_refused(call: Call, words: tuple[str, ...]) -> None:
    status, out, err = call(*GIVEN, *words)
    assert (status, out) == (1, "") and err.startswith("error: ") and err.count("\n") == 1


def test_lorawan_keys_come_from_a_file_and_no_error_shows_them(
    call: Call, flash: Path, tmp_path: Path
) -> None:
    keys = {"dev_eui": "70b3d57ed0000001", "join_eui": "70b3d57ed0000002", "app_key": "5ec2e7" * 5}
    path = tmp_path / "lora.json"
    for change, text in (
        ({"app_key": keys["app_key"]}, "lora_app_key has 15 bytes, expected: 16"),
        ({"app_key": "no digits"}, "the file is not a JSON object of hexadecimal digits"),
        ({"dev_eui": 7}, "the file is not a JSON object of hexadecimal digits"),
    ):
        path.write_text(json.dumps(keys | change))
        status, out, err = call(*GIVEN, "--lorawan", "@lora.json")
        assert status and text in err and "5ec2e7" not in out + err
    path.write_text(json.dumps({"dev_eui": keys["dev_eui"]}))
    assert "the key 'join_eui' is missing" in call(*GIVEN, "--lorawan", "@lora.json")[2]
    path.write_text(json.dumps(keys | {"app_key": "5ec2e75e" * 4}))
    status, out, err = call(*GIVEN, "--lorawan", "@lora.json", "--json")
    assert status == 0 and "5ec2e7" not in out + err
    assert blob(flash, "lora_app_key") == bytes.fromhex("5ec2e75e" * 4)
    assert blob(flash, "lora_dev_eui") == bytes.fromhex(keys["dev_eui"])
