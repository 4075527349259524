"""Provisioning boards at a port with the genuine esptool: results on the board."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.boards.booted import boot, nvs
from esptool import cmds
from esptool.loader import ESPLoader
from esptool.util import FatalError
from tests.support.boards.mock_board import MockBoard, own_answers

from tallypost import cli
from tallypost.building import build
from tallypost.faults import ToolError
from tallypost.nvs import nvs_reader
from tallypost.provisioning.preserved_state import Journal
from tallypost.provisioning.identity import Identity, LoraKeys
from tallypost.provisioning.flash_target import FileTarget
from tallypost.provisioning.provision import provision

Capture = pytest.CaptureFixture[str]
Call = Callable[..., tuple[int, str, str]]
SECRET = "the-broker-knows-it"
KEYS = LoraKeys(b"\x11" * 8, b"\x22" * 8, bytes(range(16)))
LORA = "lilygo_t3_v1_6_1"
NONCES = struct.pack("<BIB", 1, 77, 1) + b"abc"


@pytest.fixture(scope="module")
def image() -> bytes:
    return build.build("esp32_generic").flash.read_bytes()


@pytest.fixture(scope="module")
def lora_image() -> bytes:
    return build.build(LORA).flash.read_bytes()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with own_answers():
        yield tmp_path / "state" / "tallypost" / "provision"


@pytest.fixture
def board(image: bytes) -> Iterator[MockBoard]:
    one = MockBoard("esp32_generic", cells=image)
    yield one
    one.close()


@pytest.fixture
def call(tmp_path: Path, capsys: Capture) -> Call:
    (tmp_path / "mqtt").write_text(SECRET + "\n")

    def run(port: str, *words: str) -> tuple[int, str, str]:
        given = ("--mqtt-password-file", str(tmp_path / "mqtt"))
        fixed = ["provision", "--port", port, "--node", "n1", "--insecure-plain"]
        status = cli.main([*fixed, *given, *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def used(tmp_path: Path, image: bytes, who: Identity, numbers: int, lora: bytes = b"") -> bytes:
    """The flash of a board that has been in service under an identity."""
    path = tmp_path / "used.bin"
    path.write_bytes(image)
    provision(path, who)
    cells = bytearray(path.read_bytes())

    def program(at: int, data: bytes) -> None:
        cells[0x9000 + at : 0x9000 + at + len(data)] = data

    def erase(at: int) -> None:
        cells[0x9000 + at : 0x9000 + at + 4096] = b"\xff" * 4096

    from simulator.world.chip.nvs import NvsPartition

    node = NvsPartition(lambda at, n: bytes(cells[0x9000 + at : 0x9000 + at + n]), program, erase)
    for number in range(1, numbers + 1):
        node.set_i32("tallypost", "boot", number)
    if lora:
        node.set_blob("lora", "nonces", lora)
        node.set_blob("lora", "session", b"keys and counters")
    return bytes(cells)


def test_a_board_becomes_a_node_that_counts(
    call: Call, board: MockBoard, tmp_path: Path, state: Path
) -> None:
    status, out, err = call(board.url, "--site", "Löwenplatz 7", "--set", "detector=beam")
    assert status == 0 and f"{board.url} is node 'n1', MQTT user 'n1'" in out
    assert f"{board.url}: the board cannot start: the loader is missing or damaged." in err
    assert SECRET not in out + err and list(state.iterdir()) == []
    found = nvs(board.flash.data)
    assert found.get_blob("tallypost", "mqtt_pass").decode() == SECRET
    config = json.loads(found.get_blob("tallypost", "config"))
    assert config == {"site": "Löwenplatz 7", "detector": "beam"}
    flash = tmp_path / "flash.bin"
    flash.write_bytes(board.flash.data)
    life = boot(flash)
    assert (life.node, life.boot, life.logged) == ("n1", 1, True)


def test_the_flash_outside_nvs_stays_unchanged(call: Call, board: MockBoard, image: bytes) -> None:
    assert call(board.url)[0] == 0
    assert board.flash.data[:0x9000] == image[:0x9000]
    assert board.flash.data[0xF000:] == image[0xF000:]


def test_a_dry_run_reads_and_writes_nothing(call: Call, board: MockBoard, state: Path) -> None:
    status, out, _ = call(board.url, "--dry-run", "--json")
    row = json.loads(out)
    assert status == 0 and not row["written"] and board.flash.changed == 0
    assert row["mac"] == "24:0a:c4:00:00:01" and row["chip"] == "esp32" and not state.exists()


def test_numbers_that_only_rise_are_preserved(
    call: Call, board: MockBoard, lora_image: bytes, tmp_path: Path
) -> None:
    who = Identity("n1", wifi_ssid="old", lora=KEYS)
    board.flash.data[:] = used(tmp_path, lora_image, who, 300, NONCES)
    keys = {"dev_eui": "11" * 8, "join_eui": "22" * 8, "app_key": bytes(range(16)).hex()}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    status, out, _ = call(board.url, "--board", LORA, "--lorawan", str(tmp_path / "keys.json"))
    assert status == 0
    assert "preserved: boot = 300" in out and "preserved: dev_nonce = 77" in out
    found = nvs(board.flash.data)
    assert found.get_i32("tallypost", "boot") == 300
    assert found.get_blob("lora", "nonces") == NONCES
    assert found.get_blob("lora", "session") == b"keys and counters"
    assert "wifi_ssid" not in found.keys("tallypost")


def test_new_keys_start_the_radio_with_new_numbers(
    call: Call, board: MockBoard, lora_image: bytes, tmp_path: Path
) -> None:
    board.flash.data[:] = used(tmp_path, lora_image, Identity("n1", lora=KEYS), 5, NONCES)
    keys = {"dev_eui": "11" * 8, "join_eui": "22" * 8, "app_key": "77" * 16}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    status, out, _ = call(
        board.url, "--board", LORA, "--lorawan", str(tmp_path / "keys.json"), "--json"
    )
    assert status == 0 and json.loads(out)["carried"] == {"boot": 5}
    with pytest.raises(KeyError):
        nvs(board.flash.data).get_blob("lora", "nonces")


def test_a_board_becomes_another_node_only_when_asked(
    call: Call, board: MockBoard, image: bytes, tmp_path: Path
) -> None:
    board.flash.data[:] = used(tmp_path, image, Identity("old-1"), 3)
    board.flash.data[0x300000:0x300004] = b"logs"
    status, out, err = call(board.url)
    assert (status, out) == (
        2,
        "",
    ) and "This board is provisioned as 'old-1'. To make it 'n1'," in err
    assert board.flash.changed == 0
    status, out, _ = call(board.url, "--log", "erase")
    assert status == 0 and "it was node 'old-1'" in out and "its log is erased" in out
    assert board.flash.data[0x300000:0x400000] == b"\xff" * 0x100000


def test_the_log_of_an_unknown_node_needs_a_decision(call: Call, board: MockBoard) -> None:
    board.flash.data[0x300000:0x300004] = b"logs"
    status, _, err = call(board.url)
    assert status == 2 and "This board holds counts of an unknown node" in err
    assert call(board.url, "--log", "keep")[0] == 0
    assert board.flash.data[0x300000:0x300004] == b"logs"


def test_a_board_that_reads_back_differently_has_no_identity(
    call: Call, board: MockBoard, tmp_path: Path
) -> None:
    board.flash.stuck[0x9000 + 200] = 0xFF
    status, _, err = call(board.url)
    assert status == 1 and "the flash does not hold the data that was written" in err
    assert nvs_reader.pages_with_key(board.flash.data[0x9000:0xF000], "id") == []
    flash = tmp_path / "flash.bin"
    flash.write_bytes(board.flash.data)
    assert boot(flash).node == ""
    board.flash.stuck.clear()
    assert call(board.url)[0] == 0


def test_a_file_that_reads_back_differently_is_reported(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = tmp_path / "flash.bin"
    flash.write_bytes(image)
    plain = FileTarget.write

    def worn(self: FileTarget, offset: int, data: bytes) -> None:
        plain(self, offset, data[:200] + b"\xff" + data[201:])

    monkeypatch.setattr(FileTarget, "write", worn)
    with pytest.raises(ToolError, match="the identity was written but does not read back"):
        provision(flash, Identity("n1"))
    assert boot(flash).node == ""


def test_the_journal_of_an_interrupted_call_holds_numbers_and_no_secret(
    call: Call, board: MockBoard, lora_image: bytes, tmp_path: Path, state: Path
) -> None:
    board.flash.data[:] = used(tmp_path, lora_image, Identity("n1", lora=KEYS), 5, NONCES)
    keys = {"dev_eui": "11" * 8, "join_eui": "22" * 8, "app_key": bytes(range(16)).hex()}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    board.flash.cut_after = 10_000
    assert call(board.url, "--board", LORA, "--lorawan", str(tmp_path / "keys.json"))[0] == 1
    (path,) = state.iterdir()
    journal = json.loads(path.read_text())
    assert path.name == "240ac4000001.json"
    assert set(journal) == {"node", "boot", "keys", "nonces"}
    assert (journal["node"], journal["boot"], journal["nonces"]) == ("n1", 5, NONCES.hex())
    assert keys["app_key"] not in path.read_text() and SECRET not in path.read_text()


def test_a_stub_that_did_not_start_is_started_once_more(
    call: Call, board: MockBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, failed = cmds.run_stub, []

    def run_stub(esp: ESPLoader) -> ESPLoader:
        if len(failed) < left:
            failed.append(esp)
            raise FatalError("Failed to start stub flasher. There was no response.")
        return plain(esp)

    monkeypatch.setattr(cmds, "run_stub", run_stub)
    left = 1
    assert call(board.url)[0] == 0 and len(failed) == 1
    left = 3
    status, _, err = call(board.url)
    assert status == 1 and "no chip answers (Failed to start stub flasher" in err


def test_a_damaged_journal_is_named(call: Call, board: MockBoard, state: Path) -> None:
    path = Journal("24:0a:c4:00:00:01").path
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    status, _, err = call(board.url)
    assert status == 1 and str(path) in err and "Delete it." in err and board.flash.changed == 0


def test_a_repeat_uses_the_secret_that_is_already_in_its_file(
    board: MockBoard, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "secret.json"
    words = ["provision", "--port", board.url, "--node", "n1", "--secrets-out", str(out)]
    words += ["--insecure-plain"]
    board.flash.cut_after = 5000
    assert cli.main(words) == 1
    made = json.loads(out.read_text())["password"]
    board.plug_in()
    assert cli.main(words) == 0
    assert nvs(board.flash.data).get_blob("tallypost", "mqtt_pass").decode() == made
    assert cli.main([*words, "--node", "n2", "--log", "erase"]) == 2
    assert "secrets are not overwritten" in capsys.readouterr().err
